package redact

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"millimetric/cmd/millimetric/remote"
	"millimetric/ingest/privacy"
)

// rowsMax bounds the report: names can be as many as lines. What is beyond counts in one row.
const rowsMax = 1000

// row is one kind of finding in one place.
type row struct {
	place string
	kind  privacy.Kind
	name  string
}

// report counts findings.
type report struct {
	counts   map[row]int
	examples map[row]string
	more     int // findings beyond rowsMax

	lines, with int  // all, and those with findings
	met         bool // the line at hand has one
}

// begin begins a line.
func (r *report) begin() {
	if r != nil {
		r.lines++
		r.met = false
	}
}

func (r *report) add(place string, found []privacy.Finding) {
	if r.counts == nil {
		r.counts, r.examples = map[row]int{}, map[row]string{}
	}
	if len(found) > 0 && !r.met {
		r.met = true
		r.with++
	}
	for _, f := range found {
		key := row{place, f.Kind, f.Name}
		if r.counts[key] == 0 {
			if len(r.counts) == rowsMax {
				r.more++
				continue
			}
			r.examples[key] = f.Example
		}
		r.counts[key]++
	}
}

// listed is a finding with how often it was met.
type listed struct {
	Count   int          `json:"count"`
	Field   string       `json:"field"`
	Kind    privacy.Kind `json:"kind"`
	Name    string       `json:"name"`
	Example string       `json:"example"`
}

// list lists all findings, the most frequent first.
func (r *report) list() []listed {
	all := make([]listed, 0, len(r.counts))
	for key, n := range r.counts {
		all = append(all, listed{n, key.place, key.kind, key.name, r.examples[key]})
	}
	slices.SortFunc(all, func(a, b listed) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (r *report) print(out io.Writer) error {
	if r.with == 0 {
		_, err := fmt.Fprintf(out, "Nothing personal was found in %d lines.\n", r.lines)
		return err
	}
	rows := [][]string{}
	for _, l := range r.list() {
		rows = append(rows, []string{strconv.Itoa(l.Count), l.Field, string(l.Kind), l.Name, l.Example})
	}
	if r.more > 0 {
		rows = append(rows, []string{strconv.Itoa(r.more), "", "", "(others)", ""})
	}
	if err := remote.Table(out, "COUNT\tWHERE\tKIND\tNAME\tEXAMPLE", rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d of %d lines hold something personal.\n", r.with, r.lines)
	return err
}

func (r *report) printJSON(out io.Writer) error {
	return json.NewEncoder(out).Encode(struct {
		Lines    int      `json:"lines"`
		With     int      `json:"with_findings"`
		Findings []listed `json:"findings"`
		Others   int      `json:"others"` // of kinds beyond the longest list
	}{r.lines, r.with, r.list(), r.more})
}

package redact

import (
	"cmp"
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
}

func (r *report) add(place string, found []privacy.Finding) {
	if r.counts == nil {
		r.counts, r.examples = map[row]int{}, map[row]string{}
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

// print writes the most frequent first.
func (r *report) print(out io.Writer) error {
	keys, total := []row{}, r.more
	for key, n := range r.counts {
		keys, total = append(keys, key), total+n
	}
	if total == 0 {
		_, err := fmt.Fprintln(out, "Nothing personal was found.")
		return err
	}
	slices.SortFunc(keys, func(a, b row) int {
		return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a.place, b.place), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	rows := [][]string{}
	for _, key := range keys {
		rows = append(rows, []string{strconv.Itoa(r.counts[key]), key.place, string(key.kind), key.name, r.examples[key]})
	}
	if r.more > 0 {
		rows = append(rows, []string{strconv.Itoa(r.more), "", "", "(others)", ""})
	}
	return remote.Table(out, "COUNT\tWHERE\tKIND\tNAME\tEXAMPLE", rows)
}

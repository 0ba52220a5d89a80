package importer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// shownMax is how many unusable lines are reported as they are met; all are in the summary.
const shownMax = 20

// tally counts what became of the lines. The reader and the sender share it.
type tally struct {
	notes io.Writer // where unusable lines are reported as they are met

	mu        sync.Mutex // guards what follows
	lines     int
	events    int
	addresses int // events without one
	skipped   map[string]int
	spoilt    map[string]*lineSet // by reason

	// Set by the owner once reader and sender are done.
	Complete bool
	// Bad is the number of unusable lines.
	Bad int
}

func newTally(notes io.Writer) *tally {
	return &tally{notes: notes, skipped: map[string]int{}, spoilt: map[string]*lineSet{}}
}

func (t *tally) read() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines++
}

func (t *tally) sent(count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events += count
}

func (t *tally) noAddress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addresses++
}

func (t *tally) skip(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped[reason]++
}

func (t *tally) bad(number int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	set := t.spoilt[reason]
	if set == nil {
		set = &lineSet{}
		t.spoilt[reason] = set
	}
	set.add(number)
	t.Bad++
	switch {
	case t.Bad <= shownMax:
		fmt.Fprintf(t.notes, "line %d: %s\n", number, reason)
	case t.Bad == shownMax+1:
		fmt.Fprintln(t.notes, "more unusable lines: see the summary")
	}
}

// lineSet is a set of line numbers, as ranges.
type lineSet struct {
	ranges [][2]int // first and last
	count  int
}

func (s *lineSet) add(number int) {
	s.count++
	if n := len(s.ranges); n > 0 && s.ranges[n-1][1]+1 == number {
		s.ranges[n-1][1] = number
		return
	}
	s.ranges = append(s.ranges, [2]int{number, number})
}

// String lists the ranges, such as "3, 7-9". Lines come in order but for those of a batch that was
// refused in several rounds.
func (s *lineSet) String() string {
	ranges := slices.Clone(s.ranges)
	slices.SortFunc(ranges, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	var parts []string
	for i := 0; i < len(ranges); {
		first, last := ranges[i][0], ranges[i][1]
		for i++; i < len(ranges) && ranges[i][0] == last+1; i++ {
			last = ranges[i][1]
		}
		part := strconv.Itoa(first)
		if last > first {
			part += "-" + strconv.Itoa(last)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// summary is the tally as --json prints it.
type summary struct {
	Complete  bool           `json:"complete"` // every line was read and sent
	Lines     int            `json:"lines"`
	Events    int            `json:"events"`             // acknowledged by the server, repeats included
	NoAddress int            `json:"without_visitor_ip"` // events of the log whose first field is no address
	Skipped   map[string]int `json:"skipped"`
	Bad       int            `json:"bad"`
	BadLines  []badLines     `json:"bad_lines"`
}

type badLines struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Lines  string `json:"lines"`
}

func (t *tally) summary() summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := summary{
		Complete: t.Complete, Lines: t.lines, Events: t.events, NoAddress: t.addresses,
		Skipped: t.skipped, Bad: t.Bad, BadLines: []badLines{},
	}
	for _, reason := range sortedKeys(t.spoilt) {
		set := t.spoilt[reason]
		s.BadLines = append(s.BadLines, badLines{Reason: reason, Count: set.count, Lines: set.String()})
	}
	return s
}

// skipNames says for people what the reasons mean, in the order of the summary.
var skipNames = [][2]string{
	{skipMethod, "not a GET"},
	{skipStatus, "not answered with 2xx or 304"},
	{skipAsset, "not a page, by its extension"},
	{skipBlank, "blank"},
}

// print writes the summary for people or for programs.
func (t *tally) print(out io.Writer, asJSON bool) error {
	s := t.summary()
	if asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s read, %s sent\n", plural(s.Lines, "line", "lines"), plural(s.Events, "event", "events"))
	for _, name := range skipNames {
		if count := s.Skipped[name[0]]; count > 0 {
			fmt.Fprintf(&b, "  passed over: %s (%s)\n", plural(count, "line", "lines"), name[1])
		}
	}
	if s.NoAddress > 0 {
		fmt.Fprintf(&b, "  without an address, so each a visitor of its own: %s\n", plural(s.NoAddress, "event", "events"))
	}
	for _, bad := range s.BadLines {
		fmt.Fprintf(&b, "  unusable: %s (%s): %s\n", plural(bad.Count, "line", "lines"), bad.Reason, bad.Lines)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func plural(count int, one, many string) string {
	if count == 1 {
		return "1 " + one
	}
	return strconv.Itoa(count) + " " + many
}

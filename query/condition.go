package query

import (
	"fmt"
	"strings"
)

// conditions are what the events of a pass must meet.
type conditions struct {
	tests  []*columnTest // of single columns; all must hold
	others predicate     // nil where there are none
	// What they cost with an event: how many compare something, and how many of these a property.
	leaves, properties int
}

// conditionsOf makes conditions of matches and filters that must all hold. They are not safe for
// concurrent use.
func conditionsOf(matches []Match, filters []Filter) *conditions {
	c := &conditions{}
	c.leaves, c.properties = leavesOf(filters)
	var others []predicate
	for _, m := range matches {
		c.add(matchFilter(m), &others)
	}
	for _, f := range filters {
		c.add(f, &others)
	}
	if len(others) > 0 {
		c.others = every(others)
	}
	return c
}

func (c *conditions) add(f Filter, others *[]predicate) {
	if f.Join == JoinAnd {
		for _, one := range f.Of {
			c.add(one, others)
		}
		return
	}
	if t := newColumnTest(f); t != nil {
		c.tests = append(c.tests, t)
		return
	}
	*others = append(*others, compileFilter(f))
}

// matchFilter is the filter that a plain parameter stands for.
func matchFilter(m Match) Filter {
	if m.Value == "" {
		return Filter{Column: m.Column, Op: OpExists, Values: []Literal{{Kind: LiteralBool, Text: "false"}}}
	}
	return Filter{Column: m.Column, Op: OpEq, Values: []Literal{{Kind: LiteralText, Text: m.Value}}}
}

// hold tells whether the conditions hold of an event.
func (c *conditions) hold(e *scanRow) bool {
	for _, t := range c.tests {
		if !t.of(e) {
			return false
		}
	}
	return c.others == nil || c.others(e)
}

// columnTest is a test of a column that has codes. In a segment it is made once for each code.
type columnTest struct {
	column   column
	key      string // tells it from others
	holds    func(text string) bool
	wanted   []string // where only: no other texts are wanted
	only     bool
	segments perSegment[verdicts]
}

// verdicts are what a test says of the codes of a segment.
type verdicts struct {
	of       []verdict
	possible bool // some row may be wanted
	all      bool // all rows are
}

type verdict byte

const (
	verdictOpen verdict = iota
	verdictYes
	verdictNo
)

// newColumnTest makes a test of a filter, nil where that isn't about one column with codes.
func newColumnTest(f Filter) *columnTest {
	if f.Join != JoinNone || f.Property != "" {
		return nil
	}
	c := columnOf(f.Column)
	if c == noColumn {
		return nil
	}
	t := &columnTest{column: c, key: f.key(), holds: textTest(f)}
	if f.Op == OpEq || f.Op == OpIn {
		t.only = true
		for _, v := range f.Values {
			if v.Text != "" {
				t.wanted = append(t.wanted, v.Text)
			}
		}
	}
	return t
}

// key makes a text of a filter of a column that no other one has.
func (f *Filter) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q%q", f.Column, f.Op)
	for _, v := range f.Values {
		fmt.Fprintf(&b, "%d%q", v.Kind, v.Text)
	}
	return b.String()
}

// peopleTest holds of events that come from no bot.
func peopleTest() *columnTest {
	return &columnTest{column: colBot, only: true, wanted: []string{""}, holds: func(text string) bool { return text == "" }}
}

// of tells whether the test holds of an event.
func (t *columnTest) of(e *scanRow) bool {
	if e.live != nil {
		return t.holds(e.text(t.column))
	}
	verdicts, err := t.open(e.view.sealed)
	if err != nil {
		e.view.fail(err)
		return false
	}
	return t.verdict(e.view, verdicts, e.code(t.column)) == verdictYes
}

// open returns the verdicts of a segment. Where only some texts are wanted they are looked up; of any
// others a verdict is found when one is met.
func (t *columnTest) open(s *sealed) (*verdicts, error) {
	own, found := t.segments.turn(s)
	if found {
		return own, nil
	}
	dict := s.column(t.column).dict
	own.of, own.possible = make([]verdict, dict.Len()), true
	if !t.only || len(t.wanted) > dict.Len() {
		return own, nil
	}
	for i := range own.of {
		own.of[i] = verdictNo
	}
	own.possible = false
	yes := 0
	for _, text := range t.wanted {
		code, found, err := dict.Find(text)
		if err != nil {
			return nil, err // which ends the question
		}
		if found && own.of[code] != verdictYes {
			own.of[code], own.possible = verdictYes, true
			yes++
		}
	}
	own.all = yes == dict.Len()
	return own, nil
}

func (t *columnTest) verdict(v *view, own *verdicts, code uint32) verdict {
	if own.of[code] == verdictOpen {
		own.of[code] = verdictNo
		if t.holds(v.textOf(t.column, code)) {
			own.of[code] = verdictYes
		}
	}
	return own.of[code]
}

// choose leaves the rows of a view that the test holds of.
func (t *columnTest) choose(v *view, chosen []int32) []int32 {
	if len(chosen) == 0 {
		return chosen
	}
	own, err := t.open(v.sealed)
	if err != nil {
		v.fail(err)
		return chosen[:0]
	}
	if own.all {
		return chosen
	}
	codes, kept := v.codesOf(t.column), chosen[:0]
	for _, at := range chosen {
		d := own.of[codes[at]]
		if d == verdictOpen {
			d = t.verdict(v, own, codes[at])
		}
		if d == verdictYes {
			kept = append(kept, at)
		}
	}
	return kept
}

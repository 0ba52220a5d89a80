package query

import (
	"slices"
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
	holds    func(text string) bool
	wanted   []string // where only: no other texts are wanted
	only     bool
	sealed   *sealed
	possible bool      // some row of that segment may be wanted
	verdicts []verdict // by code
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
	t := &columnTest{column: c, holds: textTest(f)}
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

// peopleTest holds of events that come from no bot.
func peopleTest() *columnTest {
	return &columnTest{column: colBot, only: true, wanted: []string{""}, holds: func(text string) bool { return text == "" }}
}

// of tells whether the test holds of an event.
func (t *columnTest) of(e *scanRow) bool {
	if e.live != nil {
		return t.holds(e.text(t.column))
	}
	if t.sealed != e.view.sealed {
		if _, err := t.open(e.view.sealed); err != nil {
			e.view.fail(err)
			return false
		}
	}
	return t.verdict(e.view, e.code(t.column)) == verdictYes
}

// open turns the test to a segment; possible is false where it holds of no row there.
func (t *columnTest) open(s *sealed) (possible bool, err error) {
	if t.sealed == s {
		return t.possible, nil
	}
	dict := s.column(t.column).dict
	t.verdicts = slices.Grow(t.verdicts[:0], dict.Len())[:dict.Len()]
	clear(t.verdicts)
	t.sealed, t.possible = s, true
	if !t.only || len(t.wanted) > dict.Len() {
		return true, nil // each text is looked at when it is met
	}
	for i := range t.verdicts {
		t.verdicts[i] = verdictNo
	}
	t.possible = false
	for _, text := range t.wanted {
		code, found, err := dict.Find(text)
		if err != nil {
			t.sealed = nil
			return false, err
		}
		if found {
			t.verdicts[code], t.possible = verdictYes, true
		}
	}
	return t.possible, nil
}

func (t *columnTest) verdict(v *view, code uint32) verdict {
	if t.verdicts[code] == verdictOpen {
		t.verdicts[code] = verdictNo
		if t.holds(v.textOf(t.column, code)) {
			t.verdicts[code] = verdictYes
		}
	}
	return t.verdicts[code]
}

// choose leaves the rows of a view that the test holds of.
func (t *columnTest) choose(v *view, chosen []int32) []int32 {
	if len(chosen) == 0 {
		return chosen
	}
	if t.sealed != v.sealed {
		if _, err := t.open(v.sealed); err != nil {
			v.fail(err)
			return chosen[:0]
		}
	}
	if !slices.ContainsFunc(t.verdicts, func(d verdict) bool { return d != verdictYes }) {
		return chosen
	}
	codes, kept := v.codesOf(t.column), chosen[:0]
	for _, at := range chosen {
		d := t.verdicts[codes[at]]
		if d == verdictOpen {
			d = t.verdict(v, codes[at])
		}
		if d == verdictYes {
			kept = append(kept, at)
		}
	}
	return kept
}

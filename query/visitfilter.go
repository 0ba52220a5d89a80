package query

// visitFilters are filters on visits: some ask about any event of a visit, some about its entry. What
// they ask about an entry is found out when that is at hand, and kept as one number: most of the
// entries of a project give one of a few combinations of answers.
type visitFilters struct {
	matches func(e *scanRow, facts string) bool
	ofEntry []predicate
	facts   *numbering[string] // a letter for each of ofEntry
	scratch []byte

	combinations []string // all facts that there may be, once they are combined
}

func (f *visitFilters) compile(filters []Filter) {
	f.facts = newNumbering[string]()
	f.matches = f.join(Filter{Join: JoinAnd, Of: filters})
}

func (f *visitFilters) askEntries() bool { return len(f.ofEntry) > 0 }

const (
	factTrue  = 'y'
	factFalse = 'n'
)

// factsOf returns the number of what the filters ask about an entry.
func (f *visitFilters) factsOf(entry *scanRow) uint32 {
	if !f.askEntries() {
		return 0
	}
	f.scratch = f.scratch[:0]
	for _, holds := range f.ofEntry {
		fact := byte(factFalse)
		if holds(entry) {
			fact = factTrue
		}
		f.scratch = append(f.scratch, fact)
	}
	if number, known := f.facts.of[string(f.scratch)]; known {
		return number
	}
	return f.facts.number(string(f.scratch))
}

// hold tells whether the filters hold of an event in a visit of which the facts of the entry are known.
func (f *visitFilters) hold(e *scanRow, facts uint32) bool {
	if !f.askEntries() {
		return f.matches(e, "")
	}
	return f.matches(e, f.facts.list[facts])
}

// combinedMost is of how many questions about an entry the facts are combined: each makes twice as many combinations,
// which events are held against.
const combinedMost = 3

// combine lists all facts that there may be; ok is false where there are too many.
func (f *visitFilters) combine() (ok bool) {
	if len(f.ofEntry) > combinedMost {
		return false
	}
	f.combinations = make([]string, 1<<len(f.ofEntry))
	for number := range f.combinations {
		facts := make([]byte, len(f.ofEntry))
		for i := range facts {
			facts[i] = factFalse
			if number>>i&1 != 0 {
				facts[i] = factTrue
			}
		}
		f.combinations[number] = string(facts)
	}
	return true
}

// combinationOf returns the number of the combination that the facts of an entry are.
func (f *visitFilters) combinationOf(entry *scanRow) (number int) {
	for i, holds := range f.ofEntry {
		if holds(entry) {
			number |= 1 << i
		}
	}
	return number
}

// matching returns the combinations, a bit each, with which the filters hold of an event, but for those known.
func (f *visitFilters) matching(e *scanRow, known uint8) (found uint8) {
	for number, facts := range f.combinations {
		if bit := uint8(1) << number; known&bit == 0 && f.matches(e, facts) {
			found |= bit
		}
	}
	return found
}

func (f *visitFilters) size() int { return len(f.facts.list) * (1 + len(f.ofEntry)/wideWeight) }

func (f *visitFilters) join(filter Filter) func(e *scanRow, facts string) bool {
	if filter.Join == JoinNone {
		holds := compileLeaf(filter)
		if filter.Entry {
			number := len(f.ofEntry)
			f.ofEntry = append(f.ofEntry, holds)
			return func(_ *scanRow, facts string) bool { return facts[number] == factTrue }
		}
		return func(e *scanRow, _ string) bool { return holds(e) }
	}
	of := make([]func(*scanRow, string) bool, len(filter.Of))
	for i := range filter.Of {
		of[i] = f.join(filter.Of[i])
	}
	if filter.Join == JoinNot {
		return func(e *scanRow, facts string) bool { return !of[0](e, facts) }
	}
	// "or" ends at the first that holds, "and" at the first that doesn't.
	ends := filter.Join == JoinOr
	return func(e *scanRow, facts string) bool {
		for _, holds := range of {
			if holds(e, facts) == ends {
				return ends
			}
		}
		return !ends
	}
}

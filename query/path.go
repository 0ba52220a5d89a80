package query

import (
	"slices"

	"millimetric/index/event"
)

// path is the touches of one or more conversions, in order.
type path struct {
	touches     []actorTouch
	all         []actorTouch // of the actor
	from        int          // number of the first of the path among them
	conversions int64
	value       exactSum // of these conversions together
}

// settlement walks conversions and touches side by side, actor by actor, and pays each path's credit into the book.
type settlement struct {
	r    *run
	q    *Attribution
	book *ledger
	size int // of what is held beside
	all  []conversion
	left []conversion // of the actors that weren't walked yet
	work int
	path path // at hand

	first bool // only the first touch of each actor matters
}

func newSettlement(r *run, q *Attribution, book *ledger, found *conversions) *settlement {
	onlyFirst := len(q.Models) == 1 && q.Models[0] == ModelFirst && q.Lookback == 0
	return &settlement{r: r, q: q, book: book, size: 2 * len(found.list), all: found.list, left: found.list, first: onlyFirst}
}

// span tells which of the touches of an actor before to matter: those from from on, and before until.
func (s *settlement) span(actor uint32, to event.Time) (from, until event.Time, err error) {
	if err := s.upTo(uint64(actor)); err != nil {
		return 0, 0, err
	}
	own := s.next()
	if len(own) == 0 || own[0].actor != actor {
		return s.q.From, min(to, s.q.To), nil // as of an actor without conversions
	}
	return s.q.lookbackStart(own[0].at.time), min(to, own[len(own)-1].at.time+1), nil
}

// take takes the touches of an actor, in order; they are the settlement's from then on. Actors rise, and those without
// touches are left out.
func (s *settlement) take(actor uint32, touches []actorTouch) error {
	if err := s.upTo(uint64(actor)); err != nil {
		return err
	}
	s.r.cost.Matched += len(touches)
	own := s.next()
	switch {
	case len(own) > 0 && own[0].actor == actor:
		s.left = s.left[len(own):]
		if s.first && len(touches) > 0 {
			return s.settleFirst(own, &touches[0].touch)
		}
		return s.settle(own, touches)
	case s.book.chain != nil:
		s.book.chain.add(slices.DeleteFunc(touches, func(t actorTouch) bool { return t.at.time < s.q.From || t.at.time >= s.q.To }), 1, false)
		return s.worked(len(touches))
	}
	return nil
}

// upTo enters the conversions of actors before one: they have no touches.
func (s *settlement) upTo(actor uint64) error {
	for len(s.left) > 0 && uint64(s.left[0].actor) < actor {
		own := s.next()
		s.left = s.left[len(own):]
		if err := s.settle(own, nil); err != nil {
			return err
		}
	}
	return nil
}

// next returns the conversions of the next actor.
func (s *settlement) next() []conversion {
	n := 0
	for n < len(s.left) && s.left[n].actor == s.left[0].actor {
		n++
	}
	return s.left[:n]
}

// end enters what is left.
func (s *settlement) end() error { return s.upTo(noVisitor) }

func (s *settlement) pay(p *path) error {
	if p.conversions == 0 {
		return nil
	}
	s.book.enterPath(p)
	if len(p.touches) == 0 {
		return nil
	}
	s.book.pay(p)
	return s.worked(len(p.touches) + 1)
}

// worked looks at the budgets once per million of touches: that takes nothing and comes often enough.
func (s *settlement) worked(touches int) error {
	if s.work += touches; s.work <= 1<<20 {
		return nil
	}
	s.work = 0
	return s.r.overBudget(s.book.size() + s.size)
}

// takeFirst takes the conversions of the next actor and his first touch, if he has one.
func (s *settlement) takeFirst(own []conversion, first touch, ok bool) error {
	s.left = s.left[len(own):]
	if !ok {
		return s.settle(own, nil)
	}
	s.r.cost.Matched++
	return s.settleFirst(own, &first)
}

// settleFirst is settle where only the first touch of each actor matters: all conversions from then on are its.
func (s *settlement) settleFirst(list []conversion, touch *touch) error {
	before := 0
	for before < len(list) && list[before].at.before(touch.at) {
		before++
	}
	s.book.enterAll(&s.book.unattributed, list[:before])
	s.book.enterAll(&s.book.attributed, list[before:])
	s.book.giveAll(touch.group, list[before:])
	return s.worked(len(list) + 1)
}

// settle pays the paths of one actor's conversions. The touches of a conversion are those from lo up to hi: later
// conversions never need earlier touches.
func (s *settlement) settle(list []conversion, touches []actorTouch) error {
	p := &s.path
	p.begin(touches, 0, 0)
	s.book.begin(len(touches))
	lo, hi := 0, 0
	for i := range list {
		c := &list[i]
		start, end := lo, hi
		for hi < len(touches) && touches[hi].at.compare(c.at) <= 0 {
			hi++
		}
		for earliest := s.q.lookbackStart(c.at.time); lo < hi && touches[lo].at.time < earliest; {
			lo++
		}
		if lo != start || hi != end {
			if err := s.pay(p); err != nil {
				return err
			}
			p.begin(touches, lo, hi)
		}
		s.book.enter(p, c)
	}
	return s.pay(p)
}

// begin makes it a path with some of the touches of an actor, and no conversions yet.
func (p *path) begin(all []actorTouch, from, to int) {
	p.touches, p.all, p.from, p.conversions = all[from:to], all, from, 0
	p.value.clear()
}

// stretches walks the stretches of a list in which key is the same.
func stretches(n int, key func(i int) uint32) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		for from := 0; from < n; {
			to := from + 1
			for to < n && key(to) == key(from) {
				to++
			}
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

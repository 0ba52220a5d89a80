package query

import (
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// pass is one pass over the events of a range, before the floor of the source is raised.
type pass struct {
	from, to event.Time
	wants    *conditions // nil where the question's filters don't matter
	// size tells how many table entries the visits have made so far.
	size  func() int
	visit func(*scanRow)
	take  func(v *view, chosen []int32) // takes the place of visit for rows of segments; may be nil
	// whole takes a segment at once that lies in the pass as a whole, where it is known what is wanted of it; it
	// may be nil, or say that the rows must be taken one by one. done is called after each segment; it may be nil.
	whole   func(s *sealed) (taken bool, err error)
	parted  func(s *sealed) (taken bool, err error) // the same by buckets of time, where whole doesn't go
	done    func()
	one     *one                      // whom the pass is about; nil if many
	skip    func(*index.Segment) bool // says that a segment isn't needed, after what was visited so far; may be nil
	tooOld  func(event.Time) bool     // says that rows of a time and before aren't needed, likewise; may be nil
	lacks   func() int                // beside tooOld: how many rows are needed in any case
	among   func(visitor uint32) bool // block by block: says whose rows are taken; nil for all
	ordered bool                      // block by block: the taker asks who is tangled
	paired  func(b *block, w *walker) // block by block: takes what stands for the rows of a segment
	ahead   func(*index.Segment) bool // block by block: says which segments are walked before the others; nil for none
	idle    func(*index.Segment) bool // block by block: says that only tangled visitors matter in a segment; may be nil
	// pairs makes, block by block, walkers of the segments of which something stands for the rows; it may be nil.
	pairs func(segments []*sealed, walkers []*walker) error
}

// scan visits the events that the question is about. size tells how many table entries the visits
// have made so far.
func (r *run) scan(matches []Match, size func() int, visit func(*scanRow)) error {
	return r.scanRange(r.common.From, r.common.To, matches, size, visit)
}

// scanRange visits the events of another range by the same rules.
func (r *run) scanRange(from, to event.Time, matches []Match, size func() int, visit func(*scanRow)) error {
	return r.each(&pass{from: from, to: to, wants: conditionsOf(matches, r.common.counted()), size: size, visit: func(e *scanRow) {
		r.cost.Matched++
		visit(e)
	}})
}

// walk visits the events of a stretch of time that the question's bots and position allow, whatever
// its filters say.
func (r *run) walk(from, to event.Time, size func() int, visit func(*scanRow)) error {
	return r.each(&pass{from: from, to: to, wants: conditionsOf(nil, nil), size: size, visit: visit})
}

// each makes a pass: over the live events, then over the segments, those that end last first.
func (r *run) each(p *pass) error {
	if !r.bound(p) {
		return nil
	}
	if err := r.eachLive(p); err != nil {
		return err
	}
	return r.eachSegment(p)
}

// bound leaves out of a pass what the source doesn't show, and reports whether anything is left.
func (r *run) bound(p *pass) bool {
	r.reads(p.from, p.to)
	p.from, p.to = max(p.from, r.source.Floor()), min(p.to, ceilingOf(r.source))
	return p.from < p.to
}

// eachSegment visits the rows of segments.
func (r *run) eachSegment(p *pass) error {
	for _, segment := range newestFirst(r.source.Segments(p.from, p.to)) {
		if p.skip != nil && p.skip(segment) {
			r.open(segment)
			continue
		}
		if err := r.eachOf(p, segment); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) eachLive(p *pass) error {
	var stopped error
	row := scanRow{}
	err := r.source.Live(p.from, p.to, func(e *event.Event, visitor uint32) bool {
		r.cost.Scanned++
		r.work += 1 + p.wants.leaves/leavesPerWork + p.wants.properties*len(e.Properties)/propertyBytesPerWork
		if stopped = r.look(p); stopped != nil {
			return false
		}
		if e.Seq > r.asOf || e.Bot != "" && !r.common.IncludeBots {
			return true
		}
		row.time, row.visitor, row.live = e.Time, visitor, e
		if p.wants.hold(&row) {
			p.visit(&row)
		}
		return true
	})
	if stopped != nil {
		return stopped
	}
	return err
}

// look looks at the budgets where enough was done since the last time.
func (r *run) look(p *pass) error {
	if r.work < lookEvery {
		return nil
	}
	r.work = 0
	return r.overBudget(p.size())
}

// open returns a segment as the question reads it.
func (r *run) open(segment *index.Segment) *sealed {
	s := r.opened[segment]
	if s == nil {
		s = &sealed{run: r, number: len(r.opened), original: segment, restPiece: -1}
		s.segment = segment.Watch(func(src index.Sections) index.Sections { return &watched{src, r, s} })
		if r.opened == nil {
			r.opened = map[*index.Segment]*sealed{}
		}
		r.opened[segment] = s
	}
	return s
}

// eachOf visits the rows of a segment, chunk by chunk: rows are chosen by their columns first, and
// shown one by one only if they are wanted.
func (r *run) eachOf(p *pass, segment *index.Segment) error {
	s := r.open(segment)
	if p.one != nil && r.inReach(p, s) {
		if ok, err := r.eachOfOne(p, s); err != nil || ok {
			return err
		}
	}
	possible, err := r.mayMatter(p, s)
	if err != nil || !possible {
		return err
	}
	if p.whole != nil {
		if taken, err := p.whole(s); err != nil || taken {
			s.used = true
			return err
		}
	}
	if p.parted != nil {
		if taken, err := p.parted(s); err != nil || taken {
			s.used = true
			return err
		}
	}
	if err := s.openRuns(); err != nil {
		return err
	}
	few, err := r.fewRows(p, s)
	if err != nil {
		return err
	}
	if err := r.takeStretch(p, s, r.viewOf(), few, 0, segment.Rows(), segment.Rows()); err != nil {
		return err
	}
	if p.done != nil {
		p.done()
	}
	return nil
}

// takeStretch makes a pass over the rows of a segment from from up to to, of which only few matter, where
// such are given. Others before end may follow soon.
func (r *run) takeStretch(p *pass, s *sealed, v *view, few *rowList, from, to, end int) error {
	for from < to {
		if few != nil && !v.holds(s, from) {
			if from = max(from, few.from(from)); from >= to {
				return nil
			}
		}
		v.reach(s, from, end)
		next := min(to, v.first+v.rows)
		var chosen []int32
		if few != nil {
			chosen = r.rowsOf(few, v.first, from, next)
		} else {
			chosen = r.rows(from-v.first, next-v.first)
		}
		if err := r.takeRows(p, v, chosen); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// takeRows makes a pass over some rows of a view.
func (r *run) takeRows(p *pass, v *view, chosen []int32) error {
	r.cost.Scanned += len(chosen)
	r.work += 1 + len(chosen)/rowsPerWork
	if err := r.look(p); err != nil {
		return err
	}
	v.sealed.used = true
	chosen = r.choose(p, v, chosen)
	if v.err != nil {
		return v.err
	}
	if p.take == nil {
		return r.show(p, v, chosen)
	}
	if p.wants.others != nil {
		var err error
		if chosen, err = r.chooseOthers(p, v, chosen); err != nil {
			return err
		}
	}
	p.take(v, chosen)
	return v.err
}

// chooseOthers leaves the rows that the conditions hold of which need more than one column.
func (r *run) chooseOthers(p *pass, v *view, chosen []int32) ([]int32, error) {
	if len(chosen) == 0 {
		return chosen, nil
	}
	times, kept := v.timesOf(), chosen[:0]
	row := scanRow{view: v}
	for _, at := range chosen {
		r.work += 1 + p.wants.leaves/leavesPerWork
		if err := r.look(p); err != nil {
			return nil, err
		}
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		if p.wants.others(&row) {
			kept = append(kept, at)
		}
		if v.err != nil {
			return nil, v.err
		}
	}
	return kept, nil
}

// viewOf returns the one view of the question.
func (r *run) viewOf() *view {
	if r.view == nil {
		r.view = r.newView()
	}
	return r.view
}

// rowsPerWork is how many rows of a segment are passed over at the cost of one live event.
const rowsPerWork = 8

// show visits the chosen rows of a view, those that the other conditions hold of.
func (r *run) show(p *pass, v *view, chosen []int32) error {
	if len(chosen) == 0 {
		return nil
	}
	times := v.timesOf()
	row := scanRow{view: v}
	for _, at := range chosen {
		r.work += 1 + p.wants.leaves/leavesPerWork
		if err := r.look(p); err != nil {
			return err
		}
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		if p.wants.others == nil || p.wants.others(&row) {
			p.visit(&row)
		}
		if v.err != nil {
			return v.err
		}
	}
	return nil
}

// mayMatter tells whether some row of a segment may be wanted, by what it takes little to look at.
func (r *run) mayMatter(p *pass, s *sealed) (bool, error) {
	if !r.inReach(p, s) {
		return false, nil
	}
	for _, t := range p.wants.tests {
		if own, err := t.open(s); err != nil || !own.possible {
			return false, err
		}
	}
	return true, nil
}

// inReach tells whether some row of a segment may lie in the range of a pass and in the replay.
func (r *run) inReach(p *pass, s *sealed) bool {
	first, last := s.segment.TimeRange()
	least, _ := s.segment.SeqRange()
	return last >= p.from && first < p.to && least <= r.asOf
}

// choose returns those of some rows of a view that lie in the range and in the replay, and that the conditions
// on single columns hold of.
func (r *run) choose(p *pass, v *view, chosen []int32) []int32 {
	first, last := v.sealed.segment.TimeRange()
	if first < p.from || last >= p.to {
		times, kept := v.timesOf(), chosen[:0]
		for _, at := range chosen {
			if t := times[at]; t >= p.from && t < p.to {
				kept = append(kept, at)
			}
		}
		chosen = kept
	}
	if _, greatest := v.sealed.segment.SeqRange(); greatest > r.asOf {
		seqs, kept := v.seqsOf(), chosen[:0]
		for _, at := range chosen {
			if seqs[at] <= r.asOf {
				kept = append(kept, at)
			}
		}
		chosen = kept
	}
	if v.sealed.segment.Hides() {
		chosen = v.unhidden(chosen)
	}
	if !r.common.IncludeBots {
		chosen = r.people.choose(v, chosen)
	}
	for _, t := range p.wants.tests {
		chosen = t.choose(v, chosen)
	}
	return chosen
}

// unhidden returns those of some rows of the view that the segment doesn't hide.
func (v *view) unhidden(chosen []int32) []int32 {
	hidden, kept := v.sealed.segment.Hidden(), chosen[:0]
	for _, at := range chosen {
		if !hidden.Has(uint32(v.first) + uint32(at)) {
			kept = append(kept, at)
		}
	}
	return kept
}

// rows returns the numbers of rows, in memory that is used again.
func (r *run) rows(from, to int) []int32 {
	r.chosen = slices.Grow(r.chosen[:0], to-from)[:to-from]
	for i := range r.chosen {
		r.chosen[i] = int32(from + i)
	}
	return r.chosen
}

package query

import (
	"cmp"
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// trackWalk walks visitors through a funnel of which names say all, by the tracks of segments and, where
// the funnel is broken down by first touch, by where visits begin. Both the memo keeps.
//
//  1. Most visitors do nothing but begin attempts, as they have no event of a name that could be more: which visitors
//     have which names segments know. Of them only the first beginning matters, and of most only that there is one.
//  2. Of the others it is noted where their events are, segment by segment, and each is followed at once, one segment
//     after the other, or, where these overlap, their events merged (see trackFlow).
//  3. Where two segments have events of one moment, and where some are live, all events of a visitor that matter are
//     gathered and sorted. Positions aren't kept: the rows are looked at for them.
//  4. Where the steps are asked for again, courses of all visitors are found (see there), for most segments as if these
//     were one. They are followed in the place of events, but for visitors who come elsewhere, too.
//  5. First touches are only looked for once it is known who began an attempt. Who comes in joined starts alone has his
//     there, at the begin of a stretch of a list (see startWalk).
type trackWalk struct {
	*funnelBlocks
	pass      *pass
	from      event.Time // of events that matter
	touchPass *pass      // of starts
	segments  []*trackSegment
	courses   *courses        // nil where there are none
	joined    []*trackSegment // those of the segments of which there are courses; their tracks may not be open
	beside    []*trackSegment // the others
	starts    *startWalk      // nil where the breakdown isn't by first touch

	further   bitmap.Set  // visitors who may do more than begin attempts, live ones aside
	anyone    bool        // that may be anyone
	goFurther visitorBits // of the block: who may do more
	numbers   []uint32
	room      block
	hits      trackHits                 // of the visitors of the block who may do more
	first     [blockVisitors]trackBegin // by visitor who began an attempt: the first event of his first, or of his best
	path      *trackFlow                // of the visitor at hand
	cursors   []trackCursor             // likewise
	line      []funnelMark              // likewise, where his events come in no order
	trail     []event.Time              // likewise
	reached   []reachedStep             // of the block: in order those who were followed, then those with courses
	byCourse  int                       // how many of these come before the first with a course
	seqs      map[uint32]event.Seq      // by visitor: the position of that first event, where its segment isn't named
	touched   visitorBits               // who has a first touch
	found     [blockVisitors]firstTouch // his
	groups    []uint32                  // by kind of the joined starts: the group plus one, or 0 where that isn't known
	again     []funnelMark
	touch     funnelMark
	opening   funnelMark
	near      uint32     // of no meaning, see fetch
	places    []trackHit // of a visitor whose course is known
	nextBlock int        // the first block of courses that wasn't walked yet

	touchKinds [][]uint16  // of courseTouches; nil where these aren't known
	noted      [][]uint16  // they are noted here, then, whoever walks the block
	elsewhere  visitorBits // of the block: whom they aren't good for
}

// trackKind says what events of a name can do.
type trackKind uint8

const (
	trackNothing trackKind = iota
	trackBegins            // no more than begin an attempt
	trackAny
)

// trackHit is a visitor in a segment: the events from from on and before to are his.
type trackHit struct{ of, from, to uint32 }

// trackBegin is an event that can only begin an attempt.
type trackBegin struct {
	time      event.Time
	of, index uint32 // its segment, and its place there
}

// reachedStep is a visitor who came beyond depth 1 and waits for his first touch.
type reachedStep struct {
	visitor uint32
	group   *uint32 // is to be set in the result
}

// firstTouch is the first touch of a visitor: in a segment, or of a live event where of is nil.
type firstTouch struct {
	at    place
	group uint32
	index uint32 // in its segment
	of    *sealed
}

// trackSegment is a segment, and how far it was walked.
type trackSegment struct {
	*eventTracks
	sealed *sealed
	number uint32         // of the segment, from 1 on
	marks  []nameMark     // by code of a name
	kinds  [256]trackKind // likewise, in short
	inside bool           // all events matter, and attempts can begin at each
	joined bool           // there are courses of it
	run    int            // the first visitor who wasn't walked yet
}

// tracked tells whether the funnel can go this way.
func (f *funnelBlocks) tracked() bool {
	q := f.see.q
	return f.r.common.Memo != nil && f.bare && !f.see.asks && q.Order == OrderOrdered && (!f.see.touched || f.see.by.byTouches())
}

// countTracks makes the pass of count, where it goes this way; ok is false where it doesn't.
func (f *funnelBlocks) countTracks(p *pass) (ok bool, err error) {
	if !f.tracked() {
		return false, nil
	}
	w := &trackWalk{funnelBlocks: f, pass: p, seqs: map[uint32]event.Seq{}, path: newTrackFlow(f.flow, f.see.beginTo)}
	own := *p
	if !f.r.bound(&own) {
		return true, nil
	}
	w.pass, w.from = &own, max(own.from, f.see.q.From)
	if f.see.touched {
		if ok, err := w.openStarts(); !ok || err != nil {
			return false, err
		}
	}
	if ok, err := w.open(); !ok || err != nil {
		return false, err
	}
	if err := w.findFurther(); err != nil {
		return true, err
	}
	w.openTouches()
	own.visit = w.live
	if err := f.r.eachLive(&own); err != nil {
		return true, err
	}
	if err := w.divide(); err != nil {
		return true, err
	}
	w.keepTouches()
	return true, nil
}

// openStarts prepares to look for first touches.
func (w *trackWalk) openStarts() (ok bool, err error) {
	w.prepareStarts()
	return w.starts.open(w.touchPass, nil)
}

func (w *trackWalk) prepareStarts() {
	q := &Attribution{Common: Common{To: w.see.q.To}}
	touches := &touchWalk{r: w.r, q: q, wanted: compile(nil), groups: &grouping{fields: w.see.by, whole: newNumbering[wholeGroup]()}, visits: map[visitKey]struct{}{}}
	touches.block = &block{}
	w.starts = newStartWalk(touches)
	p := &pass{from: w.pass.from, to: min(w.pass.to, q.To), wants: conditionsOf(nil, nil), size: w.pass.size}
	w.starts.wants = func(_ uint32, who *visitorBits) { *who = w.begun }
	w.touchPass, w.starts.firsts = p, w.takeTouch
}

// open finds the courses or tracks of all segments.
func (w *trackWalk) open() (ok bool, err error) {
	if ok, err := w.openSegments(); !ok || err != nil {
		return false, err
	}
	joined := w.joinable()
	known, ask := w.knownCourses(joined)
	alone := known != nil && len(joined) == len(w.segments)
	if alone {
		if alone, err = w.noneLive(); err != nil {
			return false, err
		}
	}
	if !alone {
		if ok, err := w.openTracks(); !ok || err != nil {
			return false, err
		}
	}
	if ask {
		if known, err = w.makeCourses(joined); err != nil {
			return false, err
		}
	}
	w.enterCourses(known, joined)
	return true, nil
}

// openSegments finds the segments that matter; ok is false where one can't be told by its tracks.
func (w *trackWalk) openSegments() (ok bool, err error) {
	for _, segment := range w.r.source.Segments(w.from, w.pass.to) {
		s := w.r.open(segment)
		possible, err := w.r.mayMatter(w.pass, s)
		if err != nil {
			return false, err
		}
		if lastOf(segment) < w.from || !possible {
			continue
		}
		if !w.r.fitTracks(s) {
			return false, nil
		}
		w.segments = append(w.segments, &trackSegment{sealed: s})
	}
	slices.SortStableFunc(w.segments, func(a, b *trackSegment) int { return cmp.Compare(a.sealed.firstTime(), b.sealed.firstTime()) })
	for i, of := range w.segments {
		of.number = uint32(i + 1)
		if err := w.tell(of); err != nil {
			return false, err
		}
	}
	return true, nil
}

// openTracks finds the tracks of all segments; ok is false where there is no room for them.
func (w *trackWalk) openTracks() (ok bool, err error) {
	missing, rows := int64(0), 0 // of those that aren't known yet
	for _, of := range w.segments {
		if _, known := w.r.common.Memo.get(w.r.memoKey(of.sealed, memoTracks, "")); !known {
			n := of.sealed.segment.Rows()
			missing, rows = missing+int64(trackBytes*n), rows+n
		}
	}
	if missing > 0 && !w.r.common.Memo.hasRoom(missing) {
		return false, nil
	}
	err = w.r.lookAtEach(len(w.segments), rows, func(r *run) func(int) error {
		p := w.pass.forHelper(r)
		return func(i int) (err error) {
			of := w.segments[i]
			of.eventTracks, err = r.tracksOf(p, of.sealed.openedBy(r))
			return err
		}
	})
	for _, of := range w.segments {
		of.sealed.used = true
	}
	return err == nil, err
}

// tell finds what the names of a segment are to the steps.
func (w *trackWalk) tell(of *trackSegment) error {
	first, last := of.sealed.segment.TimeRange()
	of.inside = first >= w.from && last < min(w.pass.to, w.see.beginTo)
	names := of.sealed.column(colName)
	of.marks = make([]nameMark, names.dict.Len())
	for code := range of.marks {
		name, err := names.at(uint32(code))
		if err != nil {
			return err
		}
		m := markOfName(w.see.tests[name])
		switch of.marks[code] = m; {
		case m.steps == 1 && m.bars == 0:
			of.kinds[code] = trackBegins
		case m.steps|m.bars != 0:
			of.kinds[code] = trackAny
		}
	}
	return nil
}

// findFurther finds who may do more than begin attempts, by the sets of visitors that segments have of each name.
// It counts what the segments hold that matter as a whole.
func (w *trackWalk) findFurther() error {
	var all union
	for _, of := range w.beside {
		for code, kind := range of.kinds[:len(of.marks)] {
			if of.inside && kind != trackNothing {
				w.r.cost.Matched += int(of.counts[code])
			}
			if kind != trackAny || w.anyone || of.counts[code] == 0 {
				continue
			}
			name, err := of.sealed.column(colName).at(uint32(code))
			if err != nil {
				return err
			}
			visitors, ok, err := w.r.visitorsNamed(of.sealed, name)
			if err != nil {
				return err
			}
			w.anyone = !ok
			all.add(visitors)
		}
	}
	w.further = all.set()
	return nil
}

// live takes a live event.
func (w *trackWalk) live(e *scanRow) {
	if e.time >= w.from {
		if m, ok := w.see.markSteps(e); ok {
			w.r.cost.Matched++
			w.waits.add(e.visitor, m)
		}
	}
	if w.starts != nil && e.time < w.see.q.To {
		w.starts.waits.add(e.visitor, w.starts.touchWalk.met(e, 0))
	}
}

// next returns the first visitor who wasn't walked yet, noVisitor if there is none.
func (w *trackWalk) next() uint64 {
	next := min(w.waits.next(), w.courses.next(w.nextBlock))
	for _, of := range w.beside {
		if of.run < len(of.ordinals) {
			next = min(next, uint64(of.ordinals[of.run]))
		}
	}
	if w.starts != nil {
		next = min(next, w.starts.nextVisitor())
	}
	return next
}

// walkBlock walks the visitors of a block.
func (w *trackWalk) walkBlock(first uint32) error {
	b := &w.room
	b.first, b.tangled = first, visitorBits{}
	w.begin(b)
	w.hits.clear()
	w.reached, w.byCourse, w.touched, w.goFurther = w.reached[:0], 0, visitorBits{}, visitorBits{}
	clear(w.seqs)
	w.numbers = w.further.Between(w.numbers[:0], first, first+blockVisitors)
	for _, ordinal := range w.numbers {
		w.goFurther.add(ordinal - first)
	}
	for _, visitor := range w.lists.met { // who has live events
		w.goFurther.add(visitor)
		w.hits.met.add(visitor)
	}
	events, err := w.takeAll(first)
	if err != nil {
		return err
	}
	w.r.work += 1 + events/rowsPerWork
	if err := w.r.look(w.pass); err != nil {
		return err
	}
	if err := w.followAll(first); err != nil {
		return err
	}
	w.followCourses(first)
	return w.settle(b)
}

// takeAll takes the visitors of a block in all segments, but for those whose courses say what there is.
func (w *trackWalk) takeAll(first uint32) (events int, err error) {
	if w.courses != nil {
		for _, of := range w.beside {
			of.meet(first, &w.hits.met)
		}
	}
	others := w.hits.met
	for _, of := range w.segments {
		n := 0
		if of.joined {
			n = w.takeAmong(first, of, &others)
		} else if n, err = w.take(first, of); err != nil {
			return 0, err
		}
		events += n
	}
	return events, nil
}

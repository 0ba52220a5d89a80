package query

import (
	"strconv"

	"millimetric/index"
	"millimetric/index/event"
)

// visitWalk finds the visits of visitors that begin in a range, a block of visitors at a time: what is kept of a visit
// while it is looked for is forgotten with its block, and facts of it stay.
//
//  1. Each event of the history belongs to some visit of its visitor. One before the range says of its visit alone
//     that it isn't asked about. One after it may belong to a visit of the range, and so it is kept like these until
//     the block ends.
//  2. Events of a block come segment by segment, and live ones first. So nothing that is kept depends on their order.
//     But segments that the range reaches into come before the others, of which only visits matter that are known by
//     then: nothing is kept of the rest of the history.
//  3. Filters may ask about entries, which aren't known before all of a visit is. But what they ask of one has few
//     answers: for each combination of these (see visitFilters) it is noted whether an event has matched.
type visitWalk struct {
	r       *run
	q       *Sessions
	pass    *pass
	groups  *grouping
	wholes  []uint32 // by number of fields: the group plus one, or 0 where that isn't known; unless paged
	paged   bool     // groups are of pages, too
	buckets *calendar
	facts   *visitFacts
	filters visitFilters
	all     uint8 // combinations
	effort  int   // to match an event, as work

	kinds   perSegment[[]visitEventKind]
	waits   waiting[waitingEvent]
	helpers []*visitWalk

	made  map[uint64]int32    // by visitor of the block and half-hour: where his visit is among the nodes, or visitBefore
	sent  map[sentVisit]int32 // the same for visits whose ids aren't made
	lists blockLists[blockVisit]
	pages []visitPages
	keys  int // that a block had, at most, in entries

	outside bool // the segment at hand lies outside the range: only known visits matter
}

// blockVisit is what is known of a visit while its block is walked.
type blockVisit struct {
	visitSpan
	fields  uint32 // of the entry, in the grouping
	pages   int32  // where they are, plus one; 0 for none
	early   bool   // it began before the range
	answers uint8  // which combination of what the filters ask about the entry
	matched uint8  // combinations, a bit each, with which an event has matched
}

// sentVisit names a visit of a visitor of the block by an id that was sent. It is smaller than a visitKey.
type sentVisit struct {
	visitor uint32 // with farHalf where the id is the number of a half-hour that pairs have no room for
	id      string
}

const farHalf = 1 << 31

// visitBefore stands for the visits that are known to have begun before the range when first met.
const visitBefore = -1

// visitEventKind tells events apart by their names.
type visitEventKind uint8

const (
	visitOther visitEventKind = iota
	visitIdentify
	visitPageview
)

func kindOfName(name string) visitEventKind {
	switch name {
	case event.EventIdentify:
		return visitIdentify
	case event.EventPageview:
		return visitPageview
	}
	return visitOther
}

// What weighs in entries of a table: the pages of a visit, a live event that waits, and keys, of which those of ids that
// were sent weigh one each. Of visits themselves there are many more in some blocks than in others, so they are counted
// by the byte.
const (
	blockVisitBytes    = 72
	visitPagesWeight   = 2
	madeKeysPerEntry   = 2
	waitingEventWeight = 3
)

// blockRoomMost is up to how many visits of a block its memory is used again. A few blocks of visitors who come often
// have many more than the others.
const blockRoomMost = 8 * blockVisitors

func newVisitWalk(r *run, q *Sessions, groups *grouping, buckets *calendar) *visitWalk {
	w := &visitWalk{
		r: r, q: q, groups: groups, buckets: buckets, facts: newVisitFacts(),
		paged: groups.has(DimensionEntryPath) || groups.has(DimensionExitPath),
		made:  map[uint64]int32{}, sent: map[sentVisit]int32{},
	}
	w.filters.compile(q.Filters)
	return w
}

// fits tells whether the question can go this way.
func (w *visitWalk) fits() bool {
	switch w.q.Actor {
	case "", ActorVisitor, ActorSession:
		return w.filters.combine()
	}
	return false
}

// walk makes the pass.
func (w *visitWalk) walk() error {
	w.prepare()
	w.pass = &pass{
		from: event.TimeMin, to: event.TimeMax + 1, wants: conditionsOf(nil, nil), visit: w.live, take: w.take,
		size:  func() int { return w.size() + waitingEventWeight*len(w.waits.list) },
		ahead: w.reaches,
	}
	if err := w.r.eachBlock(w.pass, w); err != nil {
		return err
	}
	for _, helper := range w.helpers {
		w.join(helper)
	}
	return nil
}

// reaches tells whether the range reaches into a segment.
func (w *visitWalk) reaches(s *index.Segment) bool {
	first, last := s.TimeRange()
	return first < w.q.To && last >= w.q.From
}

// prepare readies the filters.
func (w *visitWalk) prepare() {
	w.all = uint8(1<<len(w.filters.combinations) - 1)
	if leaves, properties := leavesOf(w.q.Filters); leaves > 0 {
		w.effort = 1 + (leaves/leavesPerWork+properties)*len(w.filters.combinations)
	}
}

// size counts all but who waits.
func (w *visitWalk) size() int {
	return blockVisitBytes*cap(w.lists.nodes)/entryBytes + visitPagesWeight*cap(w.pages) + w.keys + w.facts.size() +
		w.groups.size() + len(w.wholes)/codesPerEntry
}

func (w *visitWalk) nextWaiting() uint64 { return w.waits.next() }

func (w *visitWalk) begin(b *block) {
	w.lists.clear()
	w.pages = w.pages[:0]
	if cap(w.lists.nodes) > blockRoomMost || len(w.made)+len(w.sent) > blockRoomMost {
		w.lists.nodes, w.pages, w.keys = nil, nil, 0
		w.made, w.sent = map[uint64]int32{}, map[sentVisit]int32{}
	}
	clear(w.made)
	clear(w.sent)
	w.outside = false
	w.waits.take(b, w.meetWaiting)
}

// kindsOf returns what events of a segment are, by the codes of their names.
func (w *visitWalk) kindsOf(v *view) []visitEventKind {
	kinds, found := w.kinds.turn(v.sealed)
	if !found {
		*kinds = make([]visitEventKind, v.sealed.column(colName).dict.Len())
		for code := range *kinds {
			(*kinds)[code] = kindOfName(v.textOf(colName, uint32(code)))
		}
	}
	return *kinds
}

// take takes rows of a view. Those of one visit mostly follow each other.
func (w *visitWalk) take(v *view, chosen []int32) {
	if len(chosen) == 0 {
		return
	}
	kinds, codes, times := w.kindsOf(v), v.codesOf(colName), v.timesOf()
	w.outside = !w.reaches(v.sealed.original)
	row := scanRow{view: v}
	visitor, session, number := uint32(noOrdinal), uint32(noOrdinal), int32(visitBefore)
	for _, at := range chosen {
		if w.effort > 0 {
			w.r.work += w.effort
			if err := w.r.look(w.pass); err != nil {
				v.fail(err)
				return
			}
		}
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		if own, name := row.visitor-v.block, v.session(int(at)); own != visitor || name != session {
			visitor, session = own, name
			number = w.number(visitOf(&row, own), row.time)
		}
		if number != visitBefore {
			w.meet(&w.lists.nodes[number].value, &row, kinds[codes[at]])
		}
	}
}

// number returns where the visit of an event is among the nodes, visitBefore where that doesn't matter.
func (w *visitWalk) number(key visitKey, at event.Time) int32 {
	half := uint64(key.half)
	switch {
	case !key.made:
		return numberIn(w, w.sent, sentVisit{key.visitor, key.id}, key.visitor, at)
	case half < 1<<32:
		return numberIn(w, w.made, pair(key.visitor, uint32(half)), key.visitor, at)
	}
	return numberIn(w, w.sent, sentVisit{key.visitor | farHalf, strconv.FormatUint(half, 10)}, key.visitor, at)
}

func numberIn[K comparable](w *visitWalk, numbers map[K]int32, key K, visitor uint32, at event.Time) int32 {
	number, known := numbers[key]
	switch {
	case known:
		return number
	case w.outside:
		return visitBefore
	case at < w.q.From:
		number = visitBefore
	default:
		number = int32(len(w.lists.nodes))
		w.lists.add(visitor, blockVisit{})
	}
	numbers[key] = number
	w.keys = max(w.keys, len(w.made)/madeKeysPerEntry+len(w.sent))
	return number
}

// meet takes in an event of a visit.
func (w *visitWalk) meet(v *blockVisit, e *scanRow, kind visitEventKind) {
	if v.early = v.early || e.time < w.q.From; v.early {
		return
	}
	v.count(e.time, kind == visitIdentify)
	if v.events == 1 || e.time <= v.entry.time {
		if at := e.place(); v.events == 1 || at.before(v.entry) {
			fields, answers := w.ofEntry(e)
			v.enter(at, fields, answers)
		}
	}
	if v.matched != w.all {
		v.matched |= w.filters.matching(e, v.matched)
	}
	if w.paged && kind == visitPageview {
		w.pagesOf(v).see(e.place(), e.path())
	}
}

// enter makes an event the entry.
func (v *blockVisit) enter(at place, fields uint32, answers uint8) {
	v.entry, v.fields, v.answers = at, fields, answers
}

// ofEntry returns what is asked of an entry. What comes after the range is none.
func (w *visitWalk) ofEntry(e *scanRow) (fields uint32, answers uint8) {
	if e.time >= w.q.To {
		return 0, 0
	}
	return w.groups.fields.number(e), uint8(w.filters.combinationOf(e))
}

func (w *visitWalk) pagesOf(v *blockVisit) *visitPages {
	if v.pages == 0 {
		w.pages = append(w.pages, visitPages{})
		v.pages = int32(len(w.pages))
	}
	return &w.pages[v.pages-1]
}

// end keeps the facts of the visits of a block.
func (w *visitWalk) end(b *block) error {
	for _, visitor := range w.lists.met {
		for at := w.lists.lastOf(visitor); at != 0; at = w.lists.nodes[at-1].before {
			v := &w.lists.nodes[at-1].value
			if !v.early && v.entry.time < w.q.To && v.matched>>v.answers&1 != 0 {
				w.keep(b.first+visitor, v)
			}
		}
	}
	return w.r.overBudget(w.pass.size())
}

func (w *visitWalk) keep(actor uint32, v *blockVisit) {
	bucket := uint32(0)
	if w.q.Interval != IntervalNone {
		bucket = w.buckets.number(v.entry.time)
	}
	if w.q.Actor == ActorSession {
		w.facts.another()
	}
	w.facts.add(w.groupOf(v), bucket, actor, &v.visitSpan)
	w.r.cost.Matched += int(v.events)
}

// groupOf returns the group of a visit.
func (w *visitWalk) groupOf(v *blockVisit) uint32 {
	if w.paged {
		var pages visitPages
		if v.pages > 0 {
			pages = w.pages[v.pages-1]
		}
		return w.groups.number(v.fields, pages.entryPath, pages.exitPath)
	}
	known := at(&w.wholes, v.fields)
	if *known == 0 {
		*known = w.groups.number(v.fields, "", "") + 1
	}
	return *known - 1
}

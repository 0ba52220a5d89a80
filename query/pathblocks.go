package query

import (
	"slices"

	"millimetric/index/event"
)

// pathBlocks makes the marks of visitors a block of them at a time: when it ends, all that they did is known, so the
// marks become rows, and are forgotten. A visitor's events come in order but where he is tangled (see block): of the
// others the marks are small, as there may be many of a block.
//
// Only visitors matter who have an anchor in the range. They are looked for first; which of their visits hold one is
// only asked of the marks.
type pathBlocks struct {
	r        *run
	q        *Paths
	rows     pathRows
	isAnchor predicate
	wanted   map[string]bool // names that are chosen
	anchored pathVisitors

	names perSegment[[]pathName]
	pages perSegment[[]uint32] // by code of a path: its node plus one, 0 where it isn't known yet
	memos int                  // entries of both

	block   *block
	ordered blockLists[orderedMark] // of visitors who aren't tangled
	tangled blockLists[tangledMark] // of the others
	waits   waiting[tangledMark]
	visits  pathVisits
	line    []mark // of the visitor at hand
}

// orderedMark is the mark of an event that came in order. There may be many marks of a block, so each number is
// in words, which need no gaps.
type orderedMark struct {
	node uint32   // twice, and one more for an anchor
	at   twoWords // the time where the scope is a window, elsewhere the name of the visit
}

// tangledMark is the mark of an event that may have come out of order.
type tangledMark struct {
	node             uint32
	time, seq, visit twoWords
}

type twoWords [2]uint32

func inWords(n uint64) twoWords   { return twoWords{uint32(n), uint32(n >> 32)} }
func (w twoWords) number() uint64 { return uint64(w[1])<<32 | uint64(w[0]) }

// anchorNode is a node, twice, and one more for an anchor.
func anchorNode(node uint32, anchor bool) uint32 { return node<<1 | uint32(bit(anchor)) }

// pathName is what events of a name are to the question.
type pathName struct {
	wanted bool
	page   bool   // the path is the node
	asks   bool   // some may be anchors
	node   uint32 // of those that aren't pages, plus one; 0 where it isn't known yet
}

const pathNameWords = 2

// pathVisitors is a set of visitors, as far as the greatest of them.
type pathVisitors []uint64

func (s *pathVisitors) add(visitor uint32) { *at((*[]uint64)(s), visitor/64) |= 1 << (visitor % 64) }

func (s pathVisitors) has(visitor uint32) bool {
	word := int(visitor / 64)
	return word < len(s) && s[word]>>(visitor%64)&1 != 0
}

// layBlocks lays the walks of visitors.
func (q *Paths) layBlocks(r *run, t *pathTree) error {
	p := &pathBlocks{r: r, q: q, rows: pathRows{q: q, tree: t}, isAnchor: q.Anchor.matcher(), wanted: map[string]bool{}}
	for _, name := range q.Events {
		p.wanted[name] = true
	}
	own := &pass{from: event.TimeMin, to: event.TimeMax + 1, wants: conditionsOf(nil, r.common.counted()), size: p.size, ordered: true}
	if q.Scope == ScopeWindow {
		own.from, own.to = q.reach()
		r.reads(own.from, own.to) // whether or not there is an anchor
	}
	if err := p.findAnchored(); err != nil || len(p.anchored) == 0 {
		return err
	}
	own.among, own.visit, own.take = p.anchored.has, p.live, p.take
	return r.eachBlock(own, p)
}

// findAnchored finds who may have an anchor in the range. Where the step is one of several, its names alone are asked
// for.
func (p *pathBlocks) findAnchored() error {
	filters := append(p.r.common.counted(), p.q.Anchor.namesFilter())
	if len(p.q.Anchor.AnyOf) == 0 {
		filters = append(filters, p.q.Anchor.Filters...)
	}
	return p.r.each(&pass{
		from: p.q.From, to: p.q.To, wants: conditionsOf(nil, filters), size: p.size,
		visit: func(e *scanRow) { p.anchored.add(e.visitor) },
		take: func(v *view, chosen []int32) {
			for _, at := range chosen {
				p.anchored.add(v.come(int(at)))
			}
		},
	})
}

// What the parts of the pass weigh in entries of a table.
const (
	pathWaitWeight  = 2
	orderedPerEntry = 2
	pathMemosEntry  = 16 // words to an entry
)

func (p *pathBlocks) size() int {
	n := p.rows.tree.size() + p.visits.size() + len(p.anchored)/8 + p.memos/pathMemosEntry
	return n + pathWaitWeight*len(p.waits.list) + len(p.ordered.nodes)/orderedPerEntry + len(p.tangled.nodes) + markWeight*cap(p.line)
}

// live takes a live event.
func (p *pathBlocks) live(e *scanRow) {
	if !p.anchored.has(e.visitor) {
		return
	}
	p.r.cost.Matched++
	anchor := p.isAnchor(e)
	if !anchor && !p.wanted[e.name()] {
		return
	}
	p.waits.add(e.visitor, p.tangledMark(e, p.rows.tree.nodes.number(nodeOf(e)), anchor))
}

func (p *pathBlocks) inRange(t event.Time) bool { return t >= p.q.From && t < p.q.To }

func (p *pathBlocks) nextWaiting() uint64 { return p.waits.next() }

func (p *pathBlocks) begin(b *block) {
	p.block = b
	p.ordered.clear()
	p.tangled.clear()
	p.waits.enter(b, &p.tangled)
}

// take takes rows of a view.
func (p *pathBlocks) take(v *view, chosen []int32) {
	if len(chosen) == 0 {
		return
	}
	p.r.cost.Matched += len(chosen)
	names, codes, times := p.namesOf(v), v.codesOf(colName), v.timesOf()
	row := scanRow{view: v}
	last, session, mark := uint32(noOrdinal), uint32(0), uint64(0) // of the row before, whose visit mostly goes on
	for _, at := range chosen {
		name := &names[codes[at]]
		if !name.wanted && !name.asks {
			continue
		}
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		anchor := name.asks && p.isAnchor(&row)
		if !anchor && !name.wanted {
			continue
		}
		visitor, node := row.visitor-v.block, p.nodeOf(name, &row)
		switch {
		case p.block.tangled.has(visitor):
			p.tangled.add(visitor, p.tangledMark(&row, node, anchor))
			continue
		case p.q.Scope == ScopeWindow:
			mark = uint64(row.time)
		default:
			if own := v.session(int(at)); visitor != last || own != session {
				last, session, mark = visitor, own, p.visits.of(&row)
			}
		}
		p.ordered.add(visitor, orderedMark{anchorNode(node, anchor && p.inRange(row.time)), inWords(mark)})
	}
}

func (p *pathBlocks) tangledMark(e *scanRow, node uint32, anchor bool) tangledMark {
	m := tangledMark{node: anchorNode(node, anchor && p.inRange(e.time)), time: inWords(uint64(e.time)), seq: inWords(uint64(e.seq()))}
	if p.q.Scope == ScopeVisit {
		m.visit = inWords(p.visits.of(e))
	}
	return m
}

// namesOf returns what the names of a segment are to the question, by their codes.
func (p *pathBlocks) namesOf(v *view) []pathName {
	names, found := p.names.turn(v.sealed)
	if found {
		return *names
	}
	*names = make([]pathName, v.sealed.column(colName).dict.Len())
	for code := range *names {
		text := v.textOf(colName, uint32(code))
		(*names)[code] = pathName{wanted: p.wanted[text], page: text == event.EventPageview, asks: p.q.Anchor.names(text)}
	}
	p.memos += pathNameWords * len(*names)
	return *names
}

// nodeOf returns the node of a row: in a segment each name, and each path, is looked up once.
func (p *pathBlocks) nodeOf(name *pathName, e *scanRow) uint32 {
	known := &name.node
	if name.page {
		pages, found := p.pages.turn(e.view.sealed)
		if !found {
			*pages = make([]uint32, e.view.sealed.column(colPath).dict.Len())
			p.memos += len(*pages)
		}
		known = &(*pages)[e.code(colPath)]
	}
	if *known == 0 {
		*known = p.rows.tree.nodes.number(nodeOf(e)) + 1
	}
	return *known - 1
}

// end makes rows of the marks of a block. Visitors rise, as the ids of their visits do in segments: they are opened a
// piece at a time.
func (p *pathBlocks) end(*block) error {
	slices.Sort(p.ordered.met)
	slices.Sort(p.tangled.met)
	for _, visitor := range p.ordered.met {
		p.line = p.line[:0]
		for i, m := range p.ordered.added(visitor) {
			p.line = append(p.line, m.mark(i, p.q.Scope))
		}
		if err := p.layLine(); err != nil {
			return err
		}
	}
	for _, visitor := range p.tangled.met {
		p.line = p.line[:0]
		for _, m := range p.tangled.added(visitor) {
			p.line = append(p.line, mark{
				time: event.Time(m.time.number()), seq: event.Seq(m.seq.number()), visit: m.visit.number(), node: m.node >> 1, anchor: m.node&1 != 0,
			})
		}
		if err := p.layLine(); err != nil {
			return err
		}
	}
	return p.r.overBudget(p.size())
}

// mark returns the mark that came as the one of a number. Within visits, that is all that is asked about its time.
func (m orderedMark) mark(number int, scope string) mark {
	found := mark{seq: event.Seq(number), node: m.node >> 1, anchor: m.node&1 != 0}
	if scope == ScopeWindow {
		found.time = event.Time(m.at.number())
	} else {
		found.visit = m.at.number()
	}
	return found
}

// layLine lays the walks of the visitor at hand.
func (p *pathBlocks) layLine() error {
	if p.q.Scope == ScopeVisit {
		if err := p.visits.join(p.line); err != nil {
			return err
		}
	}
	if !slices.IsSortedFunc(p.line, compareMarksOfPath) { // most are
		slices.SortFunc(p.line, compareMarksOfPath)
	}
	p.rows.take(p.line)
	return nil
}

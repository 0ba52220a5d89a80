package query

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"millimetric/index/event"
)

const (
	pathStepsPreset = 5
	pathStepsMax    = 20 // each anchor may make so many nodes of the tree
	pathLimitPreset = 10 // five steps of so many branches are still a picture that can be drawn
	pathLimitMax    = 200
	pathEventsMax   = 100 // names that each event is looked up in
	pathWindow      = 7 * 24 * time.Hour
)

// The scopes of Paths.
const (
	ScopeVisit  = "visit"
	ScopeWindow = "window"
)

// Paths asks what actors did next after an anchor, or before it.
type Paths struct {
	Common
	Anchor    Step
	Backwards bool // the anchor was given as end
	Steps     int
	Events    []string
	Scope     string
	Window    time.Duration // of ScopeWindow
	FirstOnly bool
	Limit     int  // branches of one node
	Compare   bool // each node has what was in the previous period

	anchorText string // as it was sent
}

func parsePaths(r *reader) Question {
	q := &Paths{Common: r.common(), Window: pathWindow}
	q.Explain = true
	_, start := r.take("start")
	_, end := r.take("end")
	switch {
	case start && end:
		r.errs.Add("end", "Must not stand beside start")
	case end:
		q.Backwards = true
		q.Anchor, q.anchorText = r.stepOrName("end", &q.Common)
	case start:
		q.Anchor, q.anchorText = r.stepOrName("start", &q.Common)
	default:
		r.errs.Add("start", "Required, unless there is an end")
	}
	q.Steps = r.limit("steps", pathStepsPreset, pathStepsMax)
	q.Events = r.names("events", event.EventPageview, pathEventsMax)
	q.Scope = r.choice("scope", ScopeVisit, ScopeWindow)
	if _, sent := r.take("window"); sent {
		if window, ok := r.duration("window"); ok && window == 0 {
			r.errs.Add("window", "Must be longer than 0")
		} else if q.Window = window; q.Scope == ScopeVisit {
			r.errs.Add("window", "Needs scope window")
		}
	}
	q.FirstOnly = r.flag("first_only")
	q.Compare = r.compare()
	q.Limit = r.limit("limit", pathLimitPreset, pathLimitMax)
	return q
}

// names reads a list of up to most names, of which none comes twice.
func (r *reader) names(name, preset string, most int) []string {
	if _, sent := r.take(name); !sent {
		return []string{preset}
	}
	list := r.list(name)
	if len(list) == 0 && len(r.errs[name]) == 0 {
		r.errs.Add(name, "Must not be empty")
	}
	if len(list) > most {
		r.errs.Add(name, "Must have at most "+strconv.Itoa(most)+" elements")
		return nil
	}
	for i, word := range list {
		if word == "" || slices.Contains(list[:i], word) {
			r.errs.Add(name, "Must name each event once")
			break
		}
	}
	return list
}

func (q *Paths) own() []Member {
	side := "start"
	if q.Backwards {
		side = "end"
	}
	window := Value{}
	if q.Scope == ScopeWindow {
		window = Text(durationText(q.Window))
	}
	members := append([]Member{
		{side, Value{text: q.anchorText, kind: valueJSON}}, {"steps", Int(int64(q.Steps))}, {"events", Texts(q.Events)},
		{"scope", Text(q.Scope)}, {"window", window}, {"first_only", Bool(q.FirstOnly)},
	}, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

// Paths are found in four passes, none of which looks back:
//
//  1. The marks: of each event that the question is about, its actor, visit, node and moment, in some
//     forty bytes. Within visits, only those visits are looked at that hold an anchor in the range;
//     they are looked at whole, before and after the range, too.
//  2. Sorted by actor, and by visit where visits are asked for, then by time. A stretch of one actor
//     (and visit) is a row; repeats in it become one stop.
//  3. Each stop that holds an anchor in the range walks along its row, and goes down the tree with
//     each stop that it comes to. As the walks of one actor follow each other, a node need only
//     remember the last actor that came by to count actors.
//  4. Branches beyond the limit are marked, and each walk climbs its branch once more to count where
//     it met one: only that tells how many different actors the rest has.
func (q *Paths) answer(r *run) (*Answer, error) {
	t, nodes := newPathTree(q.Steps, q.Compare), newNumbering[node]()
	if err := q.grow(r, t, nodes); err != nil {
		return nil, err
	}
	if q.Compare {
		past := *q
		past.From, past.To = q.Previous()
		t.period = 1
		if err := r.during(&past.Common, 0, func() error { return past.grow(r, t, nodes) }); err != nil {
			return nil, err
		}
	}
	t.cut(q.Limit, nodes)
	root, err := t.show(nodes, q.Anchor.Name)
	if err != nil {
		return nil, err
	}
	return &Answer{Head: []Member{{"root", root}}}, nil
}

// grow takes the walks of the question's range into a tree.
func (q *Paths) grow(r *run, t *pathTree, nodes *numbering[node]) error {
	marks, err := q.marks(r, nodes)
	if err != nil {
		return err
	}
	q.sort(marks.list)
	var stops []stop
	list := marks.list
	for len(list) > 0 {
		actor := list[0].actor
		n := 1
		for n < len(list) && list[n].actor == actor {
			n++
		}
		if stops, err = q.walkActor(r, t, marks, list[:n], stops); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// mark is one event as a path sees it.
type mark struct {
	actor  uint32
	visit  uint32 // 0 where the scope is a window
	node   uint32
	anchor bool // and in the range
	time   event.Time
	seq    event.Seq
}

// node is where an event was: on a page, or doing something else.
type node struct {
	page bool
	name string // the path of a page, "" where it is missing; the name of another event
}

func nodeOf(e *scanRow) node {
	if e.name() == event.EventPageview {
		return node{page: true, name: e.path()}
	}
	return node{name: e.name()}
}

func (n node) compare(o node) int {
	if (n.name == "") != (o.name == "") {
		return cmp.Compare(bit(n.name == ""), bit(o.name == "")) // missing ones last
	}
	return cmp.Or(cmp.Compare(n.name, o.name), cmp.Compare(bit(n.page), bit(o.page)))
}

type marks struct {
	list  []mark
	nodes *numbering[node]
}

// markWeight is what a mark weighs in entries of a table.
const markWeight = 2

// marks makes the marks of all rows that may hold an anchor.
func (q *Paths) marks(r *run, nodes *numbering[node]) (*marks, error) {
	m := &marks{nodes: nodes}
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	sessions := newSessionNumbers()
	isAnchor := q.Anchor.matcher()
	names := map[string]bool{}
	for _, name := range q.Events {
		names[name] = true
	}
	from, to := event.TimeMin, event.TimeMax+1 // visits are looked at whole
	if q.Scope == ScopeWindow {
		from, to = q.reach()
	} else {
		if err := r.scan(nil, func() int { return len(sessions.list) }, func(e *scanRow) {
			if isAnchor(e) {
				sessions.number(e)
			}
		}); err != nil {
			return nil, err
		}
		if len(sessions.list) == 0 {
			return m, nil
		}
	}
	size := func() int { return markWeight*len(m.list) + who.size() + len(m.nodes.list) }
	err = r.scanRange(from, to, nil, size, func(e *scanRow) {
		found := mark{time: e.time}
		if q.Scope == ScopeVisit {
			var ok bool
			if found.visit, ok = sessions.find(e); !ok {
				return
			}
		}
		anchor := isAnchor(e)
		if !anchor && !names[e.name()] {
			return
		}
		var ok bool
		if found.actor, ok = who.number(e); !ok {
			return
		}
		found.seq = e.seq()
		found.anchor = anchor && e.time >= q.From && e.time < q.To
		found.node = m.nodes.number(nodeOf(e))
		m.list = append(m.list, found)
	})
	return m, err
}

// reach is the range that walks from anchors in the question's range can come to.
func (q *Paths) reach() (from, to event.Time) {
	window := event.Time(q.Window.Milliseconds())
	if q.Backwards {
		return max(q.From-window, event.TimeMin), q.To
	}
	return q.From, min(q.To+window, event.TimeMax+1)
}

// sort brings marks into the order of rows: actor by actor, visit by visit, and in the order of
// events.
func (q *Paths) sort(list []mark) {
	slices.SortFunc(list, func(a, b mark) int {
		switch {
		case a.actor != b.actor:
			return cmp.Compare(a.actor, b.actor)
		case a.visit != b.visit:
			return cmp.Compare(a.visit, b.visit)
		case a.time != b.time:
			return cmp.Compare(a.time, b.time)
		}
		return cmp.Compare(a.seq, b.seq)
	})
}

// stop is a run of marks at one node.
type stop struct {
	node        uint32
	first, last event.Time
	anchor      *mark // the first anchor in it, nil where there is none
}

// walkActor takes the walks of all anchors of an actor. It uses the memory of stops again.
func (q *Paths) walkActor(r *run, t *pathTree, m *marks, list []mark, stops []stop) ([]stop, error) {
	var only *mark
	if q.FirstOnly {
		for i := range list {
			if a := &list[i]; a.anchor && (only == nil || a.time < only.time || a.time == only.time && a.seq < only.seq) {
				only = a
			}
		}
	}
	for len(list) > 0 {
		visit := list[0].visit
		stops = stops[:0]
		n := 0
		for ; n < len(list) && list[n].visit == visit; n++ {
			stops = addStop(stops, &list[n])
		}
		list = list[n:]
		for i := range stops {
			if stops[i].anchor == nil || only != nil && stops[i].anchor != only {
				continue
			}
			q.walk(t, stops, i)
			if t.walked%lookEvery == 0 {
				if err := r.overBudget(markWeight*len(m.list) + t.size()); err != nil {
					return stops, err
				}
			}
		}
	}
	return stops, nil
}

// addStop adds a mark to the last stop, or as a new one where it is at another node.
func addStop(stops []stop, m *mark) []stop {
	if len(stops) == 0 || stops[len(stops)-1].node != m.node {
		stops = append(stops, stop{node: m.node, first: m.time})
	}
	last := &stops[len(stops)-1]
	last.last = m.time
	if m.anchor && last.anchor == nil {
		last.anchor = m
	}
	return stops
}

// walk goes from the anchor at a place of a row along it, as far as steps and window reach.
func (q *Paths) walk(t *pathTree, stops []stop, place int) {
	anchor := stops[place].anchor
	window := event.Time(q.Window.Milliseconds())
	t.begin(anchor.actor, anchor.node)
	step := 1
	if q.Backwards {
		step = -1
	}
	for taken := 1; taken <= q.Steps; taken++ {
		place += step
		if place < 0 || place >= len(stops) {
			t.step(nodeEnd)
			break
		}
		// A stop is in the window if some event of it is: the nearest one to the anchor.
		next := &stops[place]
		if q.Scope == ScopeWindow && (next.first > anchor.time+window || next.last < anchor.time-window) {
			t.step(nodeEnd)
			break
		}
		t.step(next.node)
	}
	t.end()
}

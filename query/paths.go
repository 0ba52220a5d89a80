package query

import (
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
//  1. The marks: of each event that the question is about, its actor, visit, node and moment. Visitors have
//     theirs block by block (see pathBlocks), all others at once (see marks).
//  2. Sorted by visit where visits are asked for, then by time, those of an actor make rows: all, or one for
//     each visit. Repeats in a row become one stop, and the marks are forgotten.
//  3. Of a row the stops are kept that walks come to: each begins at a stop that holds an anchor in the range,
//     and goes along its row (see pathLines).
//  4. The walks go down the tree together, one step at a time (see pathTree.deepen). What is beyond the limit
//     is counted where a walk meets it, and goes no further.
func (q *Paths) answer(r *run) (*Answer, error) {
	t := newPathTree(q)
	if err := q.lay(r, t); err != nil {
		return nil, err
	}
	if q.Compare {
		past := *q
		past.From, past.To = q.Previous()
		t.period = 1
		if err := r.during(&past.Common, 0, func() error { return past.lay(r, t) }); err != nil {
			return nil, err
		}
	}
	if err := t.grow(r); err != nil {
		return nil, err
	}
	root, err := t.show(q.Anchor.Name)
	if err != nil {
		return nil, err
	}
	return &Answer{Head: []Member{{"root", root}}}, nil
}

// lay lays the walks of the question's range at the root of a tree.
func (q *Paths) lay(r *run, t *pathTree) error {
	if r.common.Actor == ActorVisitor {
		return q.layBlocks(r, t)
	}
	return q.layMarks(r, t)
}

// reach is the range that walks from anchors in the question's range can come to.
func (q *Paths) reach() (from, to event.Time) {
	window := event.Time(q.Window.Milliseconds())
	if q.Backwards {
		return max(q.From-window, event.TimeMin), q.To
	}
	return q.From, min(q.To+window, event.TimeMax+1)
}

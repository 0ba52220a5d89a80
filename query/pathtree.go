package query

import (
	"cmp"
	"slices"
	"strconv"

	"millimetric/index/event"
)

// nodeEnd is the node of walks that ended before their last step.
const nodeEnd = ^uint32(0)

// pathNodesMax bounds the nodes of an answer: some ten megabytes of JSON.
const pathNodesMax = 200_000

// pathTree counts walks by the nodes that they came to, in their order. Place 0 is the root.
type pathTree struct {
	steps  int
	places []place32
	below  map[uint64]uint32 // the place under a place at a node
	walks  []walkEnd
	walked int

	compare bool // there are two periods
	period  int  // which of them is walked

	at    uint32 // where the walk that is being taken is
	actor uint32

	// The root's node is that of all anchors, where they have only one.
	anchor  uint32
	several bool
}

// place32 is one place in the tree.
type place32 struct {
	parent   uint32
	node     uint32
	depth    uint8
	cut      bool        // beyond the limit of its parent
	came     [2]arrivals // by period
	rest     [2]arrivals // what came to children that were cut
	branches []uint32    // children that are shown, in their order; the end last
}

// arrivals counts walks that came to a place.
type arrivals struct {
	count  int64
	actors int64
	last   uint32 // the actor that was counted last, plus one
}

func (a *arrivals) come(actor uint32) {
	a.count++
	if a.last != actor+1 {
		a.last = actor + 1
		a.actors++
	}
}

// walkEnd is where a walk came to at last.
type walkEnd struct {
	actor, place uint32
	period       uint8
}

func newPathTree(steps int, compare bool) *pathTree {
	return &pathTree{steps: steps, places: make([]place32, 1), below: map[uint64]uint32{}, compare: compare}
}

// placeWeight is what a place weighs in entries of a table.
const placeWeight = 8

// size is what the tree weighs in entries of a table.
func (t *pathTree) size() int { return placeWeight*len(t.places) + len(t.walks) }

func (t *pathTree) begin(actor, node uint32) {
	if t.walked == 0 {
		t.anchor = node
	} else if t.anchor != node {
		t.several = true
	}
	t.walked++
	t.actor, t.at = actor, 0
	t.places[0].came[t.period].come(actor)
}

func (t *pathTree) step(node uint32) {
	key := pair(t.at, node)
	next, ok := t.below[key]
	if !ok {
		next = uint32(len(t.places))
		t.below[key] = next
		t.places = append(t.places, place32{parent: t.at, node: node, depth: t.places[t.at].depth + 1})
	}
	t.at = next
	t.places[next].came[t.period].come(t.actor)
}

func (t *pathTree) end() {
	t.walks = append(t.walks, walkEnd{actor: t.actor, place: t.at, period: uint8(t.period)})
}

// cut marks the branches beyond limit, and counts what came to them together.
func (t *pathTree) cut(limit int, nodes *numbering[node]) {
	for i := range t.places {
		if i > 0 {
			parent := &t.places[t.places[i].parent]
			parent.branches = append(parent.branches, uint32(i))
		}
	}
	for i := range t.places {
		p := &t.places[i]
		slices.SortFunc(p.branches, func(a, b uint32) int { return t.order(nodes, a, b) })
		shown := p.branches[:0]
		met := 0
		for _, b := range p.branches {
			if t.places[b].node != nodeEnd {
				if met++; met > limit {
					t.places[b].cut = true
					continue
				}
			}
			shown = append(shown, b)
		}
		p.branches = shown
	}
	for _, w := range t.walks {
		for at := w.place; at != 0; at = t.places[at].parent {
			if !t.places[at].cut {
				continue
			}
			t.places[t.places[at].parent].rest[w.period].come(w.actor)
		}
	}
}

// order orders branches by their counts, the greatest first, then by their nodes; the end comes
// last.
func (t *pathTree) order(nodes *numbering[node], a, b uint32) int {
	x, y := &t.places[a], &t.places[b]
	if x.node == nodeEnd || y.node == nodeEnd {
		return cmp.Compare(bit(x.node == nodeEnd), bit(y.node == nodeEnd))
	}
	return cmp.Or(cmp.Compare(y.came[0].count, x.came[0].count), nodes.list[x.node].compare(nodes.list[y.node]))
}

// The kinds of nodes in an answer.
const (
	kindPage  = "page"
	kindEvent = "event"
	kindEnd   = "end"
	kindRest  = "rest"
)

// show makes the JSON of the tree. Anchors at several nodes, or none at all, have a root that is
// called by the name of the step.
func (t *pathTree) show(nodes *numbering[node], name string) (Value, error) {
	root := node{name: name}
	if t.walked > 0 && !t.several {
		root = nodes.list[t.anchor]
	}
	w := &pathWriter{tree: t, names: nodes}
	w.place(0, root)
	if w.nodes > pathNodesMax {
		return Value{}, &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Makes too many nodes: ask for fewer steps, a lower limit, or narrow from and to"}}
	}
	return Value{text: string(w.out), kind: valueJSON}, nil
}

type pathWriter struct {
	tree  *pathTree
	names *numbering[node]
	out   []byte
	nodes int
}

// place writes a place and what is below it, up to the bound of nodes.
func (w *pathWriter) place(at uint32, n node) {
	p := &w.tree.places[at]
	kind := kindEvent
	if n.page {
		kind = kindPage
	}
	w.open(kind)
	w.out = TextOrNull(n.name).AppendJSON(append(w.out, `,"node":`...))
	w.counts(&p.came)
	if int(p.depth) < w.tree.steps {
		w.out = append(w.out, `,"children":[`...)
		w.children(p)
		w.out = append(w.out, ']')
	}
	w.out = append(w.out, '}')
}

// children writes the branches that are shown, then the rest, then the end.
func (w *pathWriter) children(p *place32) {
	first := len(w.out)
	comma := func() {
		if len(w.out) > first {
			w.out = append(w.out, ',')
		}
	}
	branches := p.branches
	var end *place32
	if n := len(branches); n > 0 && w.tree.places[branches[n-1]].node == nodeEnd {
		end, branches = &w.tree.places[branches[n-1]], branches[:n-1]
	}
	for _, b := range branches {
		if w.nodes > pathNodesMax {
			return
		}
		comma()
		w.place(b, w.names.list[w.tree.places[b].node])
	}
	if p.rest[0].count+p.rest[1].count > 0 {
		comma()
		w.leaf(kindRest, &p.rest)
	}
	if end != nil {
		comma()
		w.leaf(kindEnd, &end.came)
	}
}

func (w *pathWriter) leaf(kind string, came *[2]arrivals) {
	w.open(kind)
	w.counts(came)
	w.out = append(w.out, '}')
}

func (w *pathWriter) open(kind string) {
	w.nodes++
	w.out = append(append(append(w.out, `{"kind":"`...), kind...), '"')
}

func (w *pathWriter) counts(came *[2]arrivals) {
	w.out = append(w.out, ',')
	w.out = came[0].append(w.out)
	if w.tree.compare {
		w.out = append(w.out, `,"previous":{`...)
		w.out = append(came[1].append(w.out), '}')
	}
}

func (a *arrivals) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `"count":`...), a.count, 10)
	return strconv.AppendInt(append(dst, `,"actors":`...), a.actors, 10)
}

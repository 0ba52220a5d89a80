package query

import (
	"strconv"

	"millimetric/index/event"
)

// The kinds of nodes in an answer.
const (
	kindPage  = "page"
	kindEvent = "event"
	kindEnd   = "end"
	kindRest  = "rest"
)

// show makes the JSON of the tree. Anchors at several nodes, or none at all, have a root that is
// called by the name of the step.
func (t *pathTree) show(name string) (Value, error) {
	root := node{name: name}
	if t.walked && !t.several {
		root = t.nodes.list[t.anchor]
	}
	w := &pathWriter{tree: t}
	w.place(0, root)
	if w.nodes > pathNodesMax {
		return Value{}, tooManyNodes()
	}
	return Value{text: string(w.out), kind: valueJSON}, nil
}

func tooManyNodes() error {
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Makes too many nodes: ask for fewer steps, a lower limit, or narrow from and to"}}
}

type pathWriter struct {
	tree  *pathTree
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
	if int(p.depth) < w.tree.q.Steps {
		w.out = append(w.out, `,"children":[`...)
		w.children(p)
		w.out = append(w.out, ']')
	}
	w.out = append(w.out, '}')
}

// children writes the branches that are shown, then the rest, then the end.
func (w *pathWriter) children(p *pathPlace) {
	first := len(w.out)
	comma := func() {
		if len(w.out) > first {
			w.out = append(w.out, ',')
		}
	}
	for b := p.first; b < p.first+p.branches; b++ {
		if w.nodes > pathNodesMax {
			return
		}
		comma()
		w.place(b, w.tree.nodes.list[w.tree.places[b].node])
	}
	for _, leaf := range []struct {
		kind string
		came *[2]arrivals
	}{{kindRest, &p.rest}, {kindEnd, &p.end}} {
		if leaf.came[0].count+leaf.came[1].count > 0 {
			comma()
			w.leaf(leaf.kind, leaf.came)
		}
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
	if w.tree.q.Compare {
		w.out = append(w.out, `,"previous":{`...)
		w.out = append(came[1].append(w.out), '}')
	}
}

func (a *arrivals) append(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `"count":`...), uint64(a.count), 10)
	return strconv.AppendUint(append(dst, `,"actors":`...), uint64(a.actors), 10)
}

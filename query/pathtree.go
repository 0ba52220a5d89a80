package query

import (
	"cmp"
	"slices"
)

// pathNodesMax bounds the nodes of an answer: some ten megabytes of JSON.
const pathNodesMax = 200_000

// pathTree counts walks by the nodes that they came to, in their order. Only places that are shown are kept: those
// that are cut belong to the rest of the one above. Place 0 is the root.
type pathTree struct {
	q      *Paths
	nodes  *numbering[node]
	lines  [2]pathLines // by period
	period int          // which of them is laid
	places []pathPlace

	actor  uint32 // whose walks are laid, from 1 on
	walked bool
	// The root's node is that of all anchors, where they have only one.
	anchor  uint32
	several bool

	below pathBelow // of the depth that is grown
}

// pathPlace is one place in the tree.
type pathPlace struct {
	node     uint32
	depth    uint32
	came     [2]arrivals // by period
	rest     [2]arrivals // what came to children that were cut
	end      [2]arrivals // what went no further
	first    uint32      // of its branches, which follow each other in their order
	branches uint32
}

// arrivals counts walks that came to a place.
type arrivals struct {
	count  uint32
	actors uint32
	last   uint32 // the actor that was counted last
}

func (a *arrivals) come(actor uint32) {
	a.count++
	if a.last != actor {
		a.last = actor
		a.actors++
	}
}

func newPathTree(q *Paths) *pathTree {
	return &pathTree{q: q, nodes: newNumbering[node](), places: make([]pathPlace, 1)}
}

// placeWeight is what a place weighs in entries of a table.
const placeWeight = 2

// size is what the tree weighs in entries of a table.
func (t *pathTree) size() int {
	return (t.lines[0].bytes()+t.lines[1].bytes())/entryBytes + len(t.nodes.list) + placeWeight*len(t.places) + t.below.size()
}

func (t *pathTree) beginActor() { t.actor++ }

// begin counts a walk of the actor at hand that begins at a node.
func (t *pathTree) begin(node uint32) {
	if !t.walked {
		t.walked, t.anchor = true, node
	}
	t.several = t.several || t.anchor != node
	t.places[0].came[t.period].come(t.actor)
}

// grow grows the tree, one depth after the other.
func (t *pathTree) grow(r *run) error {
	from := 0
	for depth := 1; depth <= t.q.Steps && from < len(t.places); depth++ {
		to := len(t.places)
		if err := t.deepen(r, from); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// deepen lets all walks take a step that are at the places from one on, the deepest there are:
//
//  1. Each walk is counted at the place below that it comes to, as if all were shown.
//  2. Of those below a place the first are shown, as many as the limit says. That is known once all walks were
//     counted, and only then.
//  3. So each walk takes its step once more. Where it comes to a place that isn't shown, it is counted in the rest of
//     the one above, and ends: all that is told of the rest is how many came, and how many actors they are.
func (t *pathTree) deepen(r *run, from int) error {
	t.below.begin(from, len(t.places)-from, len(t.nodes.list))
	for period := range t.lines {
		if err := t.count(r, period, from > 0); err != nil {
			return err
		}
	}
	if t.cut(); len(t.places) > pathNodesMax {
		return tooManyNodes()
	}
	for period := range t.lines {
		if err := t.follow(r, period, from > 0); err != nil {
			return err
		}
	}
	return nil
}

// stepOf takes the next step of a walk; ok is false where it ends.
func (l *pathLines) stepOf(w *pathWalk) (node uint32, ok bool) {
	if w.steps == 0 {
		return 0, false
	}
	if w.steps != stepsUnbound {
		w.steps--
	}
	w.at, node, ok = l.step(w.at)
	return node, ok
}

// count counts where the walks of a period come to.
func (t *pathTree) count(r *run, period int, placed bool) error {
	line := &t.lines[period]
	walks := walkReader{line: &line.walks, placed: placed}
	for n := 1; walks.read(); n++ {
		w := walks.walk
		if node, ok := line.stepOf(&w); ok {
			t.below.at(w.place, node).came[period].come(w.actor)
		} else {
			t.places[w.place].end[period].come(w.actor)
		}
		if n%lookEvery == 0 {
			if err := r.overBudget(t.size()); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut adds the places that are shown, in their order.
func (t *pathTree) cut() {
	order := make([]uint32, len(t.below.list))
	for i := range order {
		order[i] = uint32(i)
	}
	list := t.below.list
	slices.SortFunc(order, func(a, b uint32) int {
		x, y := &list[a], &list[b]
		if x.parent != y.parent {
			return cmp.Compare(x.parent, y.parent)
		}
		return cmp.Or(cmp.Compare(y.came[0].count, x.came[0].count), t.nodes.list[x.node].compare(t.nodes.list[y.node]))
	})
	for _, i := range order {
		branch := &list[i]
		parent := &t.places[branch.parent]
		if int(parent.branches) == t.q.Limit || len(t.places) > pathNodesMax {
			continue
		}
		if parent.branches == 0 {
			parent.first = uint32(len(t.places))
		}
		parent.branches++
		branch.place = uint32(len(t.places))
		t.places = append(t.places, pathPlace{node: branch.node, depth: parent.depth + 1, came: branch.came})
	}
}

// follow lets the walks of a period go on that came to places that are shown.
func (t *pathTree) follow(r *run, period int, placed bool) error {
	line := &t.lines[period]
	old := line.walks
	line.walks = walkLine{}
	walks := walkReader{line: &old, placed: placed, eats: true}
	for n := 1; walks.read(); n++ {
		w := walks.walk
		node, ok := line.stepOf(&w)
		if !ok {
			continue
		}
		shown := t.below.at(w.place, node).place
		switch {
		case shown == 0:
			t.places[w.place].rest[period].come(w.actor)
		case int(t.places[shown].depth) < t.q.Steps:
			w.place = shown
			line.walks.add(w, true)
		}
		if n%lookEvery == 0 {
			if err := r.overBudget(t.size() + old.bytes/entryBytes); err != nil {
				return err
			}
		}
	}
	return nil
}

// pathBelow is what is below the places of one depth.
type pathBelow struct {
	list  []pathBranch
	first int      // of the places
	width int      // how many nodes there are
	dense []uint32 // by place and node: the number in the list plus one; nil where they are too many
	of    map[uint64]uint32
}

// pathBranch is one node below a place.
type pathBranch struct {
	parent, node uint32
	place        uint32 // where it is shown, 0 where it is cut
	came         [2]arrivals
}

// pathsDenseMost is how many pairs of a place and a node may have a word each: two megabytes of them, the second-level
// cache.
const pathsDenseMost = 1 << 19

// begin begins with so many places from first on.
func (b *pathBelow) begin(first, places, width int) {
	*b = pathBelow{first: first, width: width, list: b.list[:0]}
	if places*width <= pathsDenseMost {
		b.dense = make([]uint32, places*width)
	} else {
		b.of = map[uint64]uint32{}
	}
}

// at returns the branch at a node below a place.
func (b *pathBelow) at(place, node uint32) *pathBranch {
	if b.dense != nil {
		slot := &b.dense[(int(place)-b.first)*b.width+int(node)]
		if *slot == 0 {
			*slot = b.add(place, node) + 1
		}
		return &b.list[*slot-1]
	}
	key := pair(place, node)
	number, ok := b.of[key]
	if !ok {
		number = b.add(place, node)
		b.of[key] = number
	}
	return &b.list[number]
}

func (b *pathBelow) add(place, node uint32) uint32 {
	b.list = append(b.list, pathBranch{parent: place, node: node})
	return uint32(len(b.list) - 1)
}

// branchWeight is what a branch weighs in entries of a table, with its number in the order of all.
const branchWeight = 2

func (b *pathBelow) size() int { return branchWeight*len(b.list) + 4*len(b.dense)/entryBytes }

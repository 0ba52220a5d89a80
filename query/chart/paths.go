package chart

import (
	"fmt"
	"strings"

	"millimetric/query"
)

// Bounds and sizes of a picture of paths.
const (
	branchesMax = 6     // of one node; the others are drawn as one
	shareMin    = 0.012 // of the root; smaller branches are drawn as one, too
	rootHeight  = 300.0
	columnWidth = 196.0
	nodeWidth   = 9.0
	slotHeight  = 34.0 // of a node and its two lines of text
)

// pathNode is one node of an answer about paths.
type pathNode struct {
	Kind     string
	Node     *string
	Count    number
	Actors   number
	Children []pathNode
	Previous *struct{ Count number }

	merged int // how many branches this one stands for; 0 for one of the answer
	slot   float64
}

func (n *pathNode) name(backwards bool) string {
	switch {
	case n.merged > 0:
		return fmt.Sprintf("%d smaller ones", n.merged)
	case n.Kind == "end" && backwards:
		return "(beginning)"
	case n.Kind == "end":
		return "(end)"
	case n.Kind == "rest":
		return "(others)"
	case n.Node == nil:
		return missing
	}
	return clean(*n.Node)
}

// class says what a node is by its colour.
func (n *pathNode) class() string {
	switch n.Kind {
	case "page":
		return colour(0)
	case "event":
		return colour(2)
	}
	return "mm-then"
}

func drawPaths(q *query.Paths, a *query.Answer) (*canvas, error) {
	var root pathNode
	if err := read(member(a.Head, "root"), &root); err != nil {
		return nil, err
	}
	title, scope := "What came after "+root.name(q.Backwards), "within a visit"
	if q.Backwards {
		title = "What came before " + root.name(q.Backwards)
	}
	if q.Scope == query.ScopeWindow {
		scope = "within " + span(q.Window.Seconds())
	}
	c := newCanvas(title, about(&q.Common, who(&q.Common), scope, compared(&q.Common, q.Compare)))
	if root.Count.float() == 0 {
		c.nothing()
		return c, nil
	}
	root.prune(root.Count.float())
	scale := rootHeight / root.Count.float()
	height := root.measure(scale)
	depth := root.depth()
	c.width = max(c.width, 2*margin+float64(depth)*columnWidth)
	t := flow{canvas: c, scale: scale, backwards: q.Backwards, compare: q.Compare}
	t.node(&root, 0, headRoom+8)
	c.grow(headRoom + 8 + height)
	return c, nil
}

// prune makes the smallest branches one, so that those which matter can be read.
func (n *pathNode) prune(whole float64) {
	var kept []pathNode
	rest := pathNode{Kind: "rest"}
	count := 0.0
	for i, child := range n.Children {
		if child.Kind != "end" && (i >= branchesMax || child.Count.float() < shareMin*whole) {
			rest.merged++
			count += child.Count.float()
			continue
		}
		kept = append(kept, child)
	}
	if rest.merged == 1 {
		kept = n.Children // one is as well drawn as named
	} else if rest.merged > 0 {
		rest.Count = number(fmt.Sprint(int64(count)))
		at := len(kept)
		if at > 0 && kept[at-1].Kind == "end" {
			at--
		}
		kept = append(kept[:at:at], append([]pathNode{rest}, kept[at:]...)...)
	}
	n.Children = kept
	for i := range n.Children {
		n.Children[i].prune(whole)
	}
}

// measure finds how much height a node needs with all that is below it.
func (n *pathNode) measure(scale float64) float64 {
	below := 0.0
	for i := range n.Children {
		below += n.Children[i].measure(scale)
	}
	n.slot = max(below, slotHeight, n.Count.float()*scale+6)
	return n.slot
}

func (n *pathNode) depth() int {
	deepest := 0
	for i := range n.Children {
		deepest = max(deepest, n.Children[i].depth())
	}
	return deepest + 1
}

// flow draws a tree of nodes in columns, and bands between them as wide as what went there.
type flow struct {
	*canvas
	scale     float64
	backwards bool
	compare   bool
}

// x is where a column begins; what came before is drawn to the left.
func (f *flow) x(depth int) float64 {
	if f.backwards {
		return f.width - margin - nodeWidth - float64(depth)*columnWidth
	}
	return margin + float64(depth)*columnWidth
}

// node draws a node and all below it into its slot that begins at y.
func (f *flow) node(n *pathNode, depth int, y float64) {
	height := max(n.Count.float()*f.scale, 2)
	x := f.x(depth)
	below := y
	source := y
	for i := range n.Children {
		child := &n.Children[i]
		thick := max(child.Count.float()*f.scale, 1)
		f.band(x, source, f.x(depth+1), below, thick, child)
		source += child.Count.float() * f.scale
		f.node(child, depth+1, below)
		below += child.slot
	}
	said := fmt.Sprintf("%s: %s", n.name(f.backwards), n.Count.text())
	if n.Actors != "" {
		said += fmt.Sprintf(" by %s %s", n.Actors.text(), plural(n.Actors.float(), "actors"))
	}
	if n.Previous != nil {
		said += ", before " + n.Previous.Count.text()
	}
	f.begin(strings.Repeat("· ", depth) + said)
	f.rect(x, y, nodeWidth, height, 2, n.class(), "")
	at, anchor := x+nodeWidth+6, atStart
	if f.backwards {
		at, anchor = x-6, atEnd
	}
	f.text(at, y+12, "mm-ink mm-halo", anchor, sizeNote, fit(n.name(f.backwards), sizeNote, columnWidth-nodeWidth-18))
	f.text(at, y+26, "mm-soft mm-halo", anchor, sizeSmall, f.figures(n))
	f.end()
	f.say("Step %d: %s.", depth, said)
}

func (f *flow) figures(n *pathNode) string {
	text := n.Count.text()
	if whole := rootHeight / f.scale; whole > 0 {
		text += " · " + percent(n.Count.float()/whole)
	}
	if f.compare && n.Previous != nil {
		by, _ := change(n.Count.float(), n.Previous.Count.float())
		text += " · " + by
	}
	return text
}

// band draws what went from a node to one below it.
func (f *flow) band(x1, y1, x2, y2, thick float64, n *pathNode) {
	from, to := x1+nodeWidth, x2
	if f.backwards {
		from, to = x1, x2+nodeWidth
	}
	middle := (from + to) / 2
	d := fmt.Sprintf("M%s %sC%s %s %s %s %s %sL%s %sC%s %s %s %s %s %sZ",
		px(from), px(y1), px(middle), px(y1), px(middle), px(y2), px(to), px(y2),
		px(to), px(y2+thick), px(middle), px(y2+thick), px(middle), px(y1+thick), px(from), px(y1+thick))
	f.path(d, n.class(), ` fill-opacity="0.16"`)
}

package ask

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/text"

	"millimetric/cmd/millimetric/reply"
)

// branch is a node of an answer about paths.
type branch struct {
	Kind     string
	Node     *string
	Count    json.Number
	Actors   json.Number
	Children []branch
	Previous *struct{ Count json.Number }
}

// name is what a line calls the node.
func (b branch) name() string {
	switch {
	case b.Kind == "page" && b.Node == nil:
		return none
	case b.Kind == "page":
		return reply.Printable(*b.Node)
	case b.Node != nil:
		return "[" + reply.Printable(*b.Node) + "]"
	case b.Kind == "end":
		return "(end)"
	}
	return "(others)"
}

// treeTable shows a tree: one line per node, those that follow it indented below it.
func treeTable(root []byte, as look, width int, cut bool) (string, error) {
	var top branch
	if err := json.Unmarshal(root, &top); err != nil {
		return "", fmt.Errorf("its tree: %w", err)
	}
	g := &grid{head: []string{"node", "count", "actors"}, right: []bool{false, true, true}}
	if top.Previous != nil {
		g.head, g.right = append(g.head, "before"), append(g.right, true)
	}
	var counts [][]member
	var add func(b branch, depth int)
	add = func(b branch, depth int) {
		name := strings.Repeat("  ", depth) + b.name()
		if cut {
			name = text.Snip(name, cellMax, "…")
		}
		line := []string{name, b.Count.String(), b.Actors.String()}
		if b.Previous != nil {
			line = append(line, b.Previous.Count.String())
		}
		g.body = append(g.body, line)
		counts = append(counts, []member{{"count", jsontext.Value(b.Count)}})
		for _, child := range b.Children {
			add(child, depth+1)
		}
	}
	add(top, 0)
	measure := ""
	if as.bars {
		measure = "count"
	}
	return g.finish(measure, counts, width, cut) + "\n", nil
}

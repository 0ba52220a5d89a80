package querytest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// tree is a node of an answer about paths.
type tree struct {
	Kind     string
	Node     *string
	Count    int
	Actors   int
	Children []tree
	Previous *struct{ Count, Actors int }
}

// treeLines shows a tree as a table: one line per node, those below it indented.
func treeLines(root json.RawMessage) ([]string, error) {
	var t tree
	if err := json.Unmarshal(root, &t); err != nil {
		return nil, err
	}
	cells := [][]string{{"node", "count", "actors"}}
	var add func(t tree, depth int)
	add = func(t tree, depth int) {
		name := t.Kind
		switch {
		case t.Node != nil:
			name += " " + *t.Node
		case t.Kind == "page":
			name += " null"
		}
		line := []string{strings.Repeat("  ", depth) + name, strconv.Itoa(t.Count), strconv.Itoa(t.Actors)}
		if t.Previous != nil {
			line = append(line, strconv.Itoa(t.Previous.Count), strconv.Itoa(t.Previous.Actors))
		}
		cells = append(cells, line)
		for _, child := range t.Children {
			add(child, depth+1)
		}
	}
	if t.Previous != nil {
		cells[0] = append(cells[0], "was", "was_actors")
	}
	add(t, 0)
	return aligned(cells), nil
}

// liveLines shows who is there now: a line of numbers, then a table for each list.
func liveLines(body string) ([]string, error) {
	var live struct {
		Actors         int
		Window         string
		Paths, Sources []json.RawMessage
		PathsTotal     int `json:"paths_total"`
		SourcesTotal   int `json:"sources_total"`
		Previous       *struct{ Actors int }
	}
	if err := json.Unmarshal([]byte(body), &live); err != nil {
		return nil, err
	}
	lines := []string{"actors " + strconv.Itoa(live.Actors) + " in " + live.Window}
	if live.Previous != nil {
		lines[0] += ", " + strconv.Itoa(live.Previous.Actors) + " before"
	}
	totals := []int{live.PathsTotal, live.SourcesTotal}
	for i, rows := range [][]json.RawMessage{live.Paths, live.Sources} {
		r := reply{}
		for _, text := range rows {
			columns, row, err := readRow(text)
			if err != nil {
				return nil, err
			}
			r.columns, r.rows = columns, append(r.rows, row)
		}
		lines = append(lines, r.lines(nil)...)
		if totals[i] > 0 {
			lines = append(lines, "of "+strconv.Itoa(totals[i]))
		}
	}
	return lines, nil
}

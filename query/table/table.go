// Package table makes the main table of an answer: one line per row, whatever shape the answer has, and
// the table as CSV. It answers nothing itself and rounds nothing: a cell is a value of the answer as it is.
//
// It starts no goroutines and writes nothing to disk.
package table

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/query"
)

// Table is lines of cells under the names of their columns. A line may be shorter than there are columns:
// what it lacks is missing.
type Table struct {
	Columns []string
	Lines   [][]Cell
}

// Cell is one value as text; a missing one is empty.
type Cell struct {
	Text   string
	Number bool
}

// member is one member of a JSON object.
type member struct {
	name  string
	value jsontext.Value
}

// Of makes the table of an answer: of a funnel the steps, by group where there is a breakdown, or the
// actors where those are listed; of attribution a line per group and model; of retention a line per
// cell; of paths a line per node with the line of its parent; of live a line per page and source.
func Of(q query.Question, a *query.Answer) (*Table, error) {
	head := func(name string) jsontext.Value { return json(find(a.Head, name)) }
	switch q := q.(type) {
	case *query.Funnel:
		if q.List != nil {
			return ofObjects([]string{"anonymous_id", "user_id", "at"}, head("actors"))
		}
		return ofFunnel(q, a)
	case *query.Attribution:
		return ofAttribution(q, a)
	case *query.Retention:
		return ofRetention(head("cohorts"))
	case *query.Paths:
		return ofPaths(head("root"))
	case *query.Live:
		return ofLive(a)
	}
	return ofRows(a)
}

func find(members []query.Member, name string) query.Value {
	for _, m := range members {
		if m.Name == name {
			return m.Value
		}
	}
	return query.Value{}
}

func json(v query.Value) jsontext.Value { return v.AppendJSON(nil) }

// ofRows is the table of an answer that is one already; what rows have nested gets columns of its own.
func ofRows(a *query.Answer) (*Table, error) {
	t := &Table{}
	if len(a.Rows) == 0 {
		t.Columns = a.Columns
		return t, nil
	}
	for _, row := range a.Rows {
		members := make([]member, len(row))
		for i, v := range row {
			members[i] = member{a.Columns[i], json(v)}
		}
		if err := t.add(members); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// ofObjects is the table of a list of objects, with these columns even where it is empty.
func ofObjects(columns []string, list jsontext.Value) (*Table, error) {
	t := &Table{Columns: columns}
	objects, err := elements(list)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		row, err := members(object)
		if err != nil {
			return nil, err
		}
		if err := t.add(row); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// add adds a line. The members of a nested object stand in columns called by both names.
func (t *Table) add(row []member) error {
	var line []Cell
	var put func(prefix string, row []member) error
	put = func(prefix string, row []member) error {
		for _, m := range row {
			if m.value.Kind() == jsontext.KindBeginObject {
				nested, err := members(m.value)
				if err != nil {
					return err
				}
				if err := put(prefix+m.name+"_", nested); err != nil {
					return err
				}
				continue
			}
			at := slices.Index(t.Columns, prefix+m.name)
			if at < 0 {
				at = len(t.Columns)
				t.Columns = append(t.Columns, prefix+m.name)
			}
			for len(line) <= at {
				line = append(line, Cell{})
			}
			line[at] = cell(m.value)
		}
		return nil
	}
	if err := put("", row); err != nil {
		return err
	}
	t.Lines = append(t.Lines, line)
	return nil
}

func cell(v jsontext.Value) Cell {
	switch v.Kind() {
	case jsontext.KindNull:
		return Cell{}
	case jsontext.KindString:
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return Cell{Text: string(v)} // an answer's strings are well formed
		}
		return Cell{Text: string(text)}
	}
	return Cell{Text: string(v), Number: v.Kind() == jsontext.KindNumber}
}

// members takes a JSON object apart.
func members(object jsontext.Value) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if start, err := dec.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginObject {
		return nil, fmt.Errorf("table: expected an object, not %.40s", object)
	}
	var all []member
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		m.value = value.Clone()
		all = append(all, m)
	}
	return all, nil
}

// elements takes a JSON list apart; null is an empty one.
func elements(list jsontext.Value) ([]jsontext.Value, error) {
	if list.Kind() == jsontext.KindNull {
		return nil, nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(list))
	if start, err := dec.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginArray {
		return nil, fmt.Errorf("table: expected a list, not %.40s", list)
	}
	var all []jsontext.Value
	for dec.PeekKind() != jsontext.KindEndArray {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		all = append(all, value.Clone())
	}
	return all, nil
}

// AppendCSV appends the table as CSV with a header, UTF-8, lines ended by a line feed.
func (t *Table) AppendCSV(dst []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	w := csv.NewWriter(out)
	row := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		row[i] = harmless(name)
	}
	if err := w.Write(row); err != nil {
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	for _, line := range t.Lines {
		for i := range row {
			row[i] = ""
			switch {
			case i >= len(line):
			case line[i].Number:
				row[i] = line[i].Text
			default:
				row[i] = harmless(line[i].Text)
			}
		}
		if err := w.Write(row); err != nil {
			return nil, fmt.Errorf("write CSV: %w", err)
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// harmless keeps spreadsheets from taking text that strangers sent for a formula. They also skip tabs
// and line ends before one. A number is none, even where it is negative.
func harmless(text string) string {
	if text != "" {
		switch text[0] {
		case '=', '+', '-', '@', '\t', '\r', '\n':
			return "'" + text
		}
	}
	return text
}

func integer(n int) jsontext.Value { return jsontext.Value(strconv.Itoa(n)) }

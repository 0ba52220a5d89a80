package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"millimetric/index/event"
)

// Question is one question, as a request and as SQL.
type Question struct {
	ID   string // unique
	Text string // what is asked, for people
	Path string
	Body map[string]any

	read func(answer map[string]any) [][]any // the answer as a table
	sql  func(d dialect) string              // gives the same table; further columns are not compared
}

// Request is the body of the POST that asks it.
func (q *Question) Request() ([]byte, error) { return json.Marshal(q.Body) }

// SQL is the statement that asks a database. base is the beginning of the history.
func (q *Question) SQL(l Layout, base event.Time) string { return q.sql(dialect{l, base}) }

// Table is the server's answer as rows to be compared.
func (q *Question) Table(answer []byte) (rows [][]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("read the answer to %s: %w", q.ID, err)
	}
	return q.read(object), nil
}

// Cut leaves of a database's rows the columns that are compared.
func Cut(ours, theirs [][]any) [][]any {
	if len(ours) == 0 {
		return theirs
	}
	cut := make([][]any, len(theirs))
	for i, row := range theirs {
		cut[i] = row[:min(len(row), len(ours[0]))]
	}
	return cut
}

// request is the part of a request that the scope gives, and what is asked beside.
func (s Scope) request(own map[string]any) map[string]any {
	body := map[string]any{"from": s.From.Std().Format("2006-01-02T15:04:05.000Z"), "to": s.To.Std().Format("2006-01-02T15:04:05.000Z")}
	if s.Zone != "" {
		body["tz"] = s.Zone
	}
	if s.Actor != "" {
		body["actor"] = s.Actor
	}
	if s.Bots {
		body["include_bots"] = true
	}
	if s.Filter.SQL != "" {
		body["filters"] = s.Filter.JSON
	}
	maps.Copy(body, own)
	return body
}

// cells reads the values of a row, by name; a dot goes down into an object.
func cells(row any, names ...string) []any {
	var list []any
	for _, name := range names {
		list = append(list, member(row, name))
	}
	return list
}

func member(from any, name string) any {
	object, _ := from.(map[string]any)
	if value, ok := object[name]; ok {
		return value
	}
	for i := range name {
		if name[i] == '.' {
			return member(object[name[:i]], name[i+1:])
		}
	}
	return nil
}

// rowsOf reads the named values of each element of a list.
func rowsOf(list string, names ...string) func(map[string]any) [][]any {
	return func(answer map[string]any) (rows [][]any) {
		elements, _ := member(answer, list).([]any)
		for _, e := range elements {
			rows = append(rows, cells(e, names...))
		}
		return rows
	}
}

package querytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millimetric/index/event"
)

// Refusal is the JSON that the API sends for an error, for answerers that have no server.
func Refusal(err error) string {
	var e *event.Error
	if !errors.As(err, &e) {
		return `{"error":` + string(quoted("not for clients: "+err.Error())) + `}`
	}
	body := map[string]any{"error": e.Code}
	if len(e.Fields)+len(e.Notes) > 0 {
		body["details"] = map[string]any{"fieldErrors": e.Fields, "formErrors": e.Notes}
	}
	maps.Copy(body, e.Extra)
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // an error's members are strings and lists of them
	}
	return string(text)
}

// reply is an answer's JSON taken apart.
type reply struct {
	refused bool
	code    string
	errors  []string
	asOf    string
	columns []string
	rows    []map[string]json.RawMessage
	next    string   // of an answer that was cut
	cut     string   // what it says of the rest
	table   []string // of an answer that isn't made of rows
	foot    []string // what stands around the rows: one line per member
}

func readReply(body string) (reply, error) {
	var whole struct {
		Error   string
		Details struct {
			FieldErrors map[string][]string
			FormErrors  []string
		}
		Rows        []json.RawMessage
		AsOf        string `json:"as_of"`
		Next        string
		GroupsTotal int `json:"groups_total"`
		Other       json.RawMessage
		Root        json.RawMessage
		Actors      json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &whole); err != nil {
		return reply{}, err
	}
	if whole.Error != "" {
		r := reply{refused: true, code: whole.Error, errors: whole.Details.FormErrors}
		for _, field := range slices.Sorted(maps.Keys(whole.Details.FieldErrors)) {
			r.errors = append(r.errors, field+": "+strings.Join(whole.Details.FieldErrors[field], "; "))
		}
		return r, nil
	}
	r := reply{asOf: whole.AsOf, next: whole.Next}
	rows, flat, err := flattened(body)
	switch {
	case err != nil:
	case flat:
		whole.Rows = rows
	case whole.Root != nil:
		r.table, err = treeLines(whole.Root)
		return r, err
	case whole.Actors != nil:
		r.table, err = liveLines(body)
		return r, err
	case whole.Rows == nil:
		err = fmt.Errorf("neither rows nor an error")
	default:
		r.foot, err = readFoot(body)
	}
	if err != nil {
		return reply{}, err
	}
	if whole.Other != nil {
		r.cut = fmt.Sprintf(" groups_total=%d other=%s", whole.GroupsTotal, whole.Other)
	}
	for _, text := range whole.Rows {
		columns, row, err := readRow(text)
		if err != nil {
			return reply{}, err
		}
		if r.columns != nil && !slices.Equal(columns, r.columns) {
			return reply{}, fmt.Errorf("rows have different members: %v and %v", r.columns, columns)
		}
		r.columns, r.rows = columns, append(r.rows, row)
	}
	return r, nil
}

// readFoot shows the members of an answer that say more than its rows do.
func readFoot(body string) ([]string, error) {
	names, members, err := readRow(json.RawMessage(body))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, name := range names {
		// Where there is a next, the line of it tells of the rest.
		if _, cut := members["next"]; cut && (name == "next" || name == "groups_total" || name == "other") {
			continue
		}
		switch name {
		case "rows", "as_of", "metric", "breakdown", "exact", "settings", "cost":
			continue
		}
		line := name + ":"
		inner, values, err := readRow(members[name])
		if err != nil {
			line += " " + cell(members[name])
		}
		for _, n := range inner {
			line += " " + n + "=" + cell(values[n])
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// readRow reads a JSON object and the order of its members.
func readRow(text json.RawMessage) (columns []string, row map[string]json.RawMessage, err error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, fmt.Errorf("no object: %s", text)
	}
	row = map[string]json.RawMessage{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		column, ok := name.(string)
		if !ok {
			return nil, nil, fmt.Errorf("a row is no object: %s", text)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		columns = append(columns, column)
		row[column] = value
	}
	return columns, row, nil
}

// lines shows a reply as a case file has it: a table of the columns in show, or of all.
func (r reply) lines(show []string) []string {
	if r.refused {
		return append([]string{r.code}, r.errors...)
	}
	if r.table != nil {
		return r.table
	}
	if len(r.rows) == 0 {
		return append([]string{"no rows"}, r.foot...)
	}
	if show == nil {
		show = r.columns
	}
	cells := [][]string{show}
	for _, row := range r.rows {
		line := make([]string, len(show))
		for i, column := range show {
			line[i] = cell(row[column])
		}
		cells = append(cells, line)
	}
	table := aligned(cells)
	if r.next != "" {
		table = append(table, "more"+r.cut)
	}
	return append(table, r.foot...)
}

// cell shows a value so that nothing else looks like it: strings stand bare unless they have
// spaces or quotes, are empty, or could be taken for another kind of value. A credit is shown as its
// two numbers.
func cell(value json.RawMessage) string {
	var text string
	if names, members, err := readRow(value); err == nil && slices.Equal(names, []string{"conversions", "value"}) {
		return cell(members["conversions"]) + "/" + cell(members["value"])
	}
	if err := json.Unmarshal(value, &text); value == nil || err != nil || string(value) == "null" {
		return string(value)
	}
	if text == "" || strings.ContainsAny(text, " \t\n\"") || json.Valid([]byte(text)) {
		return string(quoted(text))
	}
	return text
}

func aligned(cells [][]string) []string {
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, c := range line {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	lines := make([]string, len(cells))
	for n, line := range cells {
		var b strings.Builder
		for i, c := range line {
			b.WriteString(c + strings.Repeat(" ", widths[i]-len([]rune(c))+2))
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

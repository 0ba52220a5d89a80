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
}

func readReply(body string) (reply, error) {
	var whole struct {
		Error   string
		Details struct {
			FieldErrors map[string][]string
			FormErrors  []string
		}
		Rows []json.RawMessage
		AsOf string `json:"as_of"`
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
	if whole.Rows == nil {
		rows, ok, err := flattened(body)
		if err != nil || !ok {
			return reply{}, fmt.Errorf("neither rows nor an error: %w", err)
		}
		whole.Rows = rows
	}
	r := reply{asOf: whole.AsOf}
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

// readRow reads a JSON object and the order of its members.
func readRow(text json.RawMessage) (columns []string, row map[string]json.RawMessage, err error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
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
	if len(r.rows) == 0 {
		return []string{"no rows"}
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
	return aligned(cells)
}

// cell shows a value so that nothing else looks like it: strings stand bare unless they have
// spaces or quotes, are empty, or could be taken for another kind of value.
func cell(value json.RawMessage) string {
	var text string
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

package ask

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"millimetric/cmd/millimetric/reply"
)

const (
	none       = "(none)" // stands for a missing value
	widthPlain = 80       // of the output where it is no terminal
	cellMax    = 60       // runes of a cell on a terminal
)

// member is one member of a JSON object, in the order in which the server gave them.
type member struct {
	name  string
	value jsontext.Value
}

// print shows an answer.
func (q question) print(out io.Writer, answer []byte, asked url.Values, as look) error {
	if as.json {
		_, err := fmt.Fprintf(out, "%s\n", bytes.TrimRight(answer, "\n"))
		return err
	}
	envelope, err := members(answer)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	width, terminal := widthOf(out)
	var b strings.Builder
	if q.tables != nil {
		tables, err := q.tables(envelope, asked)
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		q.nestedTables(&b, tables, asked, look{bars: terminal || as.bars}, width, terminal)
		fmt.Fprintln(&b, q.footer(envelope, asked))
		_, err = io.WriteString(out, b.String())
		return err
	}
	for _, m := range envelope {
		var text string
		switch m.name {
		case "rows", "paths", "sources":
			text, err = q.table(m, asked, look{bars: terminal || as.bars}, width, terminal)
		case "root":
			text, err = treeTable(m.value, look{bars: terminal || as.bars}, width, terminal)
		case "actors":
			text = "actors  " + cell(m.value) + "\n"
		}
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		b.WriteString(text)
	}
	b.WriteString(q.noted(envelope))
	fmt.Fprintln(&b, q.footer(envelope, asked))
	_, err = io.WriteString(out, b.String())
	return err
}

// nestedTables prints the tables that q.tables made, with bars beside the first.
func (q question) nestedTables(b *strings.Builder, tables [][][]member, asked url.Values, as look, width int, terminal bool) {
	for i, rows := range tables {
		if len(rows) == 0 {
			fmt.Fprintln(b, "no events")
			continue
		}
		g := q.grid(rows, asked, terminal)
		measure := ""
		if i == 0 && as.bars {
			measure = q.measure
		}
		fmt.Fprintln(b, g.finish(measure, rows, width, terminal))
	}
}

// table is the table of one list of an answer.
func (q question) table(list member, asked url.Values, as look, width int, terminal bool) (string, error) {
	rows, err := rowsOf(list.value)
	if err != nil {
		return "", err
	}
	if len(rows) == 0 && list.name == "rows" {
		return cmp.Or(q.none, "no events") + "\n", nil
	}
	if len(rows) == 0 {
		return "", nil
	}
	for i := range rows {
		if rows[i], err = spread(rows[i]); err != nil {
			return "", err
		}
		if q.nested {
			rows[i] = flat(rows[i])
		}
	}
	measure := ""
	if as.bars {
		measure = q.measured(rows[0])
	}
	return q.grid(rows, asked, terminal).finish(measure, rows, width, terminal) + "\n", nil
}

// measured is the column that bars are drawn of: that of the measure, or the first whose name ends in it.
func (q question) measured(row []member) string {
	for _, m := range row {
		if q.measure != "" && (m.name == q.measure || q.measure[0] == '.' && strings.HasSuffix(m.name, q.measure)) {
			return m.name
		}
	}
	return ""
}

// spread puts the members of what was in the period before beside those of the row itself.
func spread(row []member) ([]member, error) {
	var out []member
	for _, m := range row {
		if m.value.Kind() != jsontext.KindBeginObject || m.name != "previous" {
			out = append(out, m)
			continue
		}
		inner, err := members(m.value)
		if err != nil {
			return nil, err
		}
		for _, of := range inner {
			out = append(out, member{m.name + " " + of.name, of.value})
		}
	}
	return out, nil
}

// flat takes the members of a row that are objects apart: each of theirs gets a column of its own.
func flat(row []member) []member {
	var all []member
	for _, m := range row {
		inner, err := members(m.value)
		if m.value.Kind() != jsontext.KindBeginObject || err != nil {
			all = append(all, m)
			continue
		}
		for _, n := range inner {
			all = append(all, member{name: m.name + "." + n.name, value: n.value})
		}
	}
	return all
}

// noted prints the members beside the rows without which the rows don't add up.
func (q question) noted(envelope []member) string {
	var b strings.Builder
	for _, m := range envelope {
		if !slices.Contains(q.notes, m.name) {
			continue
		}
		var parts []string
		for _, n := range flat(flat([]member{m})) {
			if n.value.Kind() == jsontext.KindBeginArray { // of the rest by bucket
				continue
			}
			parts = append(parts, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(reply.Printable(n.name), m.name), ".")+" "+cell(n.value)))
		}
		if len(parts) > 0 {
			b.WriteString(reply.Printable(m.name) + ": " + strings.Join(parts, ", ") + "\n")
		}
	}
	return b.String()
}

// footer says what the answer is about; with --explain, all that the server tells about it.
func (q question) footer(envelope []member, asked url.Values) string {
	text := ""
	if asked.Has("from") {
		text = "from " + reply.Printable(asked.Get("from")) + " to " + reply.Printable(asked.Get("to"))
		if zone := asked.Get("tz"); zone != "" {
			text += " (" + reply.Printable(zone) + ")"
		}
		text += ", "
	}
	for _, m := range envelope {
		if m.name == "as_of" {
			text += "as of " + cell(m.value)
		}
	}
	if total := find(envelope, "actors_total"); total.Kind() == jsontext.KindNumber {
		text += ", " + cell(total) + " actors to list"
	}
	shown := append([]string{"rows", "as_of", "root", "paths", "sources", "actors"}, q.notes...)
	if q.tables != nil {
		shown = append(shown, nestedMembers...)
	}
	for _, m := range envelope {
		// How to go on is told without being asked.
		if asked.Has("explain") && !slices.Contains(shown, m.name) || m.name == "next" {
			text += "\n" + reply.Printable(m.name) + ": " + strings.Trim(reply.Printable(string(m.value)), `"`)
		}
	}
	return text
}

func (q question) grid(rows [][]member, asked url.Values, cut bool) *grid {
	g := &grid{}
	var columns []string
	for _, m := range rows[0] {
		if len(q.columns) == 0 {
			columns = append(columns, m.name)
		}
	}
	columns = append(columns, q.columns...)
	for _, name := range columns {
		g.head = append(g.head, reply.Printable(name))
		g.right = append(g.right, find(rows[0], name).Kind() == jsontext.KindNumber || q.tables != nil && isFigure(rows, name))
	}
	for _, row := range rows {
		var cells []string
		for _, name := range columns {
			value := cell(find(row, name))
			if strings.HasSuffix(name, "bucket") && asked.Get("interval") != "hour" && len(value) > len("2006-01-02") {
				value = value[:len("2006-01-02")]
			}
			if cut {
				value = text.Snip(value, cellMax, "…")
			}
			cells = append(cells, value)
		}
		g.body = append(g.body, cells)
	}
	return g
}

// members takes a JSON object apart.
func members(object []byte) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	if start, err := dec.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginObject {
		return nil, fmt.Errorf("it is no JSON object")
	}
	var all []member
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m.value = value.Clone()
		all = append(all, m)
	}
	_, err := dec.ReadToken()
	return all, err
}

func rowsOf(array jsontext.Value) ([][]member, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(array))
	if start, err := dec.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginArray {
		return nil, fmt.Errorf("its rows are no list")
	}
	var rows [][]member
	for dec.PeekKind() == jsontext.KindBeginObject {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		row, err := members(value)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func find(row []member, name string) jsontext.Value {
	if i := slices.IndexFunc(row, func(m member) bool { return m.name == name }); i >= 0 {
		return row[i].value
	}
	return jsontext.Value("null")
}

func number(value jsontext.Value) float64 {
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return 0
	}
	return n
}

// cell is a value as text.
func cell(value jsontext.Value) string {
	plain := string(value)
	switch value.Kind() {
	case jsontext.KindNull:
		return none
	case jsontext.KindString:
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err == nil {
			plain = string(unquoted)
		}
		if plain == "" {
			return none
		}
	}
	return reply.Printable(plain)
}

// widthOf tells how many columns the output has, and whether it is a terminal.
func widthOf(out io.Writer) (width int, terminal bool) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return widthPlain, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = widthPlain
	}
	return width, true
}

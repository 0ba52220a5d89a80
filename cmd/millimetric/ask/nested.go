package ask

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// absent stands where a table has no value by nature: the first step comes after nothing.
const absent = "-"

// nestedMembers are the members of answers that tables are made of, so they aren't printed again.
var nestedMembers = []string{"rows", "steps", "groups", "other", "actors", "cohorts"}

// funnelTables shows the steps, of all actors and of each group, and then the actors that were asked
// for.
func funnelTables(envelope []member, asked url.Values) ([][][]member, error) {
	steps, err := stepRows(nil, find(envelope, "steps"))
	if err != nil {
		return nil, err
	}
	if groups := find(envelope, "groups"); groups.Kind() == jsontext.KindBeginArray {
		if steps, err = groupRows(envelope, groups, asked.Has("cursor")); err != nil {
			return nil, err
		}
	}
	tables := [][][]member{steps}
	if actors := find(envelope, "actors"); actors.Kind() == jsontext.KindBeginArray {
		rows, err := rowsOf(actors)
		if err != nil {
			return nil, err
		}
		tables = append(tables, rows)
	}
	return tables, nil
}

func groupRows(envelope []member, groups jsontext.Value, later bool) ([][]member, error) {
	all, err := stepRows([]member{{"group", plain("(all)")}}, find(envelope, "steps"))
	if err != nil {
		return nil, err
	}
	list, err := rowsOf(groups)
	if err != nil {
		return nil, err
	}
	if other := find(envelope, "other"); other.Kind() == jsontext.KindBeginObject {
		rest, err := members(other)
		if err != nil {
			return nil, err
		}
		name := "(the rest)" // how many groups earlier pages had isn't told
		if !later {
			name = fmt.Sprintf("(%d more)", int(number(find(envelope, "groups_total")))-len(list))
		}
		list = append(list, append([]member{{"group", plain(name)}}, rest...))
	}
	for _, group := range list {
		rows, err := stepRows([]member{{"group", find(group, "group")}}, find(group, "steps"))
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// stepRows makes one row of each step, with some members before it.
func stepRows(before []member, steps jsontext.Value) ([][]member, error) {
	list, err := rowsOf(steps)
	if err != nil {
		return nil, err
	}
	var rows [][]member
	for _, s := range list {
		row := append(slices.Clone(before), member{"step", find(s, "name")}, member{"actors", find(s, "actors")},
			member{"conversion", percent(find(s, "conversion"))}, member{"of previous", percent(find(s, "step_conversion"))},
			member{"drop-off", find(s, "drop_off")})
		if previous := find(s, "previous"); previous.Kind() == jsontext.KindBeginObject {
			was, err := members(previous)
			if err != nil {
				return nil, err
			}
			row = append(row, member{"before", find(was, "actors")}, member{"conversion before", percent(find(was, "conversion"))})
		}
		times := find(s, "from_previous")
		var spans []member
		if times.Kind() == jsontext.KindBeginObject {
			if spans, err = members(times); err != nil {
				return nil, err
			}
		}
		for _, name := range []string{"median", "p90", "mean"} {
			row = append(row, member{name, span(find(spans, name+"_s"))})
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// retentionTables shows one row per cohort, and a star at what hasn't ended yet.
func retentionTables(envelope []member, _ url.Values) ([][][]member, error) {
	cohorts, err := rowsOf(find(envelope, "cohorts"))
	if err != nil {
		return nil, err
	}
	var rows [][]member
	for _, c := range cohorts {
		row, err := cohortRow(c)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		previous := find(c, "previous")
		if previous.Kind() != jsontext.KindBeginObject {
			continue
		}
		was, err := members(previous)
		if err != nil {
			return nil, err
		}
		if row, err = cohortRow(was); err != nil {
			return nil, err
		}
		row[0].value = plain("  before: " + cell(row[0].value))
		rows = append(rows, row)
	}
	return [][][]member{rows}, nil
}

func cohortRow(c []member) ([]member, error) {
	row := []member{{"cohort", find(c, "cohort")}, {"size", find(c, "size")}}
	cells, err := rowsOf(find(c, "periods"))
	if err != nil {
		return nil, err
	}
	for _, period := range cells {
		share := percent(find(period, "share"))
		if string(find(period, "partial")) == "true" {
			share = plain(cell(share) + "*")
		}
		row = append(row, member{string(find(period, "k")), share})
	}
	return row, nil
}

// plain is text of our own as a value of an answer.
func plain(text string) jsontext.Value { return jsontext.Value(encode(text)) }

// percent shows a ratio, which has four decimals at most, as a percentage.
func percent(ratio jsontext.Value) jsontext.Value {
	if ratio.Kind() != jsontext.KindNumber {
		return plain(absent)
	}
	text := strconv.FormatFloat(100*number(ratio), 'f', 2, 64)
	return plain(strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%")
}

// span shows seconds as people say them.
func span(seconds jsontext.Value) jsontext.Value {
	if seconds.Kind() != jsontext.KindNumber {
		return plain(absent)
	}
	return plain(time.Duration(number(seconds) * float64(time.Second)).Round(time.Millisecond).String())
}

// isFigure tells whether all rows have numbers, shares or times in a column.
func isFigure(rows [][]member, name string) bool {
	return !slices.ContainsFunc(rows, func(row []member) bool {
		value := find(row, name)
		text := cell(value)
		shown := text == absent || text[0] >= '0' && text[0] <= '9' && strings.ContainsRune("%*s", rune(text[len(text)-1]))
		return value.Kind() != jsontext.KindNumber && !shown
	})
}

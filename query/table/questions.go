package table

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/query"
)

// ofFunnel makes a line per step, or per group and step. The steps of all groups together, and of those
// that aren't shown, are in no line: added up with the groups they would count twice.
func ofFunnel(q *query.Funnel, a *query.Answer) (*Table, error) {
	t := &Table{Columns: funnelColumns(q)}
	if q.Breakdown == nil {
		return t, t.addSteps(nil, json(find(a.Head, "steps")))
	}
	groups, err := elements(json(find(a.Head, "groups")))
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		of, err := members(group)
		if err != nil {
			return nil, err
		}
		if err := t.addSteps([]member{{"group", valueOf(of, "group")}}, valueOf(of, "steps")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// funnelColumns are named beforehand, as the first step lacks the times that the others have.
func funnelColumns(q *query.Funnel) []string {
	columns := []string{"step", "name"}
	if q.Breakdown != nil {
		columns = []string{"group", "step", "name"}
	}
	prefixes := []string{""}
	if q.Compare {
		prefixes = append(prefixes, "previous_")
	}
	for _, prefix := range prefixes {
		for _, name := range []string{"actors", "conversion", "step_conversion", "drop_off"} {
			columns = append(columns, prefix+name)
		}
		for _, since := range []string{"from_previous_", "from_start_"} {
			columns = append(columns, prefix+since+"median_s", prefix+since+"p90_s", prefix+since+"mean_s")
		}
	}
	return columns
}

func (t *Table) addSteps(before []member, steps jsontext.Value) error {
	list, err := elements(steps)
	if err != nil {
		return err
	}
	for i, step := range list {
		row, err := members(step)
		if err != nil {
			return err
		}
		if err := t.add(slices.Concat(before, []member{{"step", integer(i + 1)}}, row)); err != nil {
			return err
		}
	}
	return nil
}

func valueOf(row []member, name string) jsontext.Value {
	for _, m := range row {
		if m.name == name {
			return m.value
		}
	}
	return jsontext.Value("null")
}

// ofAttribution makes a line per group and model.
func ofAttribution(q *query.Attribution, a *query.Answer) (*Table, error) {
	t := &Table{}
	fields := len(q.GroupBy)
	t.Columns = append(slices.Clone(a.Columns[:fields]), "model", "conversions", "value")
	for _, values := range a.Rows {
		var group []member
		for i, v := range values[:fields] {
			group = append(group, member{a.Columns[i], json(v)})
		}
		var previous []member
		if at := slices.Index(a.Columns, "previous"); at >= fields {
			var err error
			if previous, err = members(json(values[at])); err != nil {
				return nil, err
			}
		}
		for i, model := range q.Models {
			credit, err := members(json(values[fields+i]))
			if err != nil {
				return nil, err
			}
			row := slices.Concat(group, []member{{"model", json(query.Text(string(model)))}}, credit)
			if previous != nil {
				row = append(row, member{"previous", valueOf(previous, string(model))})
			}
			if err := t.add(row); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// ofRetention makes a line per cohort and period.
func ofRetention(cohorts jsontext.Value) (*Table, error) {
	t := &Table{Columns: []string{"cohort", "size", "k", "actors", "share", "partial"}}
	list, err := elements(cohorts)
	if err != nil {
		return nil, err
	}
	for _, cohort := range list {
		now, cells, err := cohortOf(cohort)
		if err != nil {
			return nil, err
		}
		var before []member
		var beforeCells []jsontext.Value
		if previous := valueOf(now, "previous"); previous.Kind() == jsontext.KindBeginObject {
			if before, beforeCells, err = cohortOf(previous); err != nil {
				return nil, err
			}
		}
		for k, cell := range cells {
			row := []member{{"cohort", valueOf(now, "cohort")}, {"size", valueOf(now, "size")}}
			of, err := members(cell)
			if err != nil {
				return nil, err
			}
			row = append(row, of...)
			if before != nil {
				previous, err := members(beforeCells[k])
				if err != nil {
					return nil, err
				}
				row = append(row, member{"previous_cohort", valueOf(before, "cohort")}, member{"previous_size", valueOf(before, "size")})
				for _, name := range []string{"actors", "share", "partial"} {
					row = append(row, member{"previous_" + name, valueOf(previous, name)})
				}
			}
			if err := t.add(row); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func cohortOf(object jsontext.Value) (of []member, cells []jsontext.Value, err error) {
	if of, err = members(object); err != nil {
		return nil, nil, err
	}
	cells, err = elements(valueOf(of, "periods"))
	return of, cells, err
}

// ofPaths makes a line per node, each after its parent, which it names by its number.
func ofPaths(root jsontext.Value) (*Table, error) {
	t := &Table{Columns: []string{"id", "parent", "depth", "kind", "node", "count", "actors"}}
	var add func(node jsontext.Value, parent jsontext.Value, depth int) error
	add = func(node, parent jsontext.Value, depth int) error {
		of, err := members(node)
		if err != nil {
			return err
		}
		id := integer(len(t.Lines) + 1)
		row := []member{{"id", id}, {"parent", parent}, {"depth", integer(depth)}}
		var children []jsontext.Value
		for _, m := range of {
			if m.name != "children" {
				row = append(row, m)
			} else if children, err = elements(m.value); err != nil {
				return err
			}
		}
		if err := t.add(row); err != nil {
			return err
		}
		for _, child := range children {
			if err := add(child, id, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return t, add(root, jsontext.Value("null"), 0)
}

// ofLive makes a line of all, then one per page and per source.
func ofLive(a *query.Answer) (*Table, error) {
	t := &Table{Columns: []string{"kind", "value", "actors", "events"}}
	text := func(s string) jsontext.Value { return json(query.Text(s)) }
	if err := t.add(beside([]member{{"kind", text("all")}, {"actors", json(find(a.Head, "actors"))}}, json(find(a.Head, "previous")))); err != nil {
		return nil, err
	}
	for _, list := range []struct{ name, kind string }{{"paths", "path"}, {"sources", "source"}} {
		rows, err := elements(json(find(a.Head, list.name)))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			of, err := members(row)
			if err != nil {
				return nil, err
			}
			line := []member{{"kind", text(list.kind)}, {"value", valueOf(of, list.kind)}, {"actors", valueOf(of, "actors")}, {"events", valueOf(of, "events")}}
			if err := t.add(beside(line, valueOf(of, "previous"))); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// beside adds what there was before, where that was asked for.
func beside(line []member, previous jsontext.Value) []member {
	if previous.Kind() == jsontext.KindBeginObject {
		line = append(line, member{"previous", previous})
	}
	return line
}

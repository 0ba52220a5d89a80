package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
	"millimetric/query"
)

const (
	toolList    = "list_projects"
	toolCompare = "compare_projects"

	// projectsMax bounds how many projects one call asks: each is a question of its own.
	projectsMax = 50
)

// The parameters that say which projects are asked.
const (
	paramProjectID   = "project_id"
	paramProjectSlug = "project_slug"
	paramProjectIDs  = "project_ids"
)

func projectParams() query.Schema {
	name := func(help string) query.Schema {
		return query.Schema{"type": "string", "minLength": 1, "description": help}
	}
	return query.Schema{
		paramProjectID:   name("the project to ask; list_projects has the ids"),
		paramProjectSlug: name("the same, by its slug"),
		paramProjectIDs: query.Schema{"type": "array", "items": query.Schema{"type": "string"}, "minItems": 1, "maxItems": projectsMax,
			"description": "several projects to ask; without any of the three, all of them are asked"},
	}
}

// addAccountQuestion offers the question to account keys, for one project or several.
func (d *Door) addAccountQuestion(s *mcp.Server, q questionTool) {
	output := q.outputSchema()
	one := query.Schema{"type": "object", "required": output["required"], "properties": output["properties"]}
	one["properties"].(query.Schema)[paramProjectID] = query.Schema{"type": "string"}
	s.AddTool(&mcp.Tool{
		Name: q.tool, Description: q.description(), Annotations: readOnly,
		InputSchema: q.inputSchema(projectParams()),
		OutputSchema: query.Schema{"type": "object", "required": []string{"answers"}, "$defs": output["$defs"],
			"properties": query.Schema{"answers": query.Schema{"type": "array", "items": one, "description": "one for each project"}}},
	}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		args, err := readArguments(r.Params.Arguments)
		if err != nil {
			return nil, err
		}
		projects, err := d.projectsOf(grantOf(ctx), args)
		if err != nil {
			return nil, err
		}
		return d.askAll(ctx, q, projects, args)
	})
}

// projectsOf takes the projects that are to be asked out of the arguments.
func (d *Door) projectsOf(g auth.Grant, args arguments) ([]auth.Project, error) {
	all := d.visible(g)
	var named []string
	for _, name := range []string{paramProjectID, paramProjectSlug, paramProjectIDs} {
		sent, ok := args.fields[name]
		delete(args.fields, name)
		if !ok || sent.Kind() == jsontext.KindNull {
			continue
		}
		if named != nil {
			return nil, event.InvalidField(event.CodeInvalidParams, name, "Only one of project_id, project_slug and project_ids may be given")
		}
		var err error
		if named, err = namesIn(name, sent); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, &jsonrpc.Error{Code: codeNoProject, Message: "this key can see no project"}
	}
	if named == nil && len(all) > projectsMax {
		return nil, event.InvalidField(event.CodeInvalidParams, paramProjectIDs, fmt.Sprintf("Required: there are more than %d projects", projectsMax))
	}
	if named == nil {
		return all, d.opt.MaybeLost("") // whose events would be missing silently
	}
	var chosen []auth.Project
	for _, name := range named {
		i := slices.IndexFunc(all, func(p auth.Project) bool { return p.ID == name || p.Slug == name })
		if i < 0 {
			if err := d.opt.MaybeLost(name); err != nil {
				return nil, err
			}
			return nil, &jsonrpc.Error{Code: codeUnknownProject, Message: "unknown project; list_projects has those that this key can see"}
		}
		if !slices.ContainsFunc(chosen, func(p auth.Project) bool { return p.ID == all[i].ID }) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// namesIn reads a string, or a list of some.
func namesIn(param string, sent jsontext.Value) ([]string, error) {
	if param != paramProjectIDs {
		var one string
		if err := json.Unmarshal(sent, &one); err != nil || one == "" {
			return nil, event.InvalidField(event.CodeInvalidParams, param, "Expected a string")
		}
		return []string{one}, nil
	}
	var list []string
	if err := json.Unmarshal(sent, &list); err != nil {
		return nil, event.InvalidField(event.CodeInvalidParams, param, "Expected a list of strings")
	}
	if len(list) == 0 || len(list) > projectsMax {
		return nil, event.InvalidField(event.CodeInvalidParams, param, fmt.Sprintf("Must have 1 to %d elements", projectsMax))
	}
	return list, nil
}

// visible are the projects of the caller's account.
func (d *Door) visible(g auth.Grant) []auth.Project {
	if g.Kind != auth.KindAccount || g.Account == "" {
		return nil
	}
	return d.opt.Projects(g.Account)
}

// askAll asks each project. Rows over several say which project they are of.
func (d *Door) askAll(ctx context.Context, q questionTool, projects []auth.Project, args arguments) (*mcp.CallToolResult, error) {
	share := args
	share.budget = max(args.budget/len(projects), budgetLeast*tokenBytes/2)
	var answers, rows []jsontext.Value
	var pictures []mcp.Content
	for _, p := range projects {
		a, err := d.ask(ctx, q, p.Number, share)
		if err != nil {
			return nil, err
		}
		id := member{paramProjectID, quote(p.ID)}
		answers = append(answers, a.structured(id))
		if a.picture != nil {
			pictures = append(pictures, pictureContent(a.picture))
		}
		for _, row := range a.rows() {
			if len(projects) > 1 {
				row = withMember(row, id)
			}
			rows = append(rows, row)
		}
	}
	return &mcp.CallToolResult{
		Content:           append([]mcp.Content{rowsContent(rows)}, pictures...),
		StructuredContent: appendMembers(nil, []member{{"answers", listOf(answers)}}),
	}, nil
}

// addAccountTools offers what is about projects themselves.
func (d *Door) addAccountTools(s *mcp.Server) {
	s.AddTool(&mcp.Tool{
		Name: toolList, Description: "List the projects that this key can see.", Annotations: readOnly,
		InputSchema:  query.Schema{"type": "object", "properties": query.Schema{}, "additionalProperties": false},
		OutputSchema: listSchema("projects", projectSchema(query.Schema{"created": query.Schema{"type": "string"}})),
	}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		args, err := readArguments(r.Params.Arguments)
		if err != nil {
			return nil, err
		}
		for name := range args.fields {
			return nil, event.InvalidField(event.CodeInvalidParams, name, "Unknown field")
		}
		list, err := listResult("projects", d.projectRows(grantOf(ctx)))
		if lost := d.opt.MaybeLost(""); err == nil && lost != nil {
			list.Content = append(list.Content, &mcp.TextContent{Text: event.AsError(lost).Sentence()})
		}
		return list, err
	})
	d.addCompare(s)
}

func projectSchema(more query.Schema) query.Schema {
	properties := query.Schema{paramProjectID: query.Schema{"type": "string"}, "slug": query.Schema{"type": "string"}, "name": query.Schema{"type": "string"}}
	maps.Copy(properties, more)
	return query.Schema{"type": "object", "properties": properties, "required": []string{paramProjectID, "slug", "name"}}
}

func listSchema(name string, items query.Schema) query.Schema {
	return query.Schema{"type": "object", "required": []string{name}, "properties": query.Schema{name: query.Schema{"type": "array", "items": items}}}
}

func listResult(name string, rows []jsontext.Value) (*mcp.CallToolResult, error) {
	return &mcp.CallToolResult{
		Content:           []mcp.Content{&mcp.TextContent{Text: string(listOf(rows))}},
		StructuredContent: appendMembers(nil, []member{{name, listOf(rows)}}),
	}, nil
}

func (d *Door) projectRows(g auth.Grant) []jsontext.Value {
	var rows []jsontext.Value
	for _, p := range d.visible(g) {
		rows = append(rows, appendMembers(nil, append(projectMembers(p), member{"created", quote(p.Created.UTC().Format("2006-01-02T15:04:05Z"))})))
	}
	return rows
}

func projectMembers(p auth.Project) []member {
	var c cleaner
	return []member{{paramProjectID, quote(p.ID)}, {"slug", quote(p.Slug)}, {"name", quote(c.text(p.Name))}}
}

// addCompare offers one number of each project, side by side: a question of stats without groups.
func (d *Door) addCompare(s *mcp.Server) {
	tools := questionTools()
	q := tools[slices.IndexFunc(tools, func(q questionTool) bool { return q.Name == "stats" })]
	q.Params = slices.DeleteFunc(slices.Clone(q.Params), func(p query.Param) bool {
		return slices.Contains([]string{"group_by", "interval", "fill", "limit", "cursor", "explain", "as_of", "compare"}, p.Name)
	})
	number := query.Schema{"type": []string{"number", "null"}}
	s.AddTool(&mcp.Tool{
		Name: toolCompare, Annotations: readOnly,
		Description: "Compare projects by one number: events, visitors, or a number of a property. Highest first. Needs from and to.",
		InputSchema: q.inputSchema(projectParams()), OutputSchema: listSchema("projects", projectSchema(query.Schema{"value": number})),
	}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		args, err := readArguments(r.Params.Arguments)
		if err != nil {
			return nil, err
		}
		projects, err := d.projectsOf(grantOf(ctx), args)
		if err != nil {
			return nil, err
		}
		for name := range args.fields {
			if _, known := q.Param(name); !known {
				return nil, event.InvalidField(event.CodeInvalidParams, name, "Unknown field")
			}
		}
		return d.compare(ctx, q, projects, args)
	})
}

func (d *Door) compare(ctx context.Context, q questionTool, projects []auth.Project, args arguments) (*mcp.CallToolResult, error) {
	type compared struct {
		row   jsontext.Value
		value float64
		none  int // 1 where there is no number, which comes last
	}
	var all []compared
	for _, p := range projects {
		a, err := d.ask(ctx, q, p.Number, args)
		if err != nil {
			return nil, err
		}
		value := jsontext.Value("null")
		if rows := a.rows(); len(rows) == 1 {
			members, err := membersOf(rows[0])
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(members, func(m member) bool { return m.name == "value" })
			value = members[i].value
		}
		c := compared{row: appendMembers(nil, append(projectMembers(p), member{"value", value}))}
		if c.value, err = strconv.ParseFloat(string(value), 64); err != nil {
			c.none = 1
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b compared) int { return cmp.Or(cmp.Compare(a.none, b.none), cmp.Compare(b.value, a.value)) })
	rows := make([]jsontext.Value, len(all))
	for i, c := range all {
		rows[i] = c.row
	}
	return listResult("projects", rows)
}

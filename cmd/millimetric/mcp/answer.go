package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/index/event"
	"millimetric/query"
)

// answered is an answer, clean, with our own members apart from the rest.
type answered struct {
	own     []member // trusted: positions, cursors and numbers
	rest    []member // untrusted
	cleaned int
	picture []byte // SVG, if one was asked for
	limit   int    // that the answer was made with; 0 where the question has none
}

type member struct {
	name  string
	value jsontext.Value
}

// rowLists are the members of answers that are lists of rows, in the order in which they are shown.
var rowLists = []string{"rows", "steps", "groups", "actors", "cohorts"}

// ask asks a question so that its answer fits the budget. Where it doesn't, the question is asked again
// with a lower limit: so the answer's own cursor says how to go on, and its rest is exact.
func (d *Door) ask(ctx context.Context, q questionTool, project event.Project, args arguments) (*answered, error) {
	form, err := args.form(q)
	if err != nil {
		return nil, err
	}
	explain := string(args.fields["explain"]) == "true"
	for {
		question, reply, err := d.opt.Ask(ctx, grantOf(ctx), project, q.Name, form)
		if err != nil {
			return nil, err
		}
		a, err := newAnswered(reply, explain)
		if err != nil {
			return nil, err
		}
		size := len(appendMembers(nil, a.rest))
		if size <= args.budget {
			if args.chart {
				a.picture, err = draw(question, reply)
			}
			return a, err
		}
		if a.limit <= 1 {
			return nil, overBudget(size)
		}
		// Rows differ in size, so a tenth is taken off; as the limit falls each time, this ends.
		rows := min(a.longest(), a.limit)
		form = form.WithLimit(max(1, min(rows-1, rows*args.budget/size*9/10)))
	}
}

func overBudget(size int) error {
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{fmt.Sprintf(
		"The answer takes about %d tokens and can't be cut further: raise token_budget, or narrow from and to, filter more, use a coarser interval, or fewer periods or steps", size/tokenBytes+1)}}
}

const codeTooLarge = "query_too_large"

// newAnswered takes an answer apart and cleans it. Settings and cost are only shown where they were
// asked for: an agent pays for each word.
func newAnswered(reply *query.Answer, explain bool) (*answered, error) {
	all, err := membersOf(reply.AppendJSON(nil))
	if err != nil {
		return nil, err
	}
	a := &answered{}
	var c cleaner
	own := ownMembers()
	for _, m := range all {
		if m.name == "settings" {
			a.limit = limitOf(m.value)
		}
		if (m.name == "settings" || m.name == "cost") && !explain {
			continue
		}
		if own[m.name] != nil {
			a.own = append(a.own, m)
			continue
		}
		if m.value, err = c.value(m.value); err != nil {
			return nil, err
		}
		a.rest = append(a.rest, m)
	}
	a.cleaned = c.changed
	return a, nil
}

// limitOf reads the limit from settings.
func limitOf(settings jsontext.Value) int {
	var used struct {
		Limit int `json:"limit"`
	}
	if err := json.Unmarshal(settings, &used); err != nil {
		return 0
	}
	return used.Limit
}

// longest is the length of the longest list, which is what a limit cuts; of a tree, whose limit is that
// of its branches, it is the limit.
func (a *answered) longest() int {
	longest := 0
	for _, m := range a.rest {
		longest = max(longest, len(elementsOf(m.value)))
	}
	if longest == 0 {
		return a.limit
	}
	return longest
}

// rows are the answer as a list: of its rows, or where it has none, of itself.
func (a *answered) rows() []jsontext.Value {
	var all []jsontext.Value
	found := false
	for _, name := range rowLists {
		i := slices.IndexFunc(a.rest, func(m member) bool { return m.name == name })
		if i >= 0 && a.rest[i].value.Kind() == jsontext.KindBeginArray {
			found = true
			all = append(all, elementsOf(a.rest[i].value)...)
		}
	}
	if !found {
		return []jsontext.Value{appendMembers(nil, a.rest)}
	}
	return all
}

// structured is the answer as structured content.
func (a *answered) structured(before ...member) jsontext.Value {
	all := append(before, a.own...)
	if a.cleaned > 0 {
		all = append(all, member{memberCleaned, jsontext.Value(fmt.Sprint(a.cleaned))})
	}
	return appendMembers(nil, append(all, member{memberAnswer, appendMembers(nil, a.rest)}))
}

func (a *answered) result() (*mcp.CallToolResult, error) {
	result := &mcp.CallToolResult{Content: []mcp.Content{rowsContent(a.rows())}, StructuredContent: a.structured()}
	if a.picture != nil {
		result.Content = append(result.Content, pictureContent(a.picture))
	}
	return result, nil
}

// rowsContent is the text of a result: a JSON array of rows, marked as what visitors wrote.
func rowsContent(rows []jsontext.Value) *mcp.TextContent {
	return &mcp.TextContent{Text: string(listOf(rows)), Meta: untrusted()}
}

// untrusted marks content as data of strangers, for programs between us and the model.
func untrusted() mcp.Meta { return mcp.Meta{"millimetric/untrusted": true} }

package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/index/event"
)

// ScopeExport lets a read key take raw events out as a whole.
const ScopeExport = "export"

// NamesMax bounds each of a key's lists.
const NamesMax = 64

// Narrowing is what a key may do of all that its kind may. What it doesn't speak of is free.
type Narrowing struct {
	Routes []string   `json:"routes,omitempty"` // names of the routes it is good for
	Tools  []string   `json:"tools,omitempty"`  // names of the tools that agents may use with it
	From   *time.Time `json:"from,omitempty"`   // of the events that it may read, inclusive
	To     *time.Time `json:"to,omitempty"`     // exclusive
	K      int        `json:"k,omitempty"`      // visitors that a number must be about to be shown; 0 shows all
}

// IsFree reports whether nothing is narrowed.
func (n Narrowing) IsFree() bool {
	return n.Routes == nil && n.Tools == nil && n.From == nil && n.To == nil && n.K == 0
}

// Route reports whether a route may be called.
func (n Narrowing) Route(name string) bool {
	return n.Routes == nil || slices.Contains(n.Routes, name)
}

// Tool reports whether an agent may use a tool.
func (n Narrowing) Tool(name string) bool {
	return n.Tools == nil || slices.Contains(n.Tools, name)
}

// Range returns the times between which events may be read; the whole range where it isn't narrowed.
func (n Narrowing) Range() (from, to event.Time) {
	from, to = event.TimeMin, event.TimeMax+1
	if n.From != nil {
		from = max(from, event.TimeOf(*n.From))
	}
	if n.To != nil {
		to = min(to, event.TimeOf(*n.To))
	}
	return from, to
}

// Least returns how many visitors a number must be about to be shown to a key of some kind; 0 shows all.
// Account keys are the administrators', who may change the settings anyway: only their own k holds for them.
func (g *Grant) Least() int {
	if g.Project == nil {
		return g.K
	}
	return max(g.K, g.Project.Settings.K)
}

// check notes what is wrong with a narrowing by itself.
func (n Narrowing) check(fields event.FieldErrors) {
	for field, list := range map[string][]string{"routes": n.Routes, "tools": n.Tools} {
		if len(list) > NamesMax {
			fields.Add(field, fmt.Sprintf("Must be at most %d", NamesMax))
		} else if list != nil && len(list) == 0 {
			fields.Add(field, "Must name one at least; a key that is good for nothing is better revoked")
		}
	}
	checkK(n.K, fields)
	if n.From != nil && n.To != nil && !n.From.Before(*n.To) {
		fields.Add("to", "Must be later than from")
	}
}

// within notes where n would allow more than outer does.
func (n Narrowing) within(outer Narrowing, fields event.FieldErrors) {
	const wider = "May only be narrowed; mint another key for more"
	for _, pair := range []struct {
		field       string
		list, outer []string
	}{{"routes", n.Routes, outer.Routes}, {"tools", n.Tools, outer.Tools}} {
		if pair.outer == nil {
			continue
		}
		more := slices.DeleteFunc(slices.Clone(pair.list), func(name string) bool { return slices.Contains(pair.outer, name) })
		if pair.list == nil || len(more) > 0 {
			fields.Add(pair.field, strings.TrimSuffix(wider+": "+strings.Join(more, ", "), ": "))
		}
	}
	if n.K < outer.K {
		fields.Add("k", wider)
	}
	if outer.From != nil && (n.From == nil || n.From.Before(*outer.From)) {
		fields.Add("from", wider)
	}
	if outer.To != nil && (n.To == nil || n.To.After(*outer.To)) {
		fields.Add("to", wider)
	}
}

// Package chart draws an answer as an SVG picture: a funnel, a time series, a grid of retention, a tree of
// paths, credit by model, or bars. The numbers are those of the answer, rounded for reading only.
//
// Pictures suit light and dark pages, have a text alternative, and run nothing: no script, no link, no
// font and no image from elsewhere. All text in them is escaped, as strangers sent it. What doesn't fit
// is cut with an ellipsis and stands in full in the title that viewers show at the pointer.
//
// The package answers nothing, starts no goroutines and writes nothing to disk.
package chart

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// Draw draws the answer to a question. Single events and single visits have no picture: for those ok is
// false.
func Draw(question query.Question, a *query.Answer) (svg []byte, ok bool, err error) {
	var c *canvas
	switch q := question.(type) {
	case *query.Stats:
		c, err = drawStats(q, a)
	case *query.Sources:
		c, err = drawSources(q, a)
	case *query.Sessions:
		if q.List {
			return nil, false, nil
		}
		c, err = drawSessions(q, a)
	case *query.Live:
		c, err = drawLive(q, a)
	case *query.Funnel:
		c, err = drawFunnel(q, a)
	case *query.Retention:
		c, err = drawRetention(q, a)
	case *query.Paths:
		c, err = drawPaths(q, a)
	case *query.Attribution:
		c, err = drawAttribution(q, a)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("draw: %w", err)
	}
	if a.Left > 0 {
		left := fmt.Sprintf("without %s more %s", grouped(strconv.Itoa(a.Left)), plural(float64(a.Left), "groups"))
		c.note(left)
		c.say("%s.", left)
	}
	c.note(fmt.Sprintf("as of %d", a.AsOf))
	return c.svg(), true, nil
}

// note adds a word to what stands below a picture.
func (c *canvas) note(text string) {
	if c.foot != "" {
		c.foot += " · "
	}
	c.foot += text
}

// about says what a picture is about: the range, who is counted, and what else was asked for.
func about(c *query.Common, more ...string) string {
	var parts []string
	if c.To != 0 {
		parts = append(parts, day(c.From, c)+" to "+day(c.To, c)+" ("+c.Zone.String()+")")
	}
	for _, part := range more {
		if part != "" {
			parts = append(parts, part)
		}
	}
	switch n := len(c.Filters); {
	case n == 1:
		parts = append(parts, "1 filter")
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d filters", n))
	}
	if c.IncludeBots {
		parts = append(parts, "with bots")
	}
	return strings.Join(parts, " · ")
}

// compared says what the pale marks of a picture are.
func compared(c *query.Common, compare bool) string {
	if !compare {
		return ""
	}
	from, to := c.Previous()
	return "compared with " + day(from, c) + " to " + day(to, c)
}

// day writes a moment, without its time where that is midnight.
func day(t event.Time, c *query.Common) string {
	local := t.Std().In(c.Zone)
	if local.Hour()|local.Minute()|local.Second() == 0 {
		return local.Format("2006-01-02")
	}
	return local.Format("2006-01-02 15:04")
}

// who names those who are counted.
func who(c *query.Common) string {
	actor := c.Actor
	if actor == "" {
		actor = query.ActorVisitor
	}
	return string(actor) + "s"
}

// read decodes a value of an answer.
func read(v query.Value, into any) error {
	if err := json.Unmarshal(v.AppendJSON(nil), into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func member(members []query.Member, name string) query.Value {
	for _, m := range members {
		if m.Name == name {
			return m.Value
		}
	}
	return query.Value{}
}

// number is a number of an answer as it is written there, or "" for null.
type number string

func (n *number) UnmarshalJSON(text []byte) error {
	*n = number(strings.Trim(string(text), `"`))
	if *n == "null" {
		*n = ""
	}
	return nil
}

func (n number) float() float64 {
	var x float64
	if _, err := fmt.Sscan(string(n), &x); err != nil {
		return 0
	}
	return x
}

// text writes the number for reading; a missing one is a dash.
func (n number) text() string {
	if n == "" {
		return "–"
	}
	return grouped(string(n))
}

// share writes a ratio as a percentage.
func (n number) share() string {
	if n == "" {
		return "–"
	}
	return percent(n.float())
}

// label is a value of any kind as it stands beside a bar.
func label(v query.Value) string {
	text := v.AppendJSON(nil)
	var s string
	if json.Unmarshal(text, &s) == nil && string(text) != "null" {
		return s
	}
	if string(text) == "null" {
		return missing
	}
	return string(text)
}

// missing stands for what has no value.
const missing = "(none)"

// change writes by how much a number differs from what it was before, and the class of its colour. A share of
// a number below zero would mislead, so such a number itself is written.
func change(now, then float64) (text, class string) {
	switch {
	case now == then:
		return "±0%", "mm-soft"
	case then < 0 || now < 0:
		class = "mm-up"
		if now < then {
			class = "mm-down"
		}
		return "was " + grouped(strconv.FormatFloat(then, 'f', -1, 64)), class
	case then == 0:
		return "new", "mm-up"
	case now < then:
		return "−" + percent((then-now)/then), "mm-down"
	}
	if now/then >= 10 {
		return fmt.Sprintf("×%.0f", now/then), "mm-up"
	}
	return "+" + percent((now-then)/then), "mm-up"
}

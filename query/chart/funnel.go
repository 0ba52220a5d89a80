package chart

import (
	"encoding/json"
	"fmt"
	"strings"

	"millimetric/query"
)

// groupsMax is how many groups of a breakdown are drawn below each other.
const groupsMax = 25

// step is one step of an answer to a funnel.
type step struct {
	Name       string
	Actors     number
	Conversion number
	DropOff    number `json:"drop_off"`
	Of         number `json:"step_conversion"`
	Times      struct {
		Median number `json:"median_s"`
	} `json:"from_previous"`
	Previous *step
}

func (s *step) then() *step {
	if s.Previous == nil {
		return &step{}
	}
	return s.Previous
}

// stepGroup is the steps of one group.
type stepGroup struct {
	Group json.RawMessage
	Steps []step
}

func drawFunnel(q *query.Funnel, a *query.Answer) (*canvas, error) {
	var steps []step
	if err := read(member(a.Head, "steps"), &steps); err != nil {
		return nil, err
	}
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Name
	}
	order := ""
	if q.Order != query.OrderOrdered {
		order = "order: " + string(q.Order)
	}
	c := newCanvas("Funnel: "+strings.Join(names, " → "),
		about(&q.Common, who(&q.Common), "within "+span(q.Window.Seconds()), order))
	if steps[0].Actors.float() == 0 && steps[0].then().Actors.float() == 0 {
		c.nothing()
		return c, nil
	}
	y := float64(headRoom)
	if q.Compare {
		y = c.before(y, compared(&q.Common, true))
	}
	y = c.funnel(y, steps, q.Compare)
	if q.Breakdown == nil {
		return c, nil
	}
	var groups []stepGroup
	if err := read(member(a.Head, "groups"), &groups); err != nil {
		return nil, err
	}
	c.funnelGroups(y+18, q.Breakdown.String(), steps, groups)
	return c, nil
}

// funnel draws a bar for each step, and between them who was lost.
func (c *canvas) funnel(y float64, steps []step, compare bool) float64 {
	const height, gap = 38.0, 26.0
	labels, most := 0.0, 0.0
	for _, s := range steps {
		labels = max(labels, width(s.Name, sizeLabel))
		most = max(most, s.Actors.float(), s.then().Actors.float())
	}
	labels = min(labels, 260)
	start := margin + 26 + labels + 14
	room := c.width - margin - start - 190
	for i, s := range steps {
		title := fmt.Sprintf("%d. %s: %s, %s of the first step", i+1, s.Name, s.Actors.text(), s.Conversion.share())
		if compare {
			title += ", before " + s.then().Actors.text() + ", " + s.then().Conversion.share()
		}
		c.begin(title)
		c.text(margin, y+24, "mm-soft", atStart, sizeLabel, fmt.Sprint(i+1))
		c.text(margin+26, y+24, "mm-ink", atStart, sizeLabel, fit(s.Name, sizeLabel, labels))
		c.rect(start, y, room, height, 6, "mm-track", "")
		length := scaled(s.Actors.float(), most, room)
		c.rect(start, y, length, height, 6, colour(0), "")
		c.bold(start+room+14, y+17, "mm-ink", sizeLabel, s.Actors.text())
		c.text(start+room+14, y+33, "mm-soft", atStart, sizeNote, s.Conversion.share())
		if compare {
			then := scaled(s.then().Actors.float(), most, room)
			c.rect(start, y+height-6, then, 6, 3, "mm-then", "")
			text, class := change(s.Actors.float(), s.then().Actors.float())
			c.text(start+room+14+max(width(s.Actors.text(), sizeLabel)*1.06, width(s.Conversion.share(), sizeNote))+12, y+17, class, atStart, sizeNote, text)
		}
		c.end()
		c.say("%s.", title)
		y += height
		if i+1 < len(steps) {
			c.lost(start, y+17, &s, &steps[i+1])
			y += gap
		}
	}
	c.grow(y + 4)
	return y + 4
}

// lost writes what lies between two steps.
func (c *canvas) lost(x, y float64, from, to *step) {
	parts := []string{to.Of.share() + " go on", from.DropOff.text() + " drop off"}
	if to.Times.Median != "" {
		parts = append(parts, "median "+span(to.Times.Median.float()))
	}
	c.text(x+8, y, "mm-soft", atStart, sizeSmall, "↓ "+strings.Join(parts, " · "))
	c.say("%s.", strings.Join(parts, ", "))
}

// funnelGroups draws a line for each group: a small bar per step, against the group's first.
func (c *canvas) funnelGroups(y float64, by string, steps []step, groups []stepGroup) {
	const height = 34.0
	c.bold(margin, y+14, "mm-ink", sizeLabel, fit("By "+by, sizeLabel, c.width-2*margin))
	labels := 190.0
	cell := (c.width - 2*margin - labels) / float64(len(steps))
	if least := 62.0; cell < least {
		cell = least
		c.width = max(c.width, 2*margin+labels+cell*float64(len(steps)))
	}
	y += 24
	for i, s := range steps {
		c.begin(s.Name)
		c.text(margin+labels+cell*float64(i), y+12, "mm-soft", atStart, sizeSmall, fit(s.Name, sizeSmall, cell-10))
		c.end()
	}
	y += 22
	for n, g := range groups {
		if n == groupsMax {
			c.text(margin, y+14, "mm-soft", atStart, sizeNote, fmt.Sprintf("and %d more", len(groups)-n))
			y += 22
			break
		}
		name := groupName(g.Group)
		c.begin(name)
		c.text(margin, y+14, "mm-ink", atStart, sizeLabel, fit(name, sizeLabel, labels-14))
		c.end()
		said := make([]string, len(g.Steps))
		for i, s := range g.Steps {
			x := margin + labels + cell*float64(i)
			said[i] = s.Actors.text() + " (" + s.Conversion.share() + ")"
			c.begin(name + ", " + s.Name + ": " + said[i])
			figure := s.Actors.text()
			c.text(x, y+13, "mm-ink", atStart, sizeNote, figure)
			if rest := cell - 12 - width(figure, sizeNote); rest > width(s.Conversion.share(), sizeSmall)+6 {
				c.text(x+width(figure, sizeNote)+6, y+13, "mm-soft", atStart, sizeSmall, s.Conversion.share())
			}
			c.rect(x, y+18, cell-12, 6, 3, "mm-track", "")
			c.rect(x, y+18, scaled(s.Conversion.float(), 1, cell-12), 6, 3, colour(0), "")
			c.end()
		}
		c.say("%s: %s.", name, strings.Join(said, ", "))
		y += height
	}
	c.grow(y)
}

func groupName(group json.RawMessage) string {
	var text *string
	switch err := json.Unmarshal(group, &text); {
	case err != nil:
		return clean(string(group))
	case text == nil:
		return missing
	}
	return clean(*text)
}

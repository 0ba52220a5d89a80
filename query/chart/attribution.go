package chart

import (
	"fmt"
	"slices"
	"strings"

	"millimetric/query"
)

// creditsMax is how many groups are drawn with all their models.
const creditsMax = 15

// credit is what a model gives a group.
type credit struct {
	Conversions, Value number
}

func (c credit) of(valued bool) number {
	if valued {
		return c.Value
	}
	return c.Conversions
}

// drawAttribution draws the models of each group side by side: their conversions, or what these are worth
// where a value was asked for.
func drawAttribution(q *query.Attribution, a *query.Answer) (*canvas, error) {
	valued := q.Value != ""
	what := "conversions"
	if valued {
		what = q.Value
	}
	names := make([]string, len(q.GroupBy))
	for i, d := range q.GroupBy {
		names[i] = d.Name
	}
	lookback := "any lookback"
	if q.Lookback > 0 {
		lookback = "lookback " + span(q.Lookback.Seconds())
	}
	title := "Attribution of " + stepName(&q.Conversion) + " by " + strings.Join(names, ", ")
	c := newCanvas(title, about(&q.Common, what, who(&q.Common), lookback))
	var totals, unattributed credit
	for name, into := range map[string]*credit{"totals": &totals, "unattributed": &unattributed} {
		if err := read(member(a.Foot, name), into); err != nil {
			return nil, err
		}
	}
	c.foot = fmt.Sprintf("%s in all, %s unattributed", totals.of(valued).text(), unattributed.of(valued).text())
	c.say("%s %s in all, of which %s without a touch.", totals.of(valued).text(), what, unattributed.of(valued).text())
	if len(a.Rows) == 0 {
		c.nothing()
		return c, nil
	}
	groups, err := readCredits(q, a)
	if err != nil {
		return nil, err
	}
	c.credits(q, groups, valued)
	return c, nil
}

// creditGroup is one row of the answer.
type creditGroup struct {
	name      string
	now, then []credit // by model
}

func readCredits(q *query.Attribution, a *query.Answer) ([]creditGroup, error) {
	fields := len(q.GroupBy)
	before := slices.Index(a.Columns, "previous")
	var groups []creditGroup
	for _, row := range a.Rows {
		g := creditGroup{name: labelOf(row[:fields]), now: make([]credit, len(q.Models)), then: make([]credit, len(q.Models))}
		var previous map[string]credit
		if before >= 0 {
			if err := read(row[before], &previous); err != nil {
				return nil, err
			}
		}
		for i, model := range q.Models {
			if err := read(row[fields+i], &g.now[i]); err != nil {
				return nil, err
			}
			g.then[i] = previous[string(model)]
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func (c *canvas) credits(q *query.Attribution, groups []creditGroup, valued bool) {
	models := make([]string, len(q.Models))
	for i, m := range q.Models {
		models[i] = strings.ReplaceAll(string(m), "_", " ")
	}
	y := float64(headRoom)
	if len(models) > 1 || q.Compare {
		legend := models
		if q.Compare {
			legend = append(slices.Clone(models), compared(&q.Common, true))
		}
		y = c.legend(y+8, legend, func(i int, x, y float64) {
			class := "mm-then"
			if i < len(models) {
				class = colour(i)
			}
			c.rect(x, y-10, 12, 12, 3, class, "")
		})
	}
	left := len(groups) - creditsMax
	groups = groups[:min(len(groups), creditsMax)]
	labels, most, figures := 0.0, 0.0, 0.0
	for _, g := range groups {
		labels = max(labels, width(g.name, sizeLabel))
		for i := range models {
			most = max(most, g.now[i].of(valued).float(), g.then[i].of(valued).float())
			figures = max(figures, width(g.now[i].of(valued).text(), sizeSmall)+80)
		}
	}
	labels = min(labels, 250)
	start := margin + labels + 14
	room := c.width - margin - start - figures
	thick := 13.0
	if len(models) == 1 {
		thick = 20
	}
	for _, g := range groups {
		top := y
		for i := range models {
			y = c.credit(g, i, models[i], start, y, thick, most, room, valued, q.Compare)
		}
		c.begin(g.name)
		c.text(start-14, (top+y)/2+4, "mm-ink", atEnd, sizeLabel, fit(g.name, sizeLabel, labels))
		c.end()
		c.line(start, top-2, start, y+2, "mm-base", "")
		y += 12
	}
	if left > 0 {
		c.text(margin, y+10, "mm-soft", atStart, sizeNote, fmt.Sprintf("and %d more", left))
		y += 20
	}
	c.grow(y)
}

// credit draws the bar of one group under one model, and returns where the next may begin.
func (c *canvas) credit(g creditGroup, i int, model string, x, y, thick, most, room float64, valued, compare bool) float64 {
	now, then := g.now[i].of(valued), g.then[i].of(valued)
	said := fmt.Sprintf("%s, %s: %s", g.name, model, now.text())
	if compare {
		said += ", before " + then.text()
	}
	c.begin(said)
	length := scaled(now.float(), most, room)
	c.rect(x, y, length, thick-2, 2, colour(i), "")
	c.text(x+length+6, y+thick/2+3, "mm-ink", atStart, sizeSmall, now.text())
	if compare {
		text, class := change(now.float(), then.float())
		c.text(x+length+6+width(now.text(), sizeSmall)+8, y+thick/2+3, class, atStart, sizeSmall, text)
		y += 4
		c.rect(x, y+thick-4, scaled(then.float(), most, room), 4, 2, "mm-then", "")
	}
	c.end()
	c.say("%s.", said)
	return y + thick
}

package chart

import (
	"fmt"
	"slices"
	"strings"

	"millimetric/query"
)

// barsMax is how many bars are still a picture; the rest is said to be left out.
const barsMax = 40

// bar is one line of a picture of bars.
type bar struct {
	label     string
	now, then number
	note      string // beside the number
}

// bars draws lines of a label, a bar and a number; those before, where there are any, as a pale bar
// below, with a word on when that was. It begins at y and returns where it ends.
func (c *canvas) bars(y float64, list []bar, before string, class string) float64 {
	compare := before != ""
	if compare {
		y = c.before(y, before)
	}
	left := len(list) - barsMax
	list = list[:min(len(list), barsMax)]
	most, labels, figures := 0.0, 0.0, 0.0
	for _, b := range list {
		most = max(most, b.now.float(), b.then.float())
		labels = max(labels, width(b.label, sizeLabel))
		figures = max(figures, width(b.figures(compare), sizeLabel)+12)
	}
	labels = min(labels, 330)
	start := margin + labels + 14
	room := c.width - margin - start - figures - 10
	height := 26.0
	if compare {
		height = 34
	}
	for _, b := range list {
		c.begin(b.label + ": " + b.figures(compare))
		c.text(start-14, y+17, "mm-ink", atEnd, sizeLabel, fit(b.label, sizeLabel, labels))
		length := scaled(b.now.float(), most, room)
		c.rect(start, y+3, length, 18, 3, class, "")
		end := length
		if compare {
			then := scaled(b.then.float(), most, room)
			c.rect(start, y+23, then, 5, 2, "mm-then", "")
		}
		c.text(start+end+8, y+17, "mm-ink", atStart, sizeLabel, b.now.text())
		after := start + end + 8 + width(b.now.text(), sizeLabel) + 8
		if b.note != "" {
			c.text(after, y+17, "mm-soft", atStart, sizeNote, b.note)
			after += width(b.note, sizeNote) + 8
		}
		if compare {
			text, class := change(b.now.float(), b.then.float())
			c.text(after, y+17, class, atStart, sizeNote, text)
		}
		c.end()
		c.say("%s: %s.", b.label, b.figures(compare))
		y += height
	}
	c.line(start, headTop(y, height, len(list)), start, y, "mm-base", "")
	if left > 0 {
		c.text(margin, y+18, "mm-soft", atStart, sizeNote, fmt.Sprintf("and %s more", grouped(fmt.Sprint(left))))
		y += 26
	}
	c.grow(y + 6)
	return y + 6
}

func headTop(y, height float64, n int) float64 { return y - height*float64(n) }

// figures is all that is written beside a bar.
func (b *bar) figures(compare bool) string {
	parts := []string{b.now.text()}
	if b.note != "" {
		parts = append(parts, b.note)
	}
	if compare {
		text, _ := change(b.now.float(), b.then.float())
		parts = append(parts, "("+text+", before "+b.then.text()+")")
	}
	return strings.Join(parts, " ")
}

// scaled is the length of a bar; what isn't nothing is seen.
func scaled(value, most, room float64) float64 {
	if value <= 0 || most <= 0 {
		return 0
	}
	return max(value/most*room, 1.5)
}

// rows makes bars of the rows of an answer: the labels are the first columns, as many as there are
// groups.
func rows(a *query.Answer, groups int, measure string) ([]bar, error) {
	at := slices.Index(a.Columns, measure)
	before := slices.Index(a.Columns, "previous")
	var list []bar
	for _, row := range a.Rows {
		b := bar{label: labelOf(row[:groups])}
		if err := read(row[at], &b.now); err != nil {
			return nil, err
		}
		if before >= 0 {
			var previous map[string]number
			if err := read(row[before], &previous); err != nil {
				return nil, err
			}
			b.then = previous[measure]
		}
		list = append(list, b)
	}
	return list, nil
}

// labelOf is the name of a group.
func labelOf(values []query.Value) string {
	if len(values) == 0 {
		return "all"
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = clean(label(v))
	}
	return strings.Join(parts, " / ")
}

func drawSources(q *query.Sources, a *query.Answer) (*canvas, error) {
	c := newCanvas("Where events came from", about(&q.Common, "events by "+strings.ReplaceAll(q.Breakdown, "_", " and ")))
	list, err := rows(a, len(q.Columns()), "events")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		c.nothing()
		return c, nil
	}
	for i := range list {
		var uniques number
		if err := read(a.Rows[i][len(q.Columns())+1], &uniques); err != nil {
			return nil, err
		}
		list[i].note = "by " + uniques.text() + " " + plural(uniques.float(), who(&q.Common))
	}
	c.bars(headRoom, list, compared(&q.Common, q.Compare), colour(0))
	return c, nil
}

// plural drops the s of a noun for one of it.
func plural(n float64, nouns string) string {
	if n == 1 {
		return strings.TrimSuffix(nouns, "s")
	}
	return nouns
}

// present is one line of a list of live.
type present struct {
	Path, Source *string
	Actors       number
	Events       number
	Previous     struct{ Actors number }
}

func drawLive(q *query.Live, a *query.Answer) (*canvas, error) {
	var actors number
	if err := read(member(a.Head, "actors"), &actors); err != nil {
		return nil, err
	}
	var window string
	if err := read(member(a.Head, "window"), &window); err != nil {
		return nil, err
	}
	c := newCanvas(actors.text()+" "+plural(actors.float(), who(&q.Common))+" on the site", about(&q.Common, "in the last "+window))
	c.say("%s %s in the last %s.", actors.text(), plural(actors.float(), who(&q.Common)), window)
	if actors.float() == 0 {
		c.nothing()
		return c, nil
	}
	before := ""
	if q.Compare {
		before = "compared with the " + window + " before"
	}
	y := float64(headRoom)
	for i, name := range []string{"paths", "sources"} {
		var list []present
		if err := read(member(a.Head, name), &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			continue
		}
		c.bold(margin, y+14, "mm-ink", sizeLabel, map[string]string{"paths": "Pages", "sources": "Sources"}[name])
		var all []bar
		for _, p := range list {
			b := bar{label: missing, now: p.Actors, then: p.Previous.Actors, note: p.Events.text() + " " + plural(p.Events.float(), "events")}
			for _, text := range []*string{p.Path, p.Source} {
				if text != nil {
					b.label = clean(*text)
				}
			}
			all = append(all, b)
		}
		y = c.bars(y+24, all, before, colour(i)) + 16
	}
	return c, nil
}

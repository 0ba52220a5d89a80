package chart

import (
	"fmt"
	"strings"

	"millimetric/query"
)

// cohortsMax is how many cohorts are still read in a picture.
const cohortsMax = 60

// cohort is one cohort of an answer to a retention.
type cohort struct {
	Cohort  string
	Size    number
	Periods []struct {
		Actors  number
		Share   number
		Partial bool
	}
	Previous *cohort
}

// Sizes of the grid.
const (
	cohortLabels = 168.0
	cellWidth    = 54.0
	cellHeight   = 30.0
)

// onHeat is the share from which text on a cell is light: below it dark text has the greater contrast.
const onHeat = 0.72

func drawRetention(q *query.Retention, a *query.Answer) (*canvas, error) {
	var cohorts []cohort
	if err := read(member(a.Head, "cohorts"), &cohorts); err != nil {
		return nil, err
	}
	mode := ""
	if q.Unbounded {
		mode = "in that " + string(q.Period) + " or later"
	}
	title := fmt.Sprintf("Retention by %s: %s, then %s", q.Period, stepName(&q.Birth), stepName(&q.Return))
	c := newCanvas(title, about(&q.Common, who(&q.Common), mode, compared(&q.Common, q.Compare)))
	if len(cohorts) == 0 {
		c.nothing()
		return c, nil
	}
	c.width = max(c.width, 2*margin+cohortLabels+float64(q.Periods)*cellWidth)
	cell := cellWidth
	if room := (c.width - 2*margin - cohortLabels) / float64(q.Periods); room > cell {
		cell = min(room, 90)
	}
	c.grid(q, cohorts, cell)
	return c, nil
}

// stepName is what a step is called: its name, its event, or those it may be.
func stepName(s *query.Step) string {
	switch {
	case s.Name != "":
		return clean(s.Name)
	case s.Event != "":
		return clean(s.Event)
	}
	names := make([]string, len(s.AnyOf))
	for i := range s.AnyOf {
		names[i] = stepName(&s.AnyOf[i])
	}
	return strings.Join(names, " or ")
}

func (c *canvas) grid(q *query.Retention, cohorts []cohort, cell float64) {
	y := float64(headRoom)
	c.text(margin, y+12, "mm-soft", atStart, sizeSmall, "began in")
	c.text(margin+cohortLabels-16, y+12, "mm-soft", atEnd, sizeSmall, who(&q.Common))
	for k := range q.Periods {
		c.text(margin+cohortLabels+(float64(k)+0.5)*cell, y+12, "mm-soft", atMiddle, sizeSmall, fmt.Sprintf("%s %d", q.Period, k))
	}
	y += 20
	partial := false
	for i, of := range cohorts {
		if i == cohortsMax {
			c.text(margin, y+16, "mm-soft", atStart, sizeNote, fmt.Sprintf("and %d more", len(cohorts)-i))
			y += 24
			break
		}
		partial = c.cohort(q, &of, y, cell) || partial
		y += cellHeight
	}
	if q.Compare {
		c.text(margin, y+18, "mm-soft", atStart, sizeSmall, "small: points more or less than in the cohort at the same place before")
		y += 18
	}
	if partial {
		c.text(margin, y+18, "mm-soft", atStart, sizeSmall, "dashed: the "+string(q.Period)+" has not ended yet")
		y += 18
	}
	c.grow(y + 6)
}

// cohort draws one line of the grid; partial says that it has cells which aren't final.
func (c *canvas) cohort(q *query.Retention, of *cohort, y, cell float64) (partial bool) {
	name := of.Cohort
	if name == "" {
		name = "–"
	}
	c.text(margin, y+19, "mm-ink", atStart, sizeLabel, name)
	c.text(margin+cohortLabels-16, y+19, "mm-ink", atEnd, sizeLabel, of.Size.text())
	said := make([]string, 0, len(of.Periods))
	for k, p := range of.Periods {
		x := margin + cohortLabels + float64(k)*cell
		note := ""
		if p.Partial {
			note = " so far"
		}
		said = append(said, p.Share.share()+note)
		share := p.Share.float()
		c.begin(fmt.Sprintf("%s, %s %d: %s of %s, %s%s", name, q.Period, k, p.Actors.text(), of.Size.text(), p.Share.share(), note))
		c.rect(x+1, y+1, cell-2, cellHeight-2, 4, "mm-track", "")
		if share > 0 {
			c.rect(x+1, y+1, cell-2, cellHeight-2, 4, "mm-heat", fmt.Sprintf(` fill-opacity="%.2f"`, 0.06+0.94*share))
		}
		if p.Partial {
			partial = true
			c.rect(x+2.5, y+2.5, cell-5, cellHeight-5, 3, "mm-open", ` stroke-dasharray="3 3" stroke-opacity="0.7"`)
		}
		if p.Partial && share == 0 {
			c.end() // nobody could come yet, or hasn't so far
			continue
		}
		class := "mm-ink"
		if share > onHeat {
			class = "mm-on"
		}
		base := y + 19
		if q.Compare {
			base = y + 14
			c.text(x+cell/2, y+25, class, atMiddle, 9, points(p.Share, of.before(k)))
		}
		c.text(x+cell/2, base, class, atMiddle, sizeNote, strings.TrimSuffix(p.Share.share(), "%")+suffix(p.Share))
		c.end()
	}
	c.say("%s, %s %s: %s.", name, of.Size.text(), who(&q.Common), strings.Join(said, ", "))
	return partial
}

func suffix(share number) string {
	if share == "" {
		return ""
	}
	return "%"
}

// before is the share of the cohort that it is compared with, "" where that is empty.
func (of *cohort) before(k int) number {
	if of.Previous == nil || k >= len(of.Previous.Periods) {
		return ""
	}
	return of.Previous.Periods[k].Share
}

// points is the difference of two shares, "" where one of them is none: nobody is less than somebody by no
// number of points.
func points(now, then number) string {
	difference := 100 * (now.float() - then.float())
	switch {
	case now == "" || then == "":
		return ""
	case difference >= 0.05:
		return fmt.Sprintf("+%.1f", difference)
	case difference <= -0.05:
		return fmt.Sprintf("−%.1f", -difference)
	}
	return "±0"
}

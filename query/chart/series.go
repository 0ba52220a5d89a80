package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"millimetric/query"
)

// Bounds of a picture of lines.
const (
	linesMax   = colours // more of them can't be told apart
	dotsMax    = 45      // points that still stand apart
	plotHeight = 300
)

// curve is one group over the buckets of the range; missing values are gaps.
type curve struct {
	name      string
	now, then []number
}

// series is curves over common buckets.
type series struct {
	buckets []time.Time
	curves  []curve
	more    int // groups that aren't drawn
	compare bool
}

// readSeries takes the rows of an answer apart that has a bucket, groups and a measure.
func readSeries(c *query.Common, interval query.Interval, a *query.Answer, groups int, measure, empty string) (*series, error) {
	starts, ok := query.Buckets(interval, c.Zone, c.From, c.To)
	if !ok {
		return nil, fmt.Errorf("too many buckets")
	}
	s := &series{}
	at := map[int64]int{}
	for i, start := range starts {
		s.buckets = append(s.buckets, start.Std().In(c.Zone))
		at[start.Std().Unix()] = i
	}
	value, before := slices.Index(a.Columns, measure), slices.Index(a.Columns, "previous")
	s.compare = before >= 0
	from, to := c.Previous()
	thens, ok := query.Buckets(interval, c.Zone, from, to)
	if !ok {
		return nil, fmt.Errorf("too many buckets")
	}
	place := map[string]int{}
	for _, row := range a.Rows {
		name := labelOf(row[1 : 1+groups])
		k, known := place[name]
		if !known {
			k = len(s.curves)
			place[name] = k
			s.curves = append(s.curves, newCurve(name, len(starts), len(thens), empty))
		}
		var now number
		if err := read(row[value], &now); err != nil {
			return nil, err
		}
		i, inRange := at[bucketOf(row[0])]
		if inRange {
			s.curves[k].now[i] = now
		}
		if before < 0 {
			continue
		}
		var previous map[string]number
		if err := read(row[before], &previous); err != nil {
			return nil, err
		}
		if inRange && i < len(thens) {
			s.curves[k].then[i] = previous[measure]
		}
	}
	s.choose()
	return s, nil
}

// newCurve makes a curve of n buckets beside thens ones of the period before: where that has fewer, as April
// beside May, its curve ends.
func newCurve(name string, n, thens int, empty string) curve {
	c := curve{name: name, now: make([]number, n), then: make([]number, n)}
	for i := range n {
		c.now[i] = number(empty)
	}
	for i := range min(n, thens) {
		c.then[i] = number(empty)
	}
	return c
}

// bucketOf is the start of a row's bucket, 0 where the row has none.
func bucketOf(v query.Value) int64 {
	var text *string
	if read(v, &text) != nil || text == nil {
		return 0
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// choose keeps the greatest curves.
func (s *series) choose() {
	sum := func(c *curve) (total float64) {
		for _, n := range c.now {
			total += n.float()
		}
		return total
	}
	slices.SortStableFunc(s.curves, func(a, b curve) int {
		switch x, y := sum(&a), sum(&b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	if s.more = max(len(s.curves)-linesMax, 0); s.more > 0 {
		s.curves = s.curves[:linesMax]
	}
}

// draw draws the curves: one as an area, several as lines with a legend.
func (s *series) draw(c *canvas, q *query.Common, interval query.Interval) {
	top := float64(headRoom)
	var names []string
	for _, curve := range s.curves {
		names = append(names, curve.name)
	}
	if len(s.curves) > 1 {
		top = c.legend(top+8, names, c.swatch(""))
	}
	if s.compare {
		top = c.legend(top+8, []string{compared(q, true)}, func(_ int, x, y float64) {
			c.line(x, y-4, x+12, y-4, "mm-then-line", ` stroke-width="2" stroke-dasharray="4 3"`)
		})
	}
	low, high := s.bounds()
	ticks := ticksOf(low, high)
	p := plot{left: margin, right: c.width - margin - 8, top: top + 6, low: ticks[0], high: ticks[len(ticks)-1], n: len(s.buckets)}
	p.bottom = p.top + plotHeight
	for _, t := range ticks {
		p.left = max(p.left, margin+width(short(t), sizeSmall)+10)
	}
	for _, t := range ticks {
		c.line(p.left, p.y(t), p.right, p.y(t), "mm-rule", "")
		c.text(p.left-8, p.y(t)+4, "mm-soft", atEnd, sizeSmall, short(t))
	}
	s.dates(c, &p, interval)
	for i := range s.curves {
		s.curve(c, &p, i, interval)
	}
	c.grow(p.bottom + 28)
	if s.more > 0 {
		c.text(margin, p.bottom+44, "mm-soft", atStart, sizeNote, fmt.Sprintf("and %s more", grouped(fmt.Sprint(s.more))))
		c.grow(p.bottom + 50)
	}
}

// bounds are the least and the greatest number; counts begin at 0.
func (s *series) bounds() (low, high float64) {
	for _, c := range s.curves {
		for _, list := range [][]number{c.now, c.then} {
			for _, n := range list {
				low, high = min(low, n.float()), max(high, n.float())
			}
		}
	}
	return low, high
}

// ticksOf are round numbers from not above low to not below high.
func ticksOf(low, high float64) []float64 {
	if high <= low {
		high = low + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*m) <= 5 {
			step *= m
			break
		}
	}
	var ticks []float64
	first := math.Floor(low / step)
	for i := first; ; i++ {
		ticks = append(ticks, i*step)
		if i*step >= high {
			return ticks
		}
	}
}

// plot is the field that curves are drawn in.
type plot struct {
	left, right, top, bottom float64
	low, high                float64
	n                        int
}

func (p *plot) x(i int) float64 {
	if p.n == 1 {
		return (p.left + p.right) / 2
	}
	return p.left + 6 + float64(i)*(p.right-p.left-12)/float64(p.n-1)
}

func (p *plot) y(v float64) float64 {
	return p.bottom - (v-p.low)/(p.high-p.low)*(p.bottom-p.top)
}

// dates writes as many dates below the plot as stand well apart.
func (s *series) dates(c *canvas, p *plot, interval query.Interval) {
	c.line(p.left, p.bottom, p.right, p.bottom, "mm-base", "")
	room := width(dateOf(time.Date(2026, 9, 28, 22, 0, 0, 0, time.UTC), interval), sizeSmall) + 28
	every := 1
	for p.n > 1 && float64(every)*(p.x(1)-p.x(0)) < room {
		every++
	}
	for i := 0; i < p.n; i += every {
		anchor := atMiddle
		switch {
		case p.n > 1 && i == 0:
			anchor = atStart
		case p.n > 1 && p.x(i)+room/2 > p.right:
			anchor = atEnd
		}
		c.text(p.x(i), p.bottom+18, "mm-soft", anchor, sizeSmall, dateOf(s.buckets[i], interval))
	}
}

func dateOf(t time.Time, interval query.Interval) string {
	switch interval {
	case query.IntervalHour:
		return t.Format("2 Jan 15:04")
	case query.IntervalMonth:
		return t.Format("Jan 2006")
	}
	return t.Format("2 Jan")
}

func (s *series) curve(c *canvas, p *plot, k int, interval query.Interval) {
	of := &s.curves[k]
	if s.compare {
		if d := p.trace(of.then); d != "" {
			c.path(d, "mm-then-line", ` stroke-width="2" stroke-dasharray="5 4" stroke-linejoin="round"`)
		}
	}
	if d := p.area(of.now); d != "" && len(s.curves) == 1 {
		c.path(d, colour(k), ` fill-opacity="0.14"`)
	}
	if d := p.trace(of.now); d != "" {
		c.path(d, colourLine(k), ` fill="none" stroke-width="2.5" stroke-linejoin="round" stroke-linecap="round"`)
	}
	total := 0
	for i, n := range of.now {
		if n == "" {
			continue
		}
		total++
		text := dateOf(s.buckets[i], interval) + ": " + n.text()
		if s.compare {
			text += ", before " + of.then[i].text()
		}
		if len(s.curves) > 1 {
			text = of.name + ", " + text
		}
		// Beyond dotsMax the mark is only there to be pointed at.
		radius, more := 3.5, ` stroke-width="1.5"`
		if len(s.buckets) > dotsMax {
			radius, more = 4, ` fill-opacity="0" stroke-opacity="0"`
		}
		c.begin(text)
		fmt.Fprintf(&c.body, `<circle cx="%s" cy="%s" r="%s" class="%s mm-dot"%s/>`, px(p.x(i)), px(p.y(n.float())), px(radius), colour(k), more)
		c.end()
		if len(s.curves) == 1 {
			c.say("%s.", text)
		}
	}
	if len(s.curves) > 1 {
		c.say("%s: from %s to %s over %d buckets.", of.name, grouped(fmt.Sprint(least(of.now))), grouped(fmt.Sprint(greatest(of.now))), total)
	}
}

func least(list []number) float64 {
	low := math.Inf(1)
	for _, n := range list {
		if n != "" {
			low = min(low, n.float())
		}
	}
	if math.IsInf(low, 1) {
		return 0
	}
	return low
}

func greatest(list []number) (high float64) {
	for _, n := range list {
		high = max(high, n.float())
	}
	return high
}

// trace is the line through the values, with gaps where there is none.
func (p *plot) trace(list []number) string {
	var b strings.Builder
	pen := "M"
	for i, n := range list {
		if n == "" {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%s %s", pen, px(p.x(i)), px(p.y(n.float())))
		pen = "L"
	}
	return b.String()
}

// area is what lies between the values and nothing, "" where there are gaps.
func (p *plot) area(list []number) string {
	if slices.Contains(list, "") || len(list) < 2 {
		return ""
	}
	base := px(p.y(max(p.low, 0)))
	return p.trace(list) + fmt.Sprintf("L%s %sL%s %sZ", px(p.x(len(list)-1)), base, px(p.x(0)), base)
}

func drawStats(q *query.Stats, a *query.Answer) (*canvas, error) {
	measure := metricName(q)
	title := strings.ToUpper(measure[:1]) + measure[1:]
	for _, m := range q.Matches {
		title += " of " + m.Value
	}
	groups := make([]string, len(q.GroupBy))
	for i, g := range q.GroupBy {
		groups[i] = string(g)
	}
	if len(groups) > 0 {
		title += " by " + strings.Join(groups, ", ")
	}
	if q.Interval != query.IntervalNone {
		title += " per " + string(q.Interval)
	}
	c := newCanvas(title, about(&q.Common))
	if len(a.Rows) == 0 {
		c.nothing()
		return c, nil
	}
	if q.Interval == query.IntervalNone {
		list, err := rows(a, len(q.GroupBy), "value")
		if err != nil {
			return nil, err
		}
		c.bars(headRoom, list, compared(&q.Common, q.Compare), colour(0))
		return c, nil
	}
	// A bucket without events has a count and a sum of 0, and no average.
	empty := ""
	if q.Metric == query.MetricCount || q.Metric == query.MetricUniques || q.Metric == query.MetricSum {
		empty = "0"
	}
	s, err := readSeries(&q.Common, q.Interval, a, len(q.GroupBy), "value", empty)
	if err != nil {
		return nil, err
	}
	s.draw(c, &q.Common, q.Interval)
	return c, nil
}

func metricName(q *query.Stats) string {
	switch q.Metric {
	case query.MetricCount:
		return "events"
	case query.MetricUniques:
		return who(&q.Common)
	}
	return fmt.Sprintf("%s of %s", q.Metric, q.Property)
}

func drawSessions(q *query.Sessions, a *query.Answer) (*canvas, error) {
	title := "Visits"
	var names []string
	for _, d := range q.GroupBy {
		names = append(names, d.Name)
	}
	if len(names) > 0 {
		title += " by " + strings.Join(names, ", ")
	}
	if q.Interval != query.IntervalNone {
		title += " per " + string(q.Interval)
	}
	c := newCanvas(title, about(&q.Common, "of "+who(&q.Common)))
	if len(a.Rows) == 0 {
		c.nothing()
		return c, nil
	}
	if q.Interval != query.IntervalNone {
		s, err := readSeries(&q.Common, q.Interval, a, len(q.GroupBy), "visits", "0")
		if err != nil {
			return nil, err
		}
		s.draw(c, &q.Common, q.Interval)
		return c, nil
	}
	list, err := rows(a, len(q.GroupBy), "visits")
	if err != nil {
		return nil, err
	}
	bounce, median := slices.Index(a.Columns, "bounce_rate"), slices.Index(a.Columns, "duration_median_s")
	for i, row := range a.Rows {
		var rate, seconds number
		if err := read(row[bounce], &rate); err != nil {
			return nil, err
		}
		if err := read(row[median], &seconds); err != nil {
			return nil, err
		}
		if rate != "" {
			list[i].note = rate.share() + " bounce, median " + span(seconds.float())
		}
	}
	c.bars(headRoom, list, compared(&q.Common, q.Compare), colour(0))
	return c, nil
}

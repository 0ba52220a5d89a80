package query

import (
	"math"
	"slices"
)

// codePairs are, of the rows of a segment that are wanted, which codes of a column each visitor has, and how many
// rows each code has. The memo keeps them: they stand for these rows where groups of visitors are counted.
type codePairs struct {
	ordinals []uint32 // of visitors of whom some row counts, rising
	ends     []uint32 // by visitor: how many codes there are up to his last
	codes    []uint32 // of each visitor, in no order, each one once
	rows     []uint32 // by code
}

func (c *codePairs) bytes() int64 {
	return 4 * int64(cap(c.ordinals)+cap(c.ends)+cap(c.codes)+cap(c.rows))
}

// of returns the codes of a visitor by his place in the list of visitors.
func (c *codePairs) of(run int) []uint32 {
	from := uint32(0)
	if run > 0 {
		from = c.ends[run-1]
	}
	return c.codes[from:c.ends[run]]
}

// byTouches tells whether the groups are told by what the columns from colSource on say together.
func (g *groups) byTouches() bool {
	return !slices.ContainsFunc(g.columns, func(c groupColumn) bool { return c.coded < colSource })
}

// paired tells whether codes of one column tell all that the counter counts.
func (c *counter) paired() bool {
	columns := c.groups.columns
	if len(columns) == 0 || c.among != nil || c.buckets != nil || c.paid != nil && !c.tellsPaid() {
		return false
	}
	one := len(columns) == 1 && columns[0].coded != noColumn && columns[0].name == columnNames[columns[0].coded]
	return one || c.groups.byTouches()
}

// codesAreGroups tells whether pairs may stand for rows, and each code is a group then.
func (c *counter) codesAreGroups() bool { return c.paired() && !c.groups.byTouches() }

// pairBytes is about what pairs take for each row of a segment.
const pairBytes = 4

// rowsPerCode is how many rows of a segment stand for the work with one of its codes, about.
const rowsPerCode = 8

// openPairs makes walkers of the segments of which pairs stand for the rows, and counts their events.
func (c *counter) openPairs(r *run, p *pass, matches []Match, segments []*sealed, walkers []*walker) error {
	rows := 0
	for _, s := range segments {
		rows += s.segment.Rows() / rowsPerCode
	}
	if err := c.openCodes(r, p, segments); err != nil {
		return err
	}
	var helpers []*counter
	by := make([]*counter, len(segments)) // whose numbers the groups of a walker are
	err := r.lookAtEach(len(segments), rows, func(worker *run) func(int) error {
		own, ownPass := c, p
		if worker != r {
			own = c.forHelper()
			helpers = append(helpers, own)
			ownPass = &pass{from: p.from, to: p.to, wants: conditionsOf(matches, r.common.counted()), size: own.helperSize}
		}
		return func(i int) (err error) {
			by[i] = own
			walkers[i], err = own.pairWalker(worker, ownPass, segments[i], i)
			return err
		}
	})
	if err != nil {
		return err
	}
	numbers := map[*counter][]uint32{}
	for _, helper := range helpers {
		numbers[helper] = c.join(helper)
	}
	for i, w := range walkers {
		if w != nil {
			segments[i].used = true
			w.renumber(numbers[by[i]])
		}
	}
	return nil
}

// pairWalker makes a walker of the segment at a place of their list, nil where its rows must be walked.
func (c *counter) pairWalker(r *run, p *pass, s *sealed, place int) (*walker, error) {
	own := s.openedBy(r)
	pairs, ok, err := c.pairsOf(r, p, own)
	if err != nil || !ok {
		return nil, err
	}
	groups, err := c.groupsOf(r, own, place, pairs)
	return &walker{sealed: s, ordinals: pairs.ordinals, pairs: pairs, groups: groups}, err
}

// renumber replaces the numbers of groups, unless there are no others.
func (w *walker) renumber(numbers []uint32) {
	for code, group := range w.groups {
		if numbers != nil && group != 0 {
			w.groups[code] = numbers[group-1] + 1
		}
	}
}

// pairsOf returns the pairs of a segment; ok is false where the pass doesn't want all of its rows, or where
// there is no room to keep them.
func (c *counter) pairsOf(r *run, p *pass, s *sealed) (pairs *codePairs, ok bool, err error) {
	sieve, ok, err := r.sieve(p, s)
	if r.common.Memo == nil || !ok || err != nil {
		return nil, false, err
	}
	name, read := "touches", (*view).touchesOf
	if column := c.groups.columns[0].coded; !c.groups.byTouches() {
		name, read = string(columnNames[column]), func(v *view) []uint32 { return v.codesOf(column) }
	}
	if sieve == "" && !r.keeps(s, memoPairs, name, pairBytes) {
		return nil, false, nil
	}
	find := func() (*codePairs, bool, error) {
		pairs, err := r.findPairs(p, s, read)
		return pairs, true, err
	}
	if sieve != "" {
		return again(r, s, memoPairs, name+" "+sieve, find)
	}
	return remembered(r, s, memoPairs, name, find)
}

// findPairs walks a segment.
func (r *run) findPairs(p *pass, s *sealed, read func(*view) []uint32) (*codePairs, error) {
	f := &codePairs{}
	var metBy []uint32 // by code: the number of the visitor who had it last, plus one
	err := r.eachChunk(p, s, func() int { return len(f.codes) / 4 }, func(v *view, chosen []int32) {
		if chosen = p.sifted(v, chosen); len(chosen) > 0 {
			metBy = f.take(v, chosen, read(v), metBy)
		}
	})
	return f, err
}

// take takes rows of a view.
func (c *codePairs) take(v *view, chosen []int32, codes, metBy []uint32) []uint32 {
	for _, at := range chosen {
		visitor := v.come(int(at))
		n := len(c.ordinals)
		if n == 0 || c.ordinals[n-1] != visitor {
			c.ordinals, c.ends = append(c.ordinals, visitor), append(c.ends, uint32(len(c.codes)))
			n++
		}
		code := codes[at]
		for int(code) >= len(c.rows) {
			c.rows, metBy = append(c.rows, 0), append(metBy, 0)
		}
		c.rows[code]++
		if metBy[code] != uint32(n) {
			metBy[code] = uint32(n)
			c.codes = append(c.codes, code)
			c.ends[n-1]++
		}
	}
	return metBy
}

// pairsMost returns how many pairs there are of the visitors of a block; a great number where rows are walked.
func (b *block) pairsMost() int {
	n := 0
	for _, w := range b.walkers {
		switch {
		case w.from == w.run:
		case w.pairs == nil:
			return math.MaxInt
		default:
			n += int(w.pairs.ends[w.run-1])
			if w.from > 0 {
				n -= int(w.pairs.ends[w.from-1])
			}
		}
	}
	return n
}

// takePairs counts the visitors of a block in a segment.
func (c *counter) takePairs(b *block, w *walker) {
	if c.codesAreGroups() {
		c.takeOnce(b, w)
		return
	}
	for run := w.from; run < w.run; run++ {
		visitor := w.ordinals[run] - b.first
		for _, code := range w.pairs.of(run) {
			if group := w.groups[code]; group != 0 && c.met.add(group-1, visitor) {
				c.uniques.bump(group - 1)
			}
		}
	}
}

// groupsOf finds the groups of a segment's codes, plus one, and counts its events.
func (c *counter) groupsOf(r *run, s *sealed, place int, pairs *codePairs) ([]uint32, error) {
	numberOf := func(code uint32) (uint32, error) { return c.groups.numberOfTouch(s, code) }
	if !c.groups.byTouches() {
		numberOf = func(code uint32) (uint32, error) { return c.groupOfCode(place, s, code) }
	}
	r.keepsPieces = r.common.Memo != nil && !s.segment.Hides()
	defer func() { r.keepsPieces = false }()
	groups := make([]uint32, len(pairs.rows))
	for code, rows := range pairs.rows {
		if rows == 0 {
			continue
		}
		group, err := numberOf(uint32(code))
		if err != nil {
			return nil, err
		}
		groups[code] = group + 1
		r.cost.Matched += int(rows)
		if c.events != nil {
			*at(&c.events.counts, group) += int64(rows)
		}
	}
	return groups, nil
}

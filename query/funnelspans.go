package query

import (
	"math/big"
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// depthReached are actors who came to the same depth.
type depthReached struct {
	depth  int
	groups []uint32
	times  []event.Time // of the steps of each actor, one actor after the other
}

// someReached are some of these actors, or all.
type someReached struct {
	*depthReached
	which []int32
	all   bool
}

func (s *someReached) count() int {
	if s.all {
		return len(s.groups)
	}
	return len(s.which)
}

// byGroup gives the actors of each group.
func (p *depthReached) byGroup(groups int, give func(group int, some someReached)) {
	ends := make([]int32, groups) // by group: where its actors end among all, once they are placed
	for _, group := range p.groups {
		ends[group]++
	}
	sum := int32(0)
	for group, n := range ends {
		ends[group], sum = sum, sum+n
	}
	which := make([]int32, len(p.groups))
	for i, group := range p.groups {
		which[ends[group]] = int32(i)
		ends[group]++
	}
	from := int32(0)
	for group, to := range ends {
		if from < to {
			give(group, someReached{depthReached: p, which: which[from:to:to]})
		}
		from = to
	}
}

// spansAtOnce is how many spans are reckoned before they are looked at: they stay in the first-level cache.
const spansAtOnce = 512

// eachSpan gives the times from some steps to another of all actors who took that, counted from 0, some at a time: a
// list for each step that they count from.
func (c *crowd) eachSpan(from []int, to int, give func(spans [][]int64)) {
	room, spans := make([][spansAtOnce]int64, len(from)), make([][]int64, len(from))
	for i := range c.beyond {
		s := &c.beyond[i]
		if s.depth <= to {
			continue
		}
		for first, n := 0, s.count(); first < n; first += spansAtOnce {
			some := min(spansAtOnce, n-first)
			for k := range some {
				actor := first + k
				if !s.all {
					actor = int(s.which[actor])
				}
				times := s.times[actor*s.depth:]
				for i, step := range from {
					room[i][k] = int64(times[to] - times[step])
				}
			}
			for i := range spans {
				spans[i] = room[i][:some]
			}
			give(spans)
		}
	}
}

// spansFew is how many spans are kept and sorted out; of more, those near the ranks that are asked for are found
// first, so that no more than these are kept.
const spansFew = 4 << 10

// spanRanks are what is shown of times between two steps.
type spanRanks struct {
	median, p90 int64
	sum         int64 // as many times as a budget has entries, each ten years, are less than 2^63
}

// spans sums up the times from some steps to another of the actors who took that, which are so many.
func (c *crowd) spans(from []int, to, reached int) []Value {
	ranks := make([]spanRanks, len(from))
	switch {
	case reached > spansFew:
		ranks = c.manyRanks(from, to)
	case reached > 0:
		ranks = c.fewRanks(from, to, reached)
	}
	values := make([]Value, len(from))
	for i := range ranks {
		values[i] = ranks[i].value(reached)
	}
	return values
}

func (r *spanRanks) value(reached int) Value {
	var median, p90, mean Value
	if reached > 0 {
		median, p90 = Seconds(big.NewInt(r.median), 1), Seconds(big.NewInt(r.p90), 1)
		mean = Seconds(big.NewInt(r.sum), int64(reached))
	}
	return Object(Member{"median_s", median}, Member{"p90_s", p90}, Member{"mean_s", mean})
}

// fewRanks finds out about the times from some steps to another.
func (c *crowd) fewRanks(from []int, to, count int) []spanRanks {
	ranks, all := make([]spanRanks, len(from)), make([][]int64, len(from))
	c.eachSpan(from, to, func(spans [][]int64) {
		for i, some := range spans {
			all[i] = append(slices.Grow(all[i], count-len(all[i])), some...)
			for _, s := range some {
				ranks[i].sum += s
			}
		}
	})
	half := nearestRank(count, 50)
	for i := range ranks {
		ranks[i].median = ranked(all[i], half)
		ranks[i].p90 = ranked(all[i][half:], nearestRank(count, 90)-half) // none before is greater
	}
	return ranks
}

// manySpans are how many spans lie in each part, and those of the two parts that have the ranks.
type manySpans struct {
	counts             [spanParts]int
	sum                int64
	half, most         int // the parts
	halfRank, mostRank int // and the ranks there
	inHalf, inMost     []int64
}

// manyRanks does so where there are many: those of each part are counted first, and only those of the two parts
// that have the ranks are kept.
func (c *crowd) manyRanks(from []int, to int) []spanRanks {
	many := make([]manySpans, len(from))
	c.eachSpan(from, to, func(spans [][]int64) {
		for i, some := range spans {
			many[i].count(some)
		}
	})
	for i := range many {
		many[i].part()
	}
	c.eachSpan(from, to, func(spans [][]int64) {
		for i, some := range spans {
			many[i].keep(some)
		}
	})
	ranks := make([]spanRanks, len(from))
	for i := range many {
		ranks[i] = many[i].ranks()
	}
	return ranks
}

func (m *manySpans) count(spans []int64) {
	for _, s := range spans {
		m.sum += s
		m.counts[spanPart(s)]++
	}
}

// part finds the parts of the ranks.
func (m *manySpans) part() {
	all := 0
	for _, n := range m.counts {
		all += n
	}
	m.half, m.halfRank = partOf(m.counts[:], nearestRank(all, 50))
	m.most, m.mostRank = partOf(m.counts[:], nearestRank(all, 90))
	m.inHalf, m.inMost = make([]int64, 0, m.counts[m.half]), make([]int64, 0, m.counts[m.most])
}

func (m *manySpans) keep(spans []int64) {
	for _, s := range spans {
		if part := spanPart(s); part == m.half {
			m.inHalf = append(m.inHalf, s)
		} else if part == m.most {
			m.inMost = append(m.inMost, s)
		}
	}
}

func (m *manySpans) ranks() spanRanks {
	if m.half == m.most {
		m.inMost = m.inHalf
	}
	median := ranked(m.inHalf, m.halfRank)
	return spanRanks{median: median, p90: ranked(m.inMost, m.mostRank), sum: m.sum}
}

// spanBits is how many bits of a span, from its first on, tell its part: the parts of longer spans are wider.
const (
	spanBits  = 7
	spanParts = (64 - spanBits + 2) << (spanBits - 1)
)

// spanPart returns the part of a span. Parts rise with spans.
func spanPart(span int64) int {
	more := max(bits.Len64(uint64(span))-spanBits, 0)
	return more<<(spanBits-1) + int(span>>more)
}

// partOf returns the part that a rank lies in, and the rank there.
func partOf(counts []int, rank int) (part, within int) {
	for rank >= counts[part] {
		rank -= counts[part]
		part++
	}
	return part, rank
}

// nearestRank is the rank, from 0 on, of the least of so many values that at least so many of a hundred don't exceed.
func nearestRank(n, percent int) int { return (n*percent+99)/100 - 1 }

// ranked returns the value of a rank. It changes the order of values: those before the rank are no greater then, and
// those after it no less.
func ranked(values []int64, rank int) int64 {
	// The pivot of three keeps most lists from being halved badly; what remains long after some tries is sorted.
	for range 64 {
		if len(values) < 16 {
			break
		}
		a, b, c := values[0], values[len(values)/2], values[len(values)-1]
		less, equal := partition(values, max(min(a, b), min(max(a, b), c)))
		switch {
		case rank < less:
			values = values[:less]
		case rank < equal:
			return values[less]
		default:
			values, rank = values[equal:], rank-equal
		}
	}
	slices.Sort(values)
	return values[rank]
}

// partition brings what is less than a value to the front, and what is greater to the end. It returns where
// the values that are equal begin and end.
func partition(values []int64, pivot int64) (less, equal int) {
	end := len(values)
	for equal < end {
		switch v := values[equal]; {
		case v < pivot:
			values[less], values[equal] = v, values[less]
			less++
			equal++
		case v > pivot:
			end--
			values[equal], values[end] = values[end], v
		default:
			equal++
		}
	}
	return less, equal
}

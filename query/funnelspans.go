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

// eachSpan gives the times between two steps of all actors who took both, counted from 0, some at a time.
func (c *crowd) eachSpan(from, to int, give func(spans []int64)) {
	room := make([]int64, 0, spansAtOnce)
	for i := range c.beyond {
		s := &c.beyond[i]
		if s.depth <= to {
			continue
		}
		for first, n := 0, s.count(); first < n; first += spansAtOnce {
			room = room[:0]
			for k := first; k < min(first+spansAtOnce, n); k++ {
				actor := k
				if !s.all {
					actor = int(s.which[k])
				}
				times := s.times[actor*s.depth:]
				room = append(room, int64(times[to]-times[from]))
			}
			give(room)
		}
	}
}

// spansFew is how many spans are kept and sorted out; of more, those near the ranks that are asked for are found
// first, so that no more than these are kept.
const spansFew = 4 << 10

// spans sums up the times between two steps of the actors who took both, which are so many.
func (f *funnelResult) spans(of *crowd, from, to, reached int) Value {
	var median, p90, mean Value
	if reached > 0 {
		var half, most, sum int64 // as many times as a budget has entries, each ten years, are less than 2^63
		if reached <= spansFew {
			half, most, sum = of.fewRanks(from, to, reached)
		} else {
			half, most, sum = of.manyRanks(from, to, reached)
		}
		median, p90 = Seconds(big.NewInt(half), 1), Seconds(big.NewInt(most), 1)
		mean = Seconds(big.NewInt(sum), int64(reached))
	}
	return Object(Member{"median_s", median}, Member{"p90_s", p90}, Member{"mean_s", mean})
}

// fewRanks returns the median, the 90th percentile and the sum of the times between two steps.
func (c *crowd) fewRanks(from, to, count int) (median, p90, sum int64) {
	all := make([]int64, 0, count)
	c.eachSpan(from, to, func(spans []int64) {
		all = append(all, spans...)
		for _, s := range spans {
			sum += s
		}
	})
	half := nearestRank(count, 50)
	median = ranked(all, half)
	return median, ranked(all[half:], nearestRank(count, 90)-half), sum // none before is greater
}

// manyRanks does so where there are many: those of each part are counted first, and only those of the two parts
// that have the ranks are kept.
func (c *crowd) manyRanks(from, to, count int) (median, p90, sum int64) {
	var counts [spanParts]int
	c.eachSpan(from, to, func(spans []int64) {
		for _, s := range spans {
			sum += s
			counts[spanPart(s)]++
		}
	})
	half, halfRank := partOf(counts[:], nearestRank(count, 50))
	most, mostRank := partOf(counts[:], nearestRank(count, 90))
	inHalf, inMost := make([]int64, 0, counts[half]), make([]int64, 0, counts[most])
	c.eachSpan(from, to, func(spans []int64) {
		for _, s := range spans {
			if part := spanPart(s); part == half {
				inHalf = append(inHalf, s)
			} else if part == most {
				inMost = append(inMost, s)
			}
		}
	})
	if half == most {
		inMost = inHalf
	}
	median = ranked(inHalf, halfRank)
	return median, ranked(inMost, mostRank), sum
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

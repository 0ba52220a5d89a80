package query

import (
	"math"
	"math/big"
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// depthReached are actors who came to the same depth.
type depthReached struct {
	depth  int
	groups []uint32
	spans  []uint32 // from the first step to each other one, of each actor, one actor after the other
	upper  []uint32 // the upper parts of these, in windows in which some need them
}

// spanNeedsUpper tells whether some times within a window need more than 32 bits.
func (f *funnelResult) spanNeedsUpper() bool { return f.q.Window.Milliseconds() > math.MaxUint32 }

// add adds the spans of an actor.
func (p *depthReached) add(times []event.Time, upper bool) {
	for _, t := range times[1:] {
		span := t - times[0]
		p.spans = append(p.spans, uint32(span))
		if upper {
			p.upper = append(p.upper, uint32(span>>32))
		}
	}
}

// since returns a span.
func (p *depthReached) since(at int) int64 {
	if len(p.upper) == 0 {
		return int64(p.spans[at])
	}
	return int64(p.upper[at])<<32 | int64(p.spans[at])
}

// between returns the time between two steps of an actor whose spans begin at a place.
func (p *depthReached) between(at int, pair stepPair) int64 {
	span := p.since(at + pair.to - 1)
	if pair.from > 0 {
		span -= p.since(at + pair.from - 1)
	}
	return span
}

// someSpan is a type of times between steps, in milliseconds: the narrow one is looked through in half the time.
type someSpan interface{ uint32 | int64 }

// spanSums is what is said of the times between two steps of the actors who took both.
type spanSums struct {
	count            int
	median, p90, sum int64 // as many times as a budget has entries, each ten years, are less than 2^63
}

// stepSpans are the times to a step.
type stepSpans struct{ fromStart, fromPrevious spanSums }

// stepPair are two steps, counted from 0.
type stepPair struct{ from, to int }

// reckonSpans finds what is said of the times between steps, of all actors and of some that are none of each other's.
// The times of two steps are read once for all of these, and ordered by whose they are.
func (f *funnelResult) reckonSpans(r *run, all *crowd, some []*crowd) error {
	steps := len(f.q.Steps)
	rows := 0
	var pairs []stepPair // the longest lists first
	for to := 1; to < steps; to++ {
		rows += int(all.reached(to + 1))
		if pairs = append(pairs, stepPair{0, to}); to > 1 {
			pairs = append(pairs, stepPair{to - 1, to})
		}
	}
	whose := whoseGroups(all, some)
	for _, c := range append([]*crowd{all}, some...) {
		c.spans = make([]stepSpans, steps)
	}
	return r.lookAtEach(len(pairs), rows, func(worker *run) func(int) error {
		if f.spanNeedsUpper() {
			return reckoner[int64](worker, f, pairs, all, some, whose)
		}
		return reckoner[uint32](worker, f, pairs, all, some, whose)
	})
}

// reckoner returns what a worker reckons pairs with.
func reckoner[S someSpan](worker *run, f *funnelResult, pairs []stepPair, all *crowd, some []*crowd, whose []uint32) func(i int) error {
	var room []S // that is used again for each pair
	return func(i int) error {
		room = reckonPair(f, room, pairs[i], all, some, whose)
		return worker.overBudget(8 * cap(room) / entryBytes)
	}
}

// whoseGroups tells, by group, which of some actors have it: their number, which is one above the last for groups of
// nobody.
func whoseGroups(all *crowd, some []*crowd) []uint32 {
	whose := make([]uint32, len(all.groups))
	for group := range whose {
		whose[group] = uint32(len(some))
	}
	for number, c := range some {
		for _, group := range c.groups {
			whose[group] = uint32(number)
		}
	}
	return whose
}

func reckonPair[S someSpan](f *funnelResult, room []S, pair stepPair, all *crowd, some []*crowd, whose []uint32) []S {
	count := int(all.reached(pair.to + 1))
	spans := slices.Grow(room[:0], count)[:count]
	ends := spansBetween(f, spans, pair, some, whose)
	from := 0
	for i, c := range some {
		c.spans[pair.to].set(pair, sumUp(spans[from:ends[i]]))
		from = ends[i]
	}
	all.spans[pair.to].set(pair, sumUp(spans)) // in whatever order they are now
	return spans
}

// set enters what is said of the times between two steps.
func (s *stepSpans) set(pair stepPair, sums spanSums) {
	if pair.from == 0 {
		s.fromStart = sums
	}
	if pair.from == pair.to-1 {
		s.fromPrevious = sums
	}
}

// spansBetween enters the times between two steps of all actors who took both, those of each of some one after the
// other. It returns where these end.
func spansBetween[S someSpan](f *funnelResult, spans []S, pair stepPair, some []*crowd, whose []uint32) []int {
	ends := make([]int, len(some)+1) // where the next one is entered, until all are
	next := 0
	for i, c := range some {
		ends[i] = next
		next += int(c.reached(pair.to + 1))
	}
	ends[len(some)] = next
	for _, p := range f.parts() {
		if p.depth <= pair.to {
			continue
		}
		for i, group := range p.groups {
			end := &ends[whose[group]]
			spans[*end] = S(p.between(i*(p.depth-1), pair))
			*end++
		}
	}
	return ends
}

// spansFew is how many spans are sorted out as they are; of more, those near the ranks that are asked for are found
// first, as what comes in no order is counted more quickly than it is compared.
const spansFew = 1 << 10

// sumUp sums up times between two steps. It changes their order.
func sumUp[S someSpan](spans []S) (s spanSums) {
	if s.count = len(spans); s.count == 0 {
		return s
	}
	if s.count <= spansFew {
		s.median, s.p90 = fewRanks(spans)
	} else {
		s.median, s.p90 = manyRanks(spans)
	}
	for _, span := range spans {
		s.sum += int64(span)
	}
	return s
}

// value shows them; there is nothing to say where nobody took both steps.
func (s *spanSums) value() Value {
	var median, p90, mean Value
	if s.count > 0 {
		median, p90 = Seconds(big.NewInt(s.median), 1), Seconds(big.NewInt(s.p90), 1)
		mean = Seconds(big.NewInt(s.sum), int64(s.count))
	}
	return Object(Member{"median_s", median}, Member{"p90_s", p90}, Member{"mean_s", mean})
}

// fewRanks returns the median and the 90th percentile.
func fewRanks[S someSpan](spans []S) (median, p90 int64) {
	half := nearestRank(len(spans), 50)
	median = int64(ranked(spans, half))
	return median, int64(ranked(spans[half:], nearestRank(len(spans), 90)-half)) // none before is greater
}

// manyRanks does so where there are many: those of each part are counted first, and only those of the two parts
// that have the ranks are looked through.
func manyRanks[S someSpan](spans []S) (median, p90 int64) {
	var counts [spanParts]int
	for _, s := range spans {
		counts[spanPart(int64(s))]++
	}
	half, halfRank := partOf(counts[:], nearestRank(len(spans), 50))
	most, mostRank := partOf(counts[:], nearestRank(len(spans), 90))
	inHalf, inMost := make([]S, 0, counts[half]), make([]S, 0, counts[most])
	halfFrom, halfWidth := partBounds(half)
	mostFrom, mostWidth := partBounds(most)
	for _, s := range spans {
		if uint64(s)-halfFrom < halfWidth {
			inHalf = append(inHalf, s)
		} else if uint64(s)-mostFrom < mostWidth {
			inMost = append(inMost, s)
		}
	}
	if half == most {
		inMost = inHalf
	}
	median = int64(ranked(inHalf, halfRank))
	return median, int64(ranked(inMost, mostRank))
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

// partBounds returns the first span of a part, and how many spans it has.
func partBounds(part int) (from, width uint64) {
	more := max(part>>(spanBits-1)-1, 0)
	return uint64(part-more<<(spanBits-1)) << more, 1 << more
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
func ranked[S someSpan](values []S, rank int) S {
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
func partition[S someSpan](values []S, pivot S) (less, equal int) {
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

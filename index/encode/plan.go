package encode

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// AppendInts encodes values behind dst. It panics where there are more than IntsMax. What the codecs
// would cost is counted in two passes over the values; only the one that is taken makes its lists.
func AppendInts[T uint32 | uint64](dst []byte, values []T) []byte {
	if len(values) > IntsMax {
		panic("encode: a column chunk of more than IntsMax values")
	}
	steps := stepsOf(values)
	best := planOf(uint64(steps.least), lengthsOf(values, steps.least), len(values))
	codec, cost := byte(intsPacked), best.bits
	runs := runsOf(values, steps.runs, cost)
	// Short runs take three times as long as unpacking does: half the space is worth that.
	if c := runs.lengthPlan.bits + runs.valuePlan.bits; runs.fits && 2*c < cost {
		codec, cost = intsRuns, c
	}
	deltas, bases := planOf(0, steps.lengths, len(values)), planPacked(steps.bases)
	// Sums take about as long as unpacking does: an eighth less space is worth that.
	if c := deltas.bits + bases.bits; c+c/8 < cost {
		codec = intsDelta
	}
	dst = append(dst, codec)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	switch codec {
	case intsRuns:
		dst = binary.AppendUvarint(dst, uint64(len(runs.values)))
		dst = appendBody(dst, runs.lengths, runs.lengthPlan)
		return appendBody(dst, runs.values, runs.valuePlan)
	case intsDelta:
		dst = append(dst, steps.order)
		dst = appendBody(dst, steps.bases, bases)
		return appendBody(dst, deltasOf(values, steps.order), deltas)
	}
	return appendBody(dst, values, best)
}

// bitLengths counts values by how many bits they need.
type bitLengths [65]int

// packPlan says how a packed body will be made, and what it costs.
type packPlan struct {
	base       uint64
	width      int
	wide       int // width of the greatest value
	exceptions int
	bits       int
}

func planPacked[T uint32 | uint64](values []T) packPlan {
	if len(values) == 0 {
		return packPlan{}
	}
	base := slices.Min(values)
	return planOf(uint64(base), lengthsOf(values, base), len(values))
}

func lengthsOf[T uint32 | uint64](values []T, base T) *bitLengths {
	lengths := &bitLengths{}
	for _, v := range values {
		lengths[bits.Len64(uint64(v-base))]++
	}
	return lengths
}

func planOf(base uint64, lengths *bitLengths, count int) packPlan {
	if count == 0 {
		return packPlan{}
	}
	wide := 64
	for wide > 0 && lengths[wide] == 0 {
		wide--
	}
	most := ^uint64(0)
	if wide < 64 {
		most = 1<<wide - 1
	}
	plan := packPlan{base: base, width: packWidth(most), wide: wide}
	plan.bits = count * plan.width
	exceptions, whole := 0, plan.bits
	for width := wide - 1; width >= 0; width-- {
		exceptions += lengths[width+1]
		if width > 57 {
			continue
		}
		// A twentieth is the price of the second pass over the exceptions.
		cost := count*width + exceptions*(16+wide-width) + 32
		if cost < plan.bits && cost+whole/20 < whole {
			plan.width, plan.exceptions, plan.bits = width, exceptions, cost
		}
	}
	return plan
}

func appendBody[T uint32 | uint64](dst []byte, values []T, plan packPlan) []byte {
	dst = binary.AppendUvarint(dst, plan.base)
	dst = append(dst, byte(plan.width))
	dst = binary.AppendUvarint(dst, uint64(plan.exceptions))
	dst = appendPacked(dst, values, T(plan.base), plan.width)
	if plan.exceptions == 0 {
		return dst
	}
	positions, highs := make([]uint64, 0, plan.exceptions), make([]uint64, 0, plan.exceptions)
	for i, v := range values {
		if high := uint64(v-T(plan.base)) >> plan.width; high != 0 {
			positions, highs = append(positions, uint64(i)), append(highs, high)
		}
	}
	for _, list := range [][]uint64{positions, highs} {
		width := packWidth(slices.Max(list))
		dst = append(dst, byte(width))
		dst = appendPacked(dst, list, 0, width)
	}
	return dst
}

type runLengths[T uint32 | uint64] struct {
	fits                  bool
	lengths, values       []T
	lengthPlan, valuePlan packPlan
}

// runsOf makes the runs, of which there are count, unless they can't cost less than most bits.
func runsOf[T uint32 | uint64](values []T, count, most int) runLengths[T] {
	if count == 0 || count > len(values)/2 || count*4 > most {
		return runLengths[T]{}
	}
	r := runLengths[T]{fits: true, lengths: make([]T, 0, count), values: make([]T, 0, count)}
	start := 0
	for i, v := range values {
		if i+1 == len(values) || values[i+1] != v {
			r.values, r.lengths = append(r.values, v), append(r.lengths, T(i+1-start))
			start = i + 1
		}
	}
	r.lengthPlan, r.valuePlan = planPacked(r.lengths), planPacked(r.values)
	return r
}

// steps says how values differ from the one before.
type steps[T uint32 | uint64] struct {
	least   T
	runs    int
	order   byte
	bases   []T // the first value of every deltaBlock
	lengths *bitLengths
}

func stepsOf[T uint32 | uint64](values []T) steps[T] {
	s := steps[T]{lengths: &bitLengths{}}
	if len(values) == 0 {
		return s
	}
	if !slices.IsSorted(values) {
		s.order = 1
	}
	last := values[0]
	s.least, s.runs = last, 1
	for block := range slices.Chunk(values, deltaBlock) {
		s.bases = append(s.bases, block[0])
		if block[0] != last {
			s.runs++
		}
		last = block[0]
		for _, v := range block {
			d := uint64(v) - uint64(last)
			if d != 0 {
				s.runs++
			}
			if s.order == 1 {
				d = zigzag(d)
			}
			s.lengths[bits.Len64(d)]++
			s.least = min(s.least, v)
			last = v
		}
	}
	return s
}

func deltasOf[T uint32 | uint64](values []T, order byte) []uint64 {
	deltas := make([]uint64, len(values))
	last := uint64(0)
	for i, v := range values {
		if i%deltaBlock == 0 {
			last = uint64(v)
		}
		deltas[i] = uint64(v) - last
		if order == 1 {
			deltas[i] = zigzag(deltas[i])
		}
		last = uint64(v)
	}
	return deltas
}

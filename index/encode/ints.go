package encode

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A column of unsigned integers, at most IntsMax of them. The builder tries the codecs and takes the
// smallest, with a handicap for the slower ones.
//
//	codec  1 byte
//	count  uv
//	rest   by codec:
//
//	intsPacked  a packed body of count values
//	intsRuns    runs (uv), a packed body of the runs' lengths, one of their values. No two
//	            neighbouring runs have the same value.
//	intsDelta   order (1 byte: 0 never falling, 1 any), a packed body of the first value of every
//	            deltaBlock, and one of count differences to the value before: as they are, or
//	            zigzag. The first difference of each block is 0.
//
// A packed body:
//
//	base        uv      what is added to every value
//	width       1 byte  bits of each value, see pack.go
//	exceptions  uv      how many values need more bits; in place they have their low bits only
//	values      packed
//	            where there are exceptions: the width (1 byte) of their positions, these, packed,
//	            rising; the width (1 byte) of their high bits, these, packed
const (
	intsPacked = 1
	intsRuns   = 2
	intsDelta  = 3

	// IntsMax bounds the values of one column chunk: positions fit 16 bits, and a chunk of the
	// widest codes stays at 256 KiB.
	IntsMax = 1 << 16
	// deltaBlock is how far At may have to walk. Each block costs one value of full width.
	deltaBlock = 512
)

// AppendInts encodes values behind dst. It panics where there are more than IntsMax.
func AppendInts(dst []byte, values []uint64) []byte {
	if len(values) > IntsMax {
		panic("encode: a column chunk of more than IntsMax values")
	}
	best := planPacked(values)
	codec, cost := byte(intsPacked), best.bits
	runs := runsOf(values, cost)
	if runs.fits {
		if c := runs.lengthPlan.bits + runs.valuePlan.bits; c < cost {
			codec, cost = intsRuns, c
		}
	}
	deltas := deltasOf(values)
	// Sums take about as long as unpacking does: an eighth less space is worth that.
	if c := deltas.plan.bits + deltas.basePlan.bits; c+c/8 < cost {
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
		dst = append(dst, deltas.order)
		dst = appendBody(dst, deltas.bases, deltas.basePlan)
		return appendBody(dst, deltas.values, deltas.plan)
	}
	return appendBody(dst, values, best)
}

// packPlan says how a packed body will be made, and what it costs.
type packPlan struct {
	base       uint64
	width      int
	wide       int // width of the greatest value
	exceptions int
	bits       int
}

func planPacked(values []uint64) packPlan {
	if len(values) == 0 {
		return packPlan{}
	}
	base := slices.Min(values)
	var lengths [65]int
	for _, v := range values {
		lengths[bits.Len64(v-base)]++
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
	plan.bits = len(values) * plan.width
	exceptions, whole := 0, plan.bits
	for width := wide - 1; width >= 0; width-- {
		exceptions += lengths[width+1]
		if width > 57 {
			continue
		}
		// A twentieth is the price of the second pass over the exceptions.
		cost := len(values)*width + exceptions*(16+wide-width) + 32
		if cost < plan.bits && cost+whole/20 < whole {
			plan.width, plan.exceptions, plan.bits = width, exceptions, cost
		}
	}
	return plan
}

func appendBody(dst []byte, values []uint64, plan packPlan) []byte {
	dst = binary.AppendUvarint(dst, plan.base)
	dst = append(dst, byte(plan.width))
	dst = binary.AppendUvarint(dst, uint64(plan.exceptions))
	dst = appendPacked(dst, values, plan.base, plan.width)
	if plan.exceptions == 0 {
		return dst
	}
	positions, highs := make([]uint64, 0, plan.exceptions), make([]uint64, 0, plan.exceptions)
	for i, v := range values {
		if high := (v - plan.base) >> plan.width; high != 0 {
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

type runLengths struct {
	fits                  bool
	lengths, values       []uint64
	lengthPlan, valuePlan packPlan
}

// runsOf finds the runs, unless there are so many that they can't cost less than most bits.
func runsOf(values []uint64, most int) runLengths {
	count := 0
	for i := range values {
		if i == 0 || values[i] != values[i-1] {
			count++
		}
	}
	if count == 0 || count > len(values)/2 || count*2 > most {
		return runLengths{}
	}
	r := runLengths{fits: true, lengths: make([]uint64, 0, count), values: make([]uint64, 0, count)}
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			r.values, r.lengths = append(r.values, v), append(r.lengths, 0)
		}
		r.lengths[len(r.lengths)-1]++
	}
	r.lengthPlan, r.valuePlan = planPacked(r.lengths), planPacked(r.values)
	return r
}

type deltas struct {
	order          byte
	bases, values  []uint64
	basePlan, plan packPlan
}

func deltasOf(values []uint64) deltas {
	d := deltas{values: make([]uint64, len(values))}
	if !slices.IsSorted(values) {
		d.order = 1
	}
	last := uint64(0)
	for i, v := range values {
		if i%deltaBlock == 0 {
			d.bases, last = append(d.bases, v), v
		}
		d.values[i] = v - last
		if d.order == 1 {
			d.values[i] = zigzag(v - last)
		}
		last = v
	}
	d.basePlan, d.plan = planPacked(d.bases), planPacked(d.values)
	return d
}

// zigzag maps differences, which wrap around, to numbers that are small for small differences.
func zigzag(d uint64) uint64   { return d<<1 ^ uint64(int64(d)>>63) }
func unzigzag(z uint64) uint64 { return z>>1 ^ -(z & 1) }

// Ints is a decoded column of integers. It aliases the bytes that it was parsed from.
type Ints struct {
	codec  byte
	count  int
	order  byte
	values packed   // packed: the values; runs: the runs' values; delta: the differences
	bases  packed   // delta only
	ends   []uint32 // runs only: the row behind each run
}

// packed is one packed body.
type packed struct {
	count, width int
	base         uint64
	bits         []byte
	positions    []uint32
	highs        []uint64
}

// ParseInts checks src as a whole and keeps it.
func ParseInts(src []byte) (Ints, error) {
	r := reader{rest: src}
	head := r.bytes(1)
	if head == nil {
		return Ints{}, damaged("an empty column of integers")
	}
	c := Ints{codec: head[0], count: r.length(IntsMax)}
	ok := true
	switch c.codec {
	case intsPacked:
		c.values, ok = readBody(&r, c.count)
	case intsRuns:
		ok = c.readRuns(&r)
	case intsDelta:
		order := r.bytes(1)
		if order == nil || order[0] > 1 {
			return Ints{}, damaged("order of differences")
		}
		c.order = order[0]
		if c.bases, ok = readBody(&r, (c.count+deltaBlock-1)/deltaBlock); ok {
			c.values, ok = readBody(&r, c.count)
		}
		for at := 0; ok && at < c.count; at += deltaBlock {
			ok = c.values.at(at) == 0
		}
	default:
		return Ints{}, damaged("codec %d of integers is unknown", c.codec)
	}
	if !ok || r.bad || len(r.rest) != 0 {
		return Ints{}, damaged("a column of %d integers", c.count)
	}
	return c, nil
}

func (c *Ints) readRuns(r *reader) bool {
	runs := r.length(c.count)
	lengths, ok := readBody(r, runs)
	if !ok {
		return false
	}
	if c.values, ok = readBody(r, runs); !ok {
		return false
	}
	c.ends = make([]uint32, runs)
	unpackBody(c.ends, &lengths)
	end := uint64(0)
	for i, length := range c.ends {
		end += uint64(length)
		if length == 0 || end > uint64(c.count) {
			return false
		}
		c.ends[i] = uint32(end)
	}
	return end == uint64(c.count)
}

func readBody(r *reader, count int) (packed, bool) {
	p := packed{count: count, base: r.uvarint()}
	width := r.bytes(1)
	exceptions := r.length(count)
	if r.bad || width == nil || !validWidth(int(width[0])) {
		return p, false
	}
	p.width = int(width[0])
	p.bits = r.bytes(packedBytes(count, p.width))
	if r.bad || exceptions == 0 {
		return p, !r.bad
	}
	positions, ok := readList(r, exceptions)
	if !ok {
		return p, false
	}
	highs, ok := readList(r, exceptions)
	if !ok || p.width == 64 {
		return p, false
	}
	p.positions, p.highs = make([]uint32, exceptions), highs
	for i, at := range positions {
		if at >= uint64(count) || i > 0 && at <= positions[i-1] || bits.Len64(highs[i])+p.width > 64 || highs[i] == 0 {
			return p, false
		}
		p.positions[i] = uint32(at)
	}
	return p, true
}

func readList(r *reader, count int) ([]uint64, bool) {
	width := r.bytes(1)
	if width == nil || !validWidth(int(width[0])) {
		return nil, false
	}
	src := r.bytes(packedBytes(count, int(width[0])))
	if r.bad {
		return nil, false
	}
	list := make([]uint64, count)
	unpack(list, src, int(width[0]), 0)
	return list, true
}

// Len returns how many values there are.
func (c *Ints) Len() int { return c.count }

// At returns value i. It panics where there is none.
func (c *Ints) At(i int) uint64 {
	if uint(i) >= uint(c.count) {
		panic("encode: no such value in a column of integers")
	}
	switch c.codec {
	case intsRuns:
		run, _ := slices.BinarySearch(c.ends, uint32(i)+1)
		return c.values.at(run)
	case intsDelta:
		sum := c.bases.at(i / deltaBlock)
		for j := i/deltaBlock*deltaBlock + 1; j <= i; j++ {
			d := c.values.at(j)
			if c.order == 1 {
				d = unzigzag(d)
			}
			sum += d
		}
		return sum
	}
	return c.values.at(i)
}

func (p *packed) at(i int) uint64 {
	v := packedAt(p.bits, p.width, i)
	if len(p.positions) > 0 {
		if k, found := slices.BinarySearch(p.positions, uint32(i)); found {
			v |= p.highs[k] << p.width
		}
	}
	return p.base + v
}

// Unpack32 fills dst, which must have Len elements, with the low 32 bits of the values.
func (c *Ints) Unpack32(dst []uint32) { UnpackInts(c, dst) }

// Unpack64 fills dst, which must have Len elements, with the values.
func (c *Ints) Unpack64(dst []uint64) { UnpackInts(c, dst) }

// UnpackInts fills dst, which must have Len elements, with the values, or with as many of their low
// bits as it has.
func UnpackInts[T number](c *Ints, dst []T) {
	dst = dst[:c.count:c.count]
	switch c.codec {
	case intsRuns:
		values := make([]T, len(c.ends))
		unpackBody(values, &c.values)
		start := 0
		for i, end := range c.ends {
			Fill(dst, start, int(end), values[i])
			start = int(end)
		}
	case intsDelta:
		if most := c.values.most(); c.order == 1 && uint64(T(most)) != most {
			unpackNarrow(c, dst)
			return
		}
		unpackBody(dst, &c.values)
		for block := range c.bases.count {
			from := block * deltaBlock
			sumUp(dst[from:min(from+deltaBlock, len(dst))], T(c.bases.at(block)), c.order == 1)
		}
	default:
		unpackBody(dst, &c.values)
	}
}

// Fill sets dst[from:to] to v. It may set elements behind to, as well, which the caller fills next:
// most runs are short, and eight stores without a question are faster than a loop with one.
func Fill[T number](dst []T, from, to int, v T) {
	for ; from < to && from+8 <= len(dst); from += 8 {
		d := dst[from : from+8 : from+8]
		d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = v, v, v, v, v, v, v, v
	}
	for ; from < to; from++ {
		dst[from] = v
	}
}

// unpackNarrow takes the way through 64 bits: a zigzag difference of 33 bits can stand between two
// values of 32, and its upper bit is needed.
func unpackNarrow[T number](c *Ints, dst []T) {
	wide := make([]uint64, c.count)
	UnpackInts(c, wide)
	for i, v := range wide {
		dst[i] = T(v)
	}
}

// most returns a bound of the values. Where their sum with the base wraps around, it is the greatest
// number.
func (p *packed) most() uint64 {
	high := uint64(0)
	if len(p.highs) > 0 {
		high = slices.Max(p.highs) << p.width
	}
	if p.width > 0 {
		high |= widthMask(p.width)
	}
	if sum := p.base + high; sum >= high {
		return sum
	}
	return ^uint64(0)
}

// sumUp turns differences into values.
func sumUp[T number](values []T, first T, zigzagged bool) {
	sum := first
	if !zigzagged {
		for i, d := range values {
			sum += d
			values[i] = sum
		}
		return
	}
	for i, z := range values {
		sum += T(unzigzag(uint64(z)))
		values[i] = sum
	}
}

func unpackBody[T number](dst []T, p *packed) {
	unpack(dst, p.bits, p.width, T(p.base))
	for k, at := range p.positions {
		dst[at] += T(p.highs[k] << p.width)
	}
}

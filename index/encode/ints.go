package encode

import (
	"math/bits"
	"slices"
)

// A column of unsigned integers, at most IntsMax of them. The builder (plan.go) takes the codec that
// makes the fewest bytes, with a handicap for the slower ones.
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
	var ok bool
	if p.positions, ok = readList[uint32](r, exceptions, 16); !ok {
		return p, false
	}
	if p.highs, ok = readList[uint64](r, exceptions, 64); !ok || p.width == 64 {
		return p, false
	}
	for i, at := range p.positions {
		if at >= uint32(count) || i > 0 && at <= p.positions[i-1] || bits.Len64(p.highs[i])+p.width > 64 || p.highs[i] == 0 {
			return p, false
		}
	}
	return p, true
}

func readList[T number](r *reader, count, widthMax int) ([]T, bool) {
	width := r.bytes(1)
	if width == nil || !validWidth(int(width[0])) || int(width[0]) > widthMax {
		return nil, false
	}
	src := r.bytes(packedBytes(count, int(width[0])))
	if r.bad {
		return nil, false
	}
	list := make([]T, count)
	unpack(list, src, int(width[0]), 0)
	return list, true
}

// Bytes returns about how much memory they take.
func (c *Ints) Bytes() int { return c.values.bytes() + c.bases.bytes() + 4*len(c.ends) }

func (p *packed) bytes() int { return len(p.bits) + 4*len(p.positions) + 8*len(p.highs) }

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
		return c.bases.at(i/deltaBlock) + c.sumTo(i)
	}
	return c.values.at(i)
}

// sumTo returns the sum of the differences of value i's block, up to its own.
func (c *Ints) sumTo(i int) (sum uint64) {
	p := &c.values
	from := i/deltaBlock*deltaBlock + 1
	k, _ := slices.BinarySearch(p.positions, uint32(from))
	for j := from; j <= i; j++ {
		d := p.base + packedAt(p.bits, p.width, j)
		if k < len(p.positions) && p.positions[k] == uint32(j) {
			d += p.highs[k] << p.width
			k++
		}
		if c.order == 1 {
			d = unzigzag(d)
		}
		sum += d
	}
	return sum
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
			unpackThrough64(c, dst)
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

// unpackThrough64 takes the way through 64 bits: a zigzag difference of 33 bits can stand between two
// values of 32, and its upper bit is needed.
func unpackThrough64[T number](c *Ints, dst []T) {
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

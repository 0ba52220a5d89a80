package encode

import "slices"

// UnpackPart fills dst with the values from number from on, or with as many of their low bits as it has. There must be
// so many.
func UnpackPart[T number](c *Ints, from int, dst []T) {
	if uint(from) > uint(c.count) || len(dst) > c.count-from {
		panic("encode: no such values in a column of integers")
	}
	switch {
	case len(dst) == c.count:
		UnpackInts(c, dst)
	case len(dst) == 0:
	case c.codec == intsRuns:
		unpackSomeRuns(c, from, dst)
	case c.codec == intsDelta:
		unpackSomeSums(c, from, dst)
	default:
		unpackSome(dst, &c.values, from)
	}
}

func unpackSomeRuns[T number](c *Ints, from int, dst []T) {
	run, _ := slices.BinarySearch(c.ends, uint32(from)+1)
	for at := 0; at < len(dst); run++ {
		end := min(int(c.ends[run])-from, len(dst))
		Fill(dst, at, end, T(c.values.at(run)))
		at = end
	}
}

func unpackSomeSums[T number](c *Ints, from int, dst []T) {
	if most := c.values.most(); c.order == 1 && uint64(T(most)) != most {
		wide := make([]uint64, len(dst))
		unpackSomeSums(c, from, wide)
		for i, v := range wide {
			dst[i] = T(v)
		}
		return
	}
	unpackSome(dst, &c.values, from)
	// The difference of the first is replaced: the sum of those before it in its block is in what it has.
	sum := c.At(from)
	for at := 0; at < len(dst); {
		block := (from + at) / deltaBlock
		end := min((block+1)*deltaBlock-from, len(dst))
		if at > 0 {
			sum = c.bases.at(block)
		}
		dst[at] = 0
		sumUp(dst[at:end], T(sum), c.order == 1)
		at = end
	}
}

// unpackSome fills dst with the values of a body from number from on.
func unpackSome[T number](dst []T, p *packed, from int) {
	lead := min(-from&(packGroup-1), len(dst)) // up to where a number begins on a byte
	for i := range dst[:lead] {
		dst[i] = T(p.base) + T(packedAt(p.bits, p.width, from+i))
	}
	if rest := dst[lead:]; len(rest) > 0 {
		unpack(rest, p.bits[(from+lead)/packGroup*p.width:], p.width, T(p.base))
	}
	k, _ := slices.BinarySearch(p.positions, uint32(from))
	for ; k < len(p.positions) && int(p.positions[k]) < from+len(dst); k++ {
		dst[int(p.positions[k])-from] += T(p.highs[k] << p.width)
	}
}

package ids

import "encoding/binary"

// A rest holds what the filter doesn't of the hashes of a stretch of buckets, in their order.
//
//	lows    lowBytes each   the lower bits
//	highs   highBits each   the bits above, the lowest first, one behind the other; then zero bits up to
//	                        a whole byte
//	values  valueBits each  in the same way; none in a run of ids
type rest struct {
	lows          []byte
	lowBytes      int
	highs, values bitList
	count         int
}

// restWriter gathers the hashes of one rest.
type restWriter struct{ highs, lows, values []uint64 }

func (w *restWriter) reset() { w.highs, w.lows, w.values = w.highs[:0], w.lows[:0], w.values[:0] }

func (w *restWriter) add(high, low uint64, value uint32) {
	w.highs, w.lows, w.values = append(w.highs, high), append(w.lows, low), append(w.values, uint64(value))
}

// appendTo writes the rest behind dst.
func (w *restWriter) appendTo(dst []byte, s shape) []byte {
	for _, low := range w.lows {
		dst = binary.LittleEndian.AppendUint64(dst, low)
		dst = dst[:len(dst)-8+s.lowBytes()]
	}
	return appendBits(appendBits(dst, w.highs, s.highBits()), w.values, s.valueBits)
}

// appendBits writes numbers of so many bits behind dst.
func appendBits(dst []byte, numbers []uint64, width int) []byte {
	held, bits := uint64(0), 0 // fewer than 8 bits are held when a number comes, which has 49 at most
	for _, number := range numbers {
		held |= number << bits
		for bits += width; bits >= 8; bits -= 8 {
			dst = append(dst, byte(held))
			held >>= 8
		}
	}
	if bits > 0 {
		dst = append(dst, byte(held))
	}
	return dst
}

// openRest takes the rest of count hashes apart.
func openRest(plain []byte, count int, s shape) (rest, error) {
	lows, highBytes, valueBytes := count*s.lowBytes(), bitBytes(count, s.highBits()), bitBytes(count, s.valueBits)
	if len(plain) != lows+highBytes+valueBytes {
		return rest{}, damaged("rest of %d hashes has %d bytes", count, len(plain))
	}
	high := plain[lows:]
	r := rest{plain[:lows], s.lowBytes(), bitList{high[:highBytes], uint(s.highBits())}, bitList{high[highBytes:], uint(s.valueBits)}, count}
	if !r.highs.endsWithZeros(count) || !r.values.endsWithZeros(count) {
		return rest{}, damaged("rest of %d hashes doesn't end with zeros", count)
	}
	return r, nil
}

func (r rest) at(i int) (high, low uint64) {
	src := r.lows[i*r.lowBytes:]
	if r.lowBytes == 8 {
		return r.highs.at(i), binary.LittleEndian.Uint64(src)
	}
	return r.highs.at(i), uint64(binary.LittleEndian.Uint32(src)) | uint64(src[4])<<32
}

func (r rest) value(i int) uint32 { return uint32(r.values.at(i)) }

// bitList is numbers of width bits each.
type bitList struct {
	bytes []byte
	width uint
}

// bitBytes returns how many bytes count numbers take.
func bitBytes(count, width int) int { return (count*width + 7) / 8 }

func (l bitList) endsWithZeros(count int) bool {
	spare := 8*uint(len(l.bytes)) - uint(count)*l.width
	return spare == 0 || l.bytes[len(l.bytes)-1]>>(8-spare) == 0
}

func (l bitList) at(i int) uint64 {
	bit := uint(i) * l.width
	src := l.bytes[bit/8:]
	if len(src) < 8 {
		var last [8]byte
		copy(last[:], src)
		src = last[:]
	}
	return binary.LittleEndian.Uint64(src) >> (bit % 8) & (1<<l.width - 1)
}

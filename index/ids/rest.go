package ids

import "encoding/binary"

// A rest holds what the filter doesn't of the hashes of a stretch of buckets, in their order.
//
//	lows   8 bytes each   the lower 64 bits
//	highs  highBits each  the bits above, the lowest first, one behind the other; then zero bits up to
//	                      a whole byte
type rest struct {
	lows, highs []byte
	width       uint
	count       int
}

// restWriter gathers the hashes of one rest.
type restWriter struct{ highs, lows []uint64 }

func (w *restWriter) reset() { w.highs, w.lows = w.highs[:0], w.lows[:0] }

func (w *restWriter) add(high, low uint64) {
	w.highs, w.lows = append(w.highs, high), append(w.lows, low)
}

// appendTo writes the rest behind dst.
func (w *restWriter) appendTo(dst []byte, width int) []byte {
	for _, low := range w.lows {
		dst = binary.LittleEndian.AppendUint64(dst, low)
	}
	held, bits := uint64(0), 0 // fewer than 8 bits are held when a value comes, which has 49 at most
	for _, high := range w.highs {
		held |= high << bits
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
func openRest(plain []byte, count, width int) (rest, error) {
	highBytes := (count*width + 7) / 8
	if len(plain) != 8*count+highBytes {
		return rest{}, damaged("rest of %d hashes has %d bytes", count, len(plain))
	}
	r := rest{plain[:8*count], plain[8*count:], uint(width), count}
	if spare := uint(8*highBytes - count*width); spare > 0 && r.highs[highBytes-1]>>(8-spare) != 0 {
		return rest{}, damaged("rest of %d hashes doesn't end with zeros", count)
	}
	return r, nil
}

func (r rest) at(i int) (high, low uint64) {
	bit := uint(i) * r.width
	src := r.highs[bit/8:]
	if len(src) < 8 {
		var last [8]byte
		copy(last[:], src)
		src = last[:]
	}
	return binary.LittleEndian.Uint64(src) >> (bit % 8) & (1<<r.width - 1), binary.LittleEndian.Uint64(r.lows[8*i:])
}

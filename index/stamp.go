package index

import (
	"hash/crc64"
	"math/bits"
	"sync"
)

// The stamp is the CRC-64 of the header's records, then of all pieces. But the records are complete
// only when the pieces are made, and pieces are packed one by one. So each has a sum of its own, and
// sums are joined: a CRC is linear, and what n bytes of zeros behind it make of one is a matrix, the
// product of those for powers of two.

// sumMatrix says what becomes of each bit of a CRC-64.
type sumMatrix [64]uint64

func (m *sumMatrix) times(sum uint64) (out uint64) {
	for ; sum != 0; sum &= sum - 1 {
		out ^= m[bits.TrailingZeros64(sum)]
	}
	return out
}

// zeros are the matrices for 1, 2, 4, 8 and so on zero bytes behind a sum.
var zeros = sync.OnceValue(func() *[31]sumMatrix {
	var all [31]sumMatrix
	for bit := range 64 {
		// Of a byte's eight steps, each shifts out the lowest bit.
		sum := uint64(1) << bit
		for range 8 {
			sum = sum>>1 ^ crc64.ECMA*(sum&1)
		}
		all[0][bit] = sum
	}
	for i := 1; i < len(all); i++ {
		for bit := range 64 {
			all[i][bit] = all[i-1].times(all[i-1][bit])
		}
	}
	return &all
})

// joinSums returns the CRC-64 of what has the sum first, then so many bytes that have the sum second.
func joinSums(first, second uint64, bytes int) uint64 {
	for i := 0; bytes>>i != 0; i++ {
		if bytes>>i&1 == 1 {
			first = zeros()[i].times(first)
		}
	}
	return first ^ second
}

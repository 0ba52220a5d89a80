package ids

import (
	"encoding/binary"
	"math/bits"
)

// A filter holds the remainders of a stretch of buckets, and so answers "no" to nearly all hashes
// that aren't there; for the others it says where their rests are.
//
//	before  2 bytes per block  how many hashes the blocks before it have
//	blocks  of 64 buckets:
//	        occupied  8 bytes  bit i: bucket i has hashes
//	        hashes    1 byte each, by bucket, then remainder: the remainder, and 128 where a bucket
//	                  begins
//	zeros   8 bytes
//
// Where block j begins follows from before: every block has 8 bytes, every hash 1. The zeros let
// a reader take eight bytes at a time.
const (
	blockBeforeBytes = 2
	blockHeadBytes   = 8
	filterTail       = 8

	remainderMask = 1<<remainderBits - 1
	bucketStart   = 1 << remainderBits
	eachByte      = 0x0101010101010101 // times a byte: eight of it
	bucketStarts  = bucketStart * eachByte
)

// filterWriter gathers the hashes of one filter.
type filterWriter struct {
	before   []byte
	occupied [filterBuckets / blockBuckets]uint64
	hashes   []byte
	counts   [filterBuckets / blockBuckets]int
	last     int // bucket of the hash before
}

func (w *filterWriter) reset() { *w = filterWriter{before: w.before, hashes: w.hashes[:0], last: -1} }

// add takes the next hash; bucket counts from the filter's first.
func (w *filterWriter) add(bucket int, remainder byte) {
	block := bucket / blockBuckets
	if bucket != w.last {
		w.occupied[block] |= 1 << (bucket % blockBuckets)
		w.last = bucket
		remainder |= bucketStart
	}
	w.hashes = append(w.hashes, remainder)
	w.counts[block]++
}

// appendTo writes the filter of so many blocks behind dst.
func (w *filterWriter) appendTo(dst []byte, blocks int) []byte {
	before := 0
	for _, n := range w.counts[:blocks] {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(before))
		before += n
	}
	rest := w.hashes
	for j, n := range w.counts[:blocks] {
		dst = binary.LittleEndian.AppendUint64(dst, w.occupied[j])
		dst = append(dst, rest[:n]...)
		rest = rest[n:]
	}
	return append(dst, make([]byte, filterTail)...)
}

// filter is the bytes of one that openFilter has checked.
type filter struct {
	plain  []byte
	blocks int
}

// openFilter checks that every look-up stays in its bounds, and that every bucket that has hashes
// has them. It doesn't check that remainders rise: who reads all hashes does.
func openFilter(plain []byte, blocks int) (filter, error) {
	f := filter{plain, blocks}
	heads := blocks * (blockBeforeBytes + blockHeadBytes)
	if len(plain) < heads+filterTail || len(plain)-heads-filterTail > restIDsMax*filterBuckets/restBuckets {
		return filter{}, damaged("filter of %d bytes has %d blocks", len(plain), blocks)
	}
	if f.before(0) != 0 || binary.LittleEndian.Uint64(plain[len(plain)-filterTail:]) != 0 {
		return filter{}, damaged("filter doesn't begin and end with zeros")
	}
	for block := range blocks {
		from, to := f.before(block), f.before(block+1)
		if to < from || to > f.len() || !f.blockIsSound(block, to-from) {
			return filter{}, damaged("block %d of a filter", block)
		}
	}
	return f, nil
}

func (f filter) blockIsSound(block, count int) bool {
	at := f.offset(block)
	hashes := f.plain[at+blockHeadBytes:]
	occupied := bits.OnesCount64(binary.LittleEndian.Uint64(f.plain[at:]))
	if count == 0 {
		return occupied == 0
	}
	starts, i := 0, 0
	for ; i+8 <= count; i += 8 {
		starts += bits.OnesCount64(binary.LittleEndian.Uint64(hashes[i:]) & bucketStarts)
	}
	for ; i < count; i++ {
		starts += int(hashes[i] >> remainderBits)
	}
	return starts == occupied && hashes[0]&bucketStart != 0
}

// len returns how many hashes there are.
func (f filter) len() int {
	return len(f.plain) - f.blocks*(blockBeforeBytes+blockHeadBytes) - filterTail
}

// before returns how many hashes the blocks before this one have.
func (f filter) before(block int) int {
	if block >= f.blocks {
		return f.len()
	}
	return int(binary.LittleEndian.Uint16(f.plain[block*blockBeforeBytes:]))
}

func (f filter) offset(block int) int {
	return f.blocks*blockBeforeBytes + block*blockHeadBytes + f.before(block)
}

// find returns the hashes of a bucket that have the remainder, by their numbers in the filter.
func (f filter) find(bucket int, remainder byte) (from, to int) {
	block := bucket / blockBuckets
	before := int(binary.LittleEndian.Uint16(f.plain[block*blockBeforeBytes:]))
	head := f.plain[f.blocks*blockBeforeBytes+block*blockHeadBytes+before:]
	occupied := binary.LittleEndian.Uint64(head)
	bit := uint64(1) << (bucket % blockBuckets)
	if occupied&bit == 0 {
		return 0, 0
	}
	hashes := head[blockHeadBytes:]
	start := nthStart(hashes, bits.OnesCount64(occupied&(bit-1)))
	if next := binary.LittleEndian.Uint64(hashes[start:]); surelyWithout(next, remainder) {
		return 0, 0
	}
	end, limit := start+1, f.before(block+1)-before
	for end < limit && hashes[end]&bucketStart == 0 {
		end++
	}
	for start < end && hashes[start]&remainderMask < remainder {
		start++
	}
	for from = start; start < end && hashes[start]&remainderMask == remainder; start++ {
	}
	return before + from, before + start
}

// surelyWithout reports whether the bucket that begins in the first of eight bytes ends in them, and
// doesn't have the remainder. It is the answer to nearly all new hashes, so it decides nothing byte by
// byte, which a processor can't foresee. Bytes behind the block can only make it unsure.
func surelyWithout(eight uint64, remainder byte) bool {
	starts := eight & bucketStarts &^ bucketStart // of the buckets that follow
	inBucket := starts&-starts - 1                // bits below the next start; all, where there is none
	differs := eight&(eachByte*remainderMask) ^ eachByte*uint64(remainder)
	equals := bucketStarts &^ (differs + eachByte*remainderMask)
	return starts != 0 && equals&inBucket == 0
}

// nthStart returns where bucket n of those that have hashes begins. There must be as many: then it
// stops before it takes the head of the next block for hashes.
func nthStart(hashes []byte, n int) int {
	for at := 0; ; at += 8 {
		starts := binary.LittleEndian.Uint64(hashes[at:]) & bucketStarts
		upTo := starts >> remainderBits * eachByte // byte i: how many begin in the bytes up to i
		count := int(upTo >> 56)
		if n < count {
			after := (upTo | bucketStarts) - eachByte*uint64(n+1)
			return at + bits.TrailingZeros64(after&bucketStarts)/8
		}
		n -= count
	}
}

// each yields the hashes of the blocks from first to end in order: their buckets in the filter, and
// their remainders.
func (f filter) each(first, end int, yield func(bucket int, remainder byte) bool) bool {
	for block := first; block < min(end, f.blocks); block++ {
		at, count := f.offset(block), f.before(block+1)-f.before(block)
		occupied := binary.LittleEndian.Uint64(f.plain[at:])
		bucket := 0
		for _, b := range f.plain[at+blockHeadBytes:][:count] {
			if b&bucketStart != 0 {
				bucket = bits.TrailingZeros64(occupied)
				occupied &= occupied - 1
			}
			if !yield(block*blockBuckets+bucket, b&remainderMask) {
				return false
			}
		}
	}
	return true
}

package ids

import (
	"fmt"

	"millimetric/index/piece"
)

// A run is a list of pieces: the head, then filters, then rests. Its head has: hashes (uv), bucket
// bits (uv), latest (sv).
//
// A hash is cut in three, from its upper end:
//
//	bucket     bucketBits  equal parts of all possible hashes
//	remainder  7 bits      in a filter, one byte per hash
//	rest       what is left, in a rest: 49 - bucketBits bits above, the others below
//
// All pieces of a kind cover equally many buckets, so that the bucket says where everything is.
const (
	magic      = "mids"
	runVersion = 2
	// longVersion is the version of runs whose hashes have HashBits. They are read; what is written of them
	// has IDBits.
	longVersion = 1

	remainderBits = 7
	// bucketIDs4 / 4 is how many hashes a bucket has on average, at most; more than half of it, at
	// least. A new hash passes the filter by chance once in 128 / 1.25 = 102 times.
	bucketIDs4 = 5
	// bucketBitsMax leaves rests an upper part, and keeps piece numbers below 2^32.
	bucketBitsMax = 40
	// valueBitsMax is the width of the numbers that other packages keep with their hashes.
	valueBitsMax = 32

	blockBuckets = 64
	// filterBuckets: a filter is 6 to 12 KiB, which is what a look-up reads where it isn't in
	// memory; much smaller ones would make too many values to store.
	filterBuckets = 1 << 13
	// restBuckets: a rest is 3 to 8 KiB. That is what a repeat costs, and a new id by chance.
	restBuckets = 1 << 9
	// restIDsMax bounds the hashes of a rest, and so keeps pieces below PieceBytesMax. Hashes that are
	// spread evenly come nowhere near: 640 are expected at most, and 2048 is 55 deviations away.
	restIDsMax = 2048

	// PieceBytesMax is the greatest size of a piece.
	PieceBytesMax = piece.BytesMax
)

// kind is what tells a run of ids.
var kind = piece.Kind{Magic: magic, Version: runVersion}

// The pieces of a run are those of any other.
type (
	// PieceID numbers the pieces of a run from 0.
	PieceID = piece.ID
	// Pieces gives the pieces of one run.
	Pieces = piece.Source
	// Emit takes a piece of a run that is being written; the head comes last.
	Emit = piece.Emit
)

// shape says how many bits the hashes of a run have, how they are cut, and how many bits of value each has
// with it.
type shape struct{ hashBits, bucketBits, valueBits int }

// shapeFor returns the shape of a run of at most count hashes.
func shapeFor(count, hashBits, valueBits int) shape {
	s := shape{hashBits: hashBits, valueBits: valueBits}
	for 4*count > bucketIDs4<<s.bucketBits {
		s.bucketBits++
	}
	if s.bucketBits > bucketBitsMax {
		panic(fmt.Sprintf("ids: a run of %d hashes", count))
	}
	return s
}

func (s shape) buckets() int { return 1 << s.bucketBits }
func (s shape) filters() int { return max(1, s.buckets()/filterBuckets) }
func (s shape) rests() int   { return max(1, s.buckets()/restBuckets) }

// blocks returns how many blocks a filter has.
func (s shape) blocks() int { return max(1, min(s.buckets(), filterBuckets)/blockBuckets) }

func (s shape) filterID(filter int) PieceID { return PieceID(1 + filter) }
func (s shape) restID(rest int) PieceID     { return PieceID(1 + s.filters() + rest) }

// bucket returns the bucket of a hash.
func (s shape) bucket(h Hash) int { return int(h.Hi >> (64 - s.bucketBits)) }

func (s shape) remainder(h Hash) byte {
	return byte(h.Hi>>(64-s.bucketBits-remainderBits)) & remainderMask
}

// highsFrom is where in a hash the upper part of a rest begins, whatever the hash's length: 56 bits are above.
const highsFrom = 128 - 56

// unused returns how many of a hash's 128 bits don't count.
func (s shape) unused() int { return 128 - s.hashBits }

// lowBytes is how many bytes the lower part of a rest has: 8 or 5.
func (s shape) lowBytes() int { return (highsFrom - s.unused()) / 8 }

// highBits is how many bits of a rest are above.
func (s shape) highBits() int { return 56 - s.bucketBits - remainderBits }

func (s shape) rest(h Hash) (high, low uint64) {
	low = h.Hi<<(64-s.unused()) | h.Lo>>s.unused()
	return h.Hi >> (highsFrom - 64) & (1<<s.highBits() - 1), low & (1<<(8*s.lowBytes()) - 1)
}

// join is what cutting was.
func (s shape) join(bucket int, remainder byte, high, low uint64) Hash {
	top := uint64(bucket)<<remainderBits | uint64(remainder)
	hi := top<<(64-s.bucketBits-remainderBits) | high<<(highsFrom-64)
	return Hash{Hi: hi | low>>(64-s.unused()), Lo: low << s.unused()}
}

// filterBytes returns the bytes of all filters of a run of count hashes, unframed.
func (s shape) filterBytes(count int) int {
	return s.filters()*(s.blocks()*(blockBeforeBytes+blockHeadBytes)+filterTail) + count
}

// restBytes returns about the bytes of all rests of a run of count hashes.
func (s shape) restBytes(count int) int {
	return count*(8*s.lowBytes()+s.highBits()+s.valueBits)/8 + s.rests()*restOverhead
}

// restOverhead is about what memory a kept rest takes besides its bytes.
const restOverhead = 128

func damaged(format string, args ...any) error { return piece.Damaged(format, args...) }

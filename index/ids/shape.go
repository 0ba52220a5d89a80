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
//	rest       what is left, in a rest
//
// All pieces of a kind cover equally many buckets, so that the bucket says where everything is.
const (
	magic      = "mids"
	runVersion = 1

	remainderBits = 7
	// bucketIDs4 / 4 is how many hashes a bucket has on average, at most; more than half of it, at
	// least. A new hash passes the filter by chance once in 128 / 1.25 = 102 times.
	bucketIDs4 = 5
	// bucketBitsMax keeps rests wider than 64 bits, and piece numbers below 2^32.
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

// shape says how the hashes of a run are cut, and how many bits of value each has with it.
type shape struct{ bucketBits, valueBits int }

// shapeFor returns the shape of a run of at most count hashes.
func shapeFor(count int) shape {
	s := shape{}
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

// highBits is how many bits of a rest are above the lower 64.
func (s shape) highBits() int { return HashBits - 64 - s.bucketBits - remainderBits }

func (s shape) rest(h Hash) (high, low uint64) {
	return h.Hi >> 8 & (1<<s.highBits() - 1), h.Hi<<56 | h.Lo>>8
}

// join is what cutting was.
func (s shape) join(bucket int, remainder byte, high, low uint64) Hash {
	top := uint64(bucket)<<remainderBits | uint64(remainder)
	return Hash{Hi: top<<(64-s.bucketBits-remainderBits) | high<<8 | low>>56, Lo: low << 8}
}

// filterBytes returns the bytes of all filters of a run of count hashes, unframed.
func (s shape) filterBytes(count int) int {
	return s.filters()*(s.blocks()*(blockBeforeBytes+blockHeadBytes)+filterTail) + count
}

// restBytes returns about the bytes of all rests of a run of count hashes.
func (s shape) restBytes(count int) int {
	return count*(64+s.highBits()+s.valueBits)/8 + s.rests()*restOverhead
}

// restOverhead is about what memory a kept rest takes besides its bytes.
const restOverhead = 128

func damaged(format string, args ...any) error { return piece.Damaged(format, args...) }

package ids

import (
	"encoding/binary"
	"fmt"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// A run is a list of pieces: the head, then filters, then rests. Each is a frame in the place of the
// run's stamp and the piece's number, but that the head has 5 bytes before it:
//
//	magic    4 bytes  "mids"
//	version  1 byte   runVersion
//	frame    of: hashes (uv), bucket bits (uv), latest (sv)
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
	PieceBytesMax = 64 << 10
)

// PieceID numbers the pieces of a run from 0.
type PieceID uint32

// Pieces gives the pieces of one run. What it returns must stay as it is until the next call.
type Pieces interface {
	Piece(id PieceID) ([]byte, error)
}

// shape says how the hashes of a run are cut.
type shape struct{ bucketBits int }

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

// head is what a run says of itself.
type head struct {
	shape
	count  int
	latest event.Time
}

func (h head) append(dst []byte, framer *encode.Framer, stamp uint64) []byte {
	plain := binary.AppendUvarint(nil, uint64(h.count))
	plain = binary.AppendUvarint(plain, uint64(h.bucketBits))
	plain = binary.AppendVarint(plain, int64(h.latest))
	dst = append(append(dst, magic...), runVersion)
	return framer.Append(dst, plain, encode.Place{Stamp: stamp}, encode.SavingNever)
}

func readHead(src []byte, stamp uint64) (head, error) {
	if len(src) < len(magic)+1 || string(src[:len(magic)]) != magic {
		return head{}, damaged("head of %d bytes isn't one", len(src))
	}
	if src[len(magic)] != runVersion {
		return head{}, damaged("run version %d is unknown", src[len(magic)])
	}
	plain, err := encode.OpenFrame(src[len(magic)+1:], encode.Place{Stamp: stamp})
	if err != nil {
		return head{}, err
	}
	count, n := binary.Uvarint(plain)
	width, m := binary.Uvarint(plain[max(n, 0):])
	if n <= 0 || m <= 0 {
		return head{}, damaged("head ends early")
	}
	latest, k := binary.Varint(plain[n+m:])
	if k <= 0 || n+m+k != len(plain) || width > bucketBitsMax || count > bucketIDs4<<width/4 {
		return head{}, damaged("head with %d hashes, %d bucket bits", count, width)
	}
	return head{shape{int(width)}, int(count), event.Time(latest)}, nil
}

func damaged(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf(format, args...)}
}

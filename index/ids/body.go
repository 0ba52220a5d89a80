package ids

import (
	"cmp"
	"fmt"
	"slices"

	"millimetric/index/piece"
)

// Body is all of a run but its head: hashes, each with a value of some bits, or of none. What a run
// keeps beside them is the matter of its head, and of the package whose run it is.
//
// Look-ups keep filters in memory, and rests, as many as ShareBodies allows. A Body is not safe for concurrent
// use: whoever merges or checks beside look-ups opens the run once more.
type Body struct {
	shape
	count  int
	stamp  uint64
	pieces Pieces
	passed uint64 // lower bits of the lower part of a rest that look-ups pass over

	// The first quota filters are kept once they have been read. Every look-up needs a random one,
	// so it doesn't matter which are kept, and nothing is gained by changing them.
	quota int
	kept  []filter
	slab  []byte
	bytes int // of the kept filters

	// nearRests are the rests that were read so far; nil where they aren't kept.
	nearRests []rest
}

// slabBytes is how much memory is taken at once for filters: each in its own allocation would waste
// a tenth.
const slabBytes = 512 << 10

// NewBody returns the body whose writer appended these counts to the head. No filter is kept until
// ShareBodies says.
func NewBody(stamp uint64, count, bucketBits, hashBits, valueBits int, pieces Pieces) *Body {
	if valueBits < 0 || valueBits > valueBitsMax {
		panic(fmt.Sprintf("ids: values of %d bits", valueBits))
	}
	return &Body{shape: shape{hashBits, bucketBits, valueBits}, count: count, stamp: stamp, pieces: pieces}
}

// ReadCounts reads from a head what AppendCounts of a writer wrote to it.
func ReadCounts(fields *piece.Fields) (count, bucketBits int) {
	count = int(fields.Uvarint(bucketIDs4 << bucketBitsMax / 4))
	bucketBits = int(fields.Uvarint(bucketBitsMax))
	if count > bucketIDs4<<bucketBits/4 {
		fields.Fail()
	}
	return count, bucketBits
}

// Len returns how many hashes there are.
func (r *Body) Len() int { return r.count }

// Stamp returns what the run was opened with.
func (r *Body) Stamp() uint64 { return r.stamp }

// PieceCount returns how many pieces the run has, its head included: their numbers are below it.
func (r *Body) PieceCount() int { return 1 + r.filters() + r.rests() }

// keptRestsMax is how many hashes a run has at most whose rests are kept, too. One new hash in a hundred
// needs a rest of each run, which costs more to read than all else that is done for its event; most runs
// are small, and what their rests take is little beside the filters of the great ones.
const keptRestsMax = 1 << 21

// ShareBodies divides bytes of memory among runs for their filters, and returns how many of these they
// may take. A look-up needs one filter of each run, whatever their sizes, so small runs come first; the
// greatest gets what is left. What filters don't need is for the rests of small runs.
func ShareBodies(bytes int, bodies []*Body) (granted int) {
	left := bytes
	order := slices.SortedFunc(slices.Values(bodies), func(a, b *Body) int { return cmp.Compare(a.filterBytes(a.count), b.filterBytes(b.count)) })
	for _, r := range order {
		whole := r.filterBytes(r.count)
		grant := min(whole, max(0, left))
		left -= grant
		if quota := r.filters() * grant / whole; quota != r.quota {
			r.keep(quota)
		}
	}
	for _, r := range order {
		whole := r.restBytes(r.count)
		keeps := r.count <= keptRestsMax && whole <= left
		if keeps {
			left -= whole
		}
		r.keepRests(keeps)
	}
	return bytes - left
}

// keep sets how many filters may be kept, and drops all that are if they are too many.
func (r *Body) keep(quota int) {
	if quota < r.quota {
		r.kept, r.slab, r.bytes = nil, nil, 0
	}
	r.quota = quota
	r.kept = append(r.kept, make([]filter, max(0, quota-len(r.kept)))...)
}

// keepRests says whether rests are kept once they have been read.
func (r *Body) keepRests(keep bool) {
	switch {
	case !keep:
		r.nearRests = nil
	case r.nearRests == nil:
		r.nearRests = make([]rest, r.rests())
	}
}

// keptFilter returns a filter that is in memory.
func (r *Body) keptFilter(number int) (filter, bool) {
	if number >= len(r.kept) {
		return filter{}, false
	}
	f := r.kept[number]
	return f, f.plain != nil
}

// loadFilter reads a filter, and keeps it where the quota allows.
func (r *Body) loadFilter(number int) (filter, error) {
	f, err := r.readFilter(number)
	if err != nil || number >= r.quota {
		return f, err
	}
	if len(r.slab)+len(f.plain) > cap(r.slab) {
		left := r.filterBytes(r.count)*r.quota/r.filters() - r.bytes
		r.slab = make([]byte, 0, max(len(f.plain), min(slabBytes, left)))
	}
	start := len(r.slab)
	r.slab = append(r.slab, f.plain...)
	f.plain = r.slab[start:len(r.slab):len(r.slab)]
	r.kept[number] = f
	r.bytes += len(f.plain)
	return f, nil
}

func (r *Body) readFilter(number int) (filter, error) {
	plain, err := r.open(r.filterID(number))
	if err != nil {
		return filter{}, err
	}
	return openFilter(plain, r.blocks())
}

func (r *Body) open(id PieceID) ([]byte, error) { return piece.Open(r.pieces, r.stamp, id) }

// candidate is the rests that a hash which passed the filter may have.
type candidate struct {
	rest     int // number of it
	count    int // of its hashes
	from, to int // in it
	hash     Hash
	at       int // of the hash in its batch
}

// candidate asks the filter of a hash.
func (r *Body) candidate(f filter, h Hash) (c candidate, passes bool) {
	bucket := r.bucket(h)
	from, to := f.find(bucket%filterBuckets, r.remainder(h))
	if from == to {
		return candidate{}, false
	}
	c = candidate{rest: bucket / restBuckets, hash: h}
	first, end := r.restRange(f, c.rest)
	c.count, c.from, c.to = end-first, from-first, to-first
	return c, true
}

// restRange returns which hashes of a filter have their rests in the given one.
func (r *Body) restRange(f filter, number int) (from, to int) {
	const blocks = restBuckets / blockBuckets
	first := number % (filterBuckets / restBuckets) * blocks
	return f.before(first), f.before(first + blocks)
}

// match reads what a candidate's rest says: where in it the hash is.
func (r *Body) match(in rest, c candidate) (at int, found bool) {
	high, low := r.rest(c.hash)
	for i := c.from; i < c.to; i++ {
		if h, l := in.at(i); h == high && (l^low)&^r.passed == 0 {
			return i, true
		}
	}
	return 0, false
}

func (r *Body) readRest(number, count int) (rest, error) {
	if r.nearRests != nil && r.nearRests[number].lows != nil {
		return r.nearRests[number], nil
	}
	if count > restIDsMax {
		return rest{}, damaged("rest %d has %d hashes", number, count)
	}
	plain, err := r.open(r.restID(number))
	if err != nil {
		return rest{}, err
	}
	in, err := openRest(plain, count, r.shape)
	if err == nil && r.nearRests != nil {
		r.nearRests[number] = in
	}
	return in, err
}

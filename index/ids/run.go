package ids

import (
	"cmp"
	"slices"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Run is a set of hashes that doesn't change. Look-ups keep filters in memory, as many as Share
// allows. A Run is not safe for concurrent use: whoever merges or checks beside look-ups opens the
// run once more.
type Run struct {
	head
	stamp  uint64
	pieces Pieces

	// The first quota filters are kept once they have been read. Every look-up needs a random one,
	// so it doesn't matter which are kept, and nothing is gained by changing them.
	quota int
	kept  []filter
	slab  []byte
	bytes int // of the kept filters
}

// slabBytes is how much memory is taken at once for filters: each in its own allocation would waste
// a tenth.
const slabBytes = 512 << 10

// Open reads the head of a run that was written with the stamp. No filter is kept until Share says.
func Open(stamp uint64, pieces Pieces) (*Run, error) {
	src, err := pieces.Piece(0)
	if err != nil {
		return nil, err
	}
	h, err := readHead(src, stamp)
	if err != nil {
		return nil, err
	}
	return &Run{head: h, stamp: stamp, pieces: pieces}, nil
}

// Len returns how many hashes there are.
func (r *Run) Len() int { return r.count }

// Latest returns when the latest of the ids arrived.
func (r *Run) Latest() event.Time { return r.latest }

// Stamp returns what Open was given.
func (r *Run) Stamp() uint64 { return r.stamp }

// PieceCount returns how many pieces there are: their numbers are below it.
func (r *Run) PieceCount() int { return 1 + r.filters() + r.rests() }

// Share divides bytes of memory among runs for their filters. A look-up needs one filter of each
// run, whatever their sizes, so small runs come first; the greatest gets what is left.
func Share(bytes int, runs []*Run) {
	order := slices.SortedFunc(slices.Values(runs), func(a, b *Run) int { return cmp.Compare(a.filterBytes(a.count), b.filterBytes(b.count)) })
	for _, r := range order {
		whole := r.filterBytes(r.count)
		grant := min(whole, max(0, bytes))
		bytes -= grant
		if quota := r.filters() * grant / whole; quota != r.quota {
			r.keep(quota)
		}
	}
}

// keep sets how many filters may be kept, and drops all that are if they are too many.
func (r *Run) keep(quota int) {
	if quota < r.quota {
		r.kept, r.slab, r.bytes = nil, nil, 0
	}
	r.quota = quota
	r.kept = append(r.kept, make([]filter, max(0, quota-len(r.kept)))...)
}

// keptFilter returns a filter that is in memory.
func (r *Run) keptFilter(number int) (filter, bool) {
	if number >= len(r.kept) {
		return filter{}, false
	}
	f := r.kept[number]
	return f, f.plain != nil
}

// loadFilter reads a filter, and keeps it where the quota allows.
func (r *Run) loadFilter(number int) (filter, error) {
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

func (r *Run) readFilter(number int) (filter, error) {
	plain, err := r.open(r.filterID(number))
	if err != nil {
		return filter{}, err
	}
	return openFilter(plain, r.blocks())
}

func (r *Run) open(id PieceID) ([]byte, error) {
	src, err := r.pieces.Piece(id)
	if err != nil {
		return nil, err
	}
	return encode.OpenFrame(src, encode.Place{Stamp: r.stamp, Number: uint32(id)})
}

// candidate is the rests that a hash which passed the filter may have.
type candidate struct {
	rest     int // number of it
	count    int // of its hashes
	from, to int // in it
	hash     Hash
	at       int // of the hash in its batch
}

// candidate asks the filter of a hash.
func (r *Run) candidate(f filter, h Hash) (c candidate, passes bool) {
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
func (r *Run) restRange(f filter, number int) (from, to int) {
	const blocks = restBuckets / blockBuckets
	first := number % (filterBuckets / restBuckets) * blocks
	return f.before(first), f.before(first + blocks)
}

// matches reads what a candidate's rest says.
func (r *Run) matches(in rest, c candidate) bool {
	high, low := r.rest(c.hash)
	for i := c.from; i < c.to; i++ {
		if h, l := in.at(i); h == high && l == low {
			return true
		}
	}
	return false
}

func (r *Run) readRest(number, count int) (rest, error) {
	plain, err := r.open(r.restID(number))
	if err != nil {
		return rest{}, err
	}
	return openRest(plain, count, r.highBits())
}

// Has reports whether a hash is in the run.
func (r *Run) Has(h Hash) (bool, error) {
	number := r.bucket(h) / filterBuckets
	f, ok := r.keptFilter(number)
	if !ok {
		var err error
		if f, err = r.loadFilter(number); err != nil {
			return false, err
		}
	}
	c, passes := r.candidate(f, h)
	if !passes {
		return false, nil
	}
	in, err := r.readRest(c.rest, c.count)
	return err == nil && r.matches(in, c), err
}

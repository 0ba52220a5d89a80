package ids

import (
	"slices"

	"millimetric/index/event"
	"millimetric/index/piece"
)

// Merge writes one run of the hashes of several, under a stamp of its own. Where keep isn't nil,
// hashes that it reports false for are left out. What it needs of memory doesn't depend on how many
// hashes there are: of each run, a filter and the hashes of a rest.
func Merge(stamp uint64, runs []*Run, keep func(Hash) bool, emit Emit) error {
	count, latest := 0, event.Time(0)
	for i, r := range runs {
		count += r.count
		if i == 0 || r.latest > latest {
			latest = r.latest
		}
	}
	w := NewBodyWriter(piece.NewWriter(kind, stamp, emit), count, IDBits, 0)
	err := MergeBodies(bodiesOf(runs), func(h Hash, _ uint32) error {
		h.Lo &= ^uint64(0) << w.unused() // of a run of longVersion
		if w.count > 0 && h == w.last || keep != nil && !keep(h) {
			return nil
		}
		return w.Add(h, 0)
	})
	if err != nil {
		return err
	}
	return finish(w, latest)
}

// MergeBodies yields the hashes of several bodies in order, equal ones one after another, until yield
// returns an error.
func MergeBodies(bodies []*Body, yield func(h Hash, value uint32) error) error {
	var walks []*walk
	for _, r := range bodies {
		w := r.walk()
		if err := w.next(); err != nil {
			return err
		}
		if !w.ended {
			walks = append(walks, w)
		}
	}
	for len(walks) > 0 {
		at := least(walks)
		if err := yield(walks[at].hash, walks[at].value); err != nil {
			return err
		}
		if err := walks[at].next(); err != nil {
			return err
		}
		if walks[at].ended {
			walks = slices.Delete(walks, at, at+1)
		}
	}
	return nil
}

// least returns which walk has the least hash. There are few of them: a heap would gain nothing.
func least(walks []*walk) int {
	at := 0
	for i := 1; i < len(walks); i++ {
		if walks[i].hash.less(walks[at].hash) {
			at = i
		}
	}
	return at
}

// Check reads the whole body, and reports the first damage.
func (r *Body) Check() error {
	w := r.walk()
	for !w.ended {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// walk goes through a run's hashes in order.
type walk struct {
	run    *Body
	number int // of the next rest
	filter filter
	copied []byte
	hashes []Hash   // of the current rest
	values []uint32 // the same
	at     int      // of the next hash in them
	seen   int
	hash   Hash // the current one, unless ended
	value  uint32
	ended  bool
}

func (r *Body) walk() *walk { return &walk{run: r} }

func (w *walk) next() error {
	for w.at == len(w.hashes) {
		if w.number == w.run.rests() {
			w.ended = true
			if w.seen != w.run.count {
				return damaged("run has %d hashes, its head says %d", w.seen, w.run.count)
			}
			return nil
		}
		if err := w.load(); err != nil {
			return err
		}
	}
	h := w.hashes[w.at]
	if w.seen == w.run.count {
		return damaged("run has more hashes than the %d that its head says", w.seen)
	}
	if w.seen > 0 && !w.hash.less(h) {
		return damaged("hash %d of a run isn't greater than the one before", w.seen)
	}
	w.hash, w.value = h, w.values[w.at]
	w.at++
	w.seen++
	return nil
}

// load reads the next rest, and the filter where another begins.
func (w *walk) load() error {
	const rests = filterBuckets / restBuckets
	if w.number%rests == 0 {
		f, err := w.run.readFilter(w.number / rests)
		if err != nil {
			return err
		}
		w.copied = append(w.copied[:0], f.plain...) // the next piece may take its place
		w.filter = filter{w.copied, f.blocks}
	}
	from, to := w.run.restRange(w.filter, w.number)
	in, err := w.run.readRest(w.number, to-from)
	if err != nil {
		return err
	}
	w.hashes, w.at = w.hashes[:0], 0
	w.values = w.values[:0]
	for i := range in.count {
		w.values = append(w.values, in.value(i))
	}
	w.hashes, err = w.run.appendHashes(w.hashes, w.filter, w.number, in)
	w.number++
	return err
}

// appendHashes joins the hashes of a rest behind dst.
func (r *Body) appendHashes(dst []Hash, f filter, number int, in rest) ([]Hash, error) {
	const blocks = restBuckets / blockBuckets
	base := number / (filterBuckets / restBuckets) * filterBuckets
	first := number % (filterBuckets / restBuckets) * blocks
	i := 0
	sound := f.each(first, first+blocks, func(bucket int, remainder byte) bool {
		high, low := in.at(i)
		i++
		dst = append(dst, r.join(base+bucket, remainder, high, low))
		return base+bucket < r.buckets()
	})
	if !sound {
		return dst, damaged("rest %d has hashes beyond the last bucket", number)
	}
	return dst, nil
}

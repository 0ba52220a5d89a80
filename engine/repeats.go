package engine

import (
	"sync"

	"millimetric/index/event"
	"millimetric/index/ids"
)

// repeats knows the ids of a project's events: those that no run holds in tables, the others in runs.
// It belongs to the gathering goroutine.
type repeats struct {
	recent *ids.Recent
	frozen []*ids.Recent // that are being written into a run; none is added to
	runs   *ids.Set

	filters int64 // bytes of memory that the runs may take
	counted int64 // see grown

	// Of the group that is being gathered: the ids of all its events, and which are known.
	hashes []ids.Hash
	found  []bool
	at     int
	asked  int // so many of the frozen tables
}

// expect notes the ids of one request of the group.
func (r *repeats) expect(events []event.Event, hashes []ids.Hash) {
	for i := range events {
		if events[i].ID != "" {
			r.hashes = append(r.hashes, hashes[i])
		}
	}
}

// ask finds out which of the noted ids are known to frozen tables and runs. Those of recent ones, and
// ids that come twice in the group, are found later, when each is added.
func (r *repeats) ask() error {
	r.at, r.asked = 0, len(r.frozen)
	r.found = append(r.found[:0], make([]bool, len(r.hashes))...)
	for _, table := range r.frozen {
		for i, h := range r.hashes {
			r.found[i] = r.found[i] || table.Has(h)
		}
	}
	if r.runs == nil {
		return nil
	}
	return r.runs.Lookup(r.hashes, r.found)
}

// next reports whether the next id of the group is that of an event that is there already, and
// remembers it. Ids come in the order in which they were noted.
func (r *repeats) next(h ids.Hash) bool {
	if r.hashes[r.at] != h {
		panic("engine: ids of a group come in another order")
	}
	known := r.found[r.at]
	r.at++
	// A seal may have begun within the group: its table was the recent one when ask was.
	for _, table := range r.frozen[r.asked:] {
		known = known || table.Has(h)
	}
	return known || !r.add(h)
}

// pass leaves out the next id of the group, whose event isn't kept.
func (r *repeats) pass() { r.at++ }

// add remembers an id. It reports false where it is among the recent ones.
func (r *repeats) add(h ids.Hash) bool {
	if r.recent == nil {
		r.recent = &ids.Recent{}
	}
	return r.recent.Add(h)
}

// done forgets the group.
func (r *repeats) done() { r.hashes = r.hashes[:0] }

// freeze ends the table of recent ids, and returns all tables that are in no run.
func (r *repeats) freeze() []*ids.Recent {
	if r.recent != nil && r.recent.Len() > 0 {
		r.frozen = append(r.frozen, r.recent)
	}
	r.recent = nil
	return append([]*ids.Recent{}, r.frozen...)
}

// adopt takes runs that hold all that is in the first of the frozen tables, too; memory is for their
// filters.
func (r *repeats) adopt(runs []*ids.Run, tables int, memory *memory) {
	r.filters = memory.swap(r.filters, func(room int64) int64 { return int64(ids.Share(int(room), runs)) })
	r.runs, r.frozen = ids.NewSet(runs...), r.frozen[tables:]
	r.asked = max(0, r.asked-tables)
}

// grown returns how many bytes more the tables and filters take than when it was asked last.
func (r *repeats) grown() (bytes int64) {
	now := r.filters
	if r.recent != nil {
		now += int64(r.recent.Bytes())
	}
	for _, table := range r.frozen {
		now += int64(table.Bytes())
	}
	bytes, r.counted = now-r.counted, now
	return bytes
}

// hashers make hashes of one project's ids, for many callers at once.
type hashers struct{ pool sync.Pool }

func newHashers(key [32]byte) *hashers {
	return &hashers{pool: sync.Pool{New: func() any { return ids.NewHasher(key, ids.IDBits) }}}
}

// append appends the hash of each event's id; of those that have none, a hash of no meaning.
func (h *hashers) append(dst []ids.Hash, events []event.Event) []ids.Hash {
	hasher := h.pool.Get().(*ids.Hasher)
	defer h.pool.Put(hasher)
	for i := range events {
		if events[i].ID == "" {
			dst = append(dst, ids.Hash{})
			continue
		}
		dst = append(dst, hasher.Hash(events[i].ID))
	}
	return dst
}

// hashersOf returns the hashers of a project. It makes sure, too, that all can be encrypted that has
// to be for its events to be kept.
func (e *Engine) hashersOf(project event.Project) (*hashers, error) {
	if known, ok := e.hashers.Load(project); ok {
		return known.(*hashers), nil
	}
	for _, bucket := range []int32{BucketLog, BucketSets} {
		if err := e.ciphers.prepare(cipherID{project, bucket}); err != nil {
			return nil, err
		}
	}
	key, err := e.ciphers.secret(project, "event ids 1")
	if err != nil {
		return nil, err
	}
	made, _ := e.hashers.LoadOrStore(project, newHashers(key))
	return made.(*hashers), nil
}

package engine

import "sync"

// budget is how the memory is shared out.
type budget struct {
	cache int64 // pieces that were read
	live  int64 // live events; beyond it, appends are refused until they are sealed
	rows  int   // live events of a project that are sealed together

	idFilters      int64 // what finds repeats; see ids.ShareBodies
	visitorFilters int64 // what finds the ordinals of visitors
	nearVisitors   int64 // those that were asked for lately

	dayRows     int   // see dayRowsMin
	segmentRows int   // of a merged segment, at most
	merge       int64 // memory of one merge, about; see mergeBytes
}

const (
	memoryMin = 128 << 20
	// rowBytes is about what a live event takes.
	rowBytes = 500
	// sealRows is how many events are sealed together where memory allows: more make fewer merges, and
	// a longer start.
	sealRows = 128 << 10
	// mergeRowBytes is about what a row takes while it is merged, besides what comes of it, which is held until
	// all of it is made.
	mergeRowBytes = 80
)

func newBudget(opt Options) budget {
	bytes := max(opt.MemoryBytes, memoryMin)
	b := budget{cache: bytes * 2 / 5, live: bytes * 3 / 10, idFilters: bytes / 10, visitorFilters: bytes / 40, nearVisitors: bytes / 40}
	// A quarter: while one is sealed others fill, and nothing is refused where a seal takes long.
	b.rows = min(sealRows, int(b.live/4/rowBytes))
	if opt.SealRows > 0 {
		b.rows = opt.SealRows
	}
	b.dayRows, b.segmentRows, b.merge = min(dayRowsMin, max(1, b.rows/8)), opt.SegmentRows, bytes/5
	return b
}

// memory is memory of one use, which several share. Whoever comes first gets what is needed.
type memory struct {
	mu    sync.Mutex // guards taken
	taken int64
	most  int64
}

// swap gives back what its caller had, and takes anew: take is told how much there is, and returns how
// much it takes of that.
func (m *memory) swap(had int64, take func(room int64) int64) (has int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken -= had
	has = take(max(0, m.most-m.taken))
	m.taken += has
	return has
}

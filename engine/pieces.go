package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"millimetric/index"
	"millimetric/index/ids"
)

// pieceID names a piece in the cache. Stamps are never used twice, so what is cached is never stale.
type pieceID struct {
	thing  thing
	number uint32
}

// pieceOverhead is about what the cache needs for an entry besides its bytes.
const pieceOverhead = 128

func newPieceCache(bytes int64) *otter.Cache[pieceID, []byte] {
	return otter.Must(&otter.Options[pieceID, []byte]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ pieceID, plain []byte) uint32 { return uint32(len(plain)) + pieceOverhead },
		// What is to be done after a change is little, and done at once: no goroutine outlives its owner.
		Executor:      func(task func()) { task() },
		StatsRecorder: stats.NewCounter(),
	})
}

// piece returns a piece, decrypted. It is shared: nobody changes it.
func (e *Engine) piece(t thing, number uint32) ([]byte, error) {
	id := pieceID{t, number}
	if plain, ok := e.cache.GetIfPresent(id); ok {
		return plain, nil
	}
	plain, err := e.readPiece(t, number)
	if err == nil {
		e.cache.Set(id, plain)
	}
	return plain, err
}

// CacheCounts tells how often a piece was asked for that was there already, decrypted, and how often one was
// not, since the store was opened. It is safe for concurrent use.
func (e *Engine) CacheCounts() (hits, misses uint64) {
	counts := e.cache.Stats()
	return counts.Hits, counts.Misses
}

// readPiece reads past the cache, for those who read all of a thing once.
func (e *Engine) readPiece(t thing, number uint32) ([]byte, error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return nil, errStopping()
	}
	var room [pieceKeyBytes]byte
	key := t.pieceKey(room[:0], number)
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, damagedValue(key, errors.New("a piece is missing"))
	}
	if err != nil {
		return nil, storeError(fmt.Sprintf("read store key %x", key), err)
	}
	plain, err := e.ciphers.decrypt(t.cipher(), key, value)
	return plain, errors.Join(err, closer.Close())
}

// sections gives the sections of a segment, through the cache.
type sections struct {
	e     *Engine
	thing thing
}

// Section is part of index.Sections.
func (s sections) Section(id index.SectionID) ([]byte, error) { return s.e.piece(s.thing, uint32(id)) }

// fetchersMost is how many pieces are fetched at the same time for one question: a disk that is asked for several gives
// each about as soon as if it were alone.
const fetchersMost = 4

// Fetch reads sections that aren't in the cache at the same time: by place in the list, nil for those that are, and for
// those that can't be read. Its goroutines are gone when it returns.
func (s sections) Fetch(ids []index.SectionID) [][]byte {
	var missing []int
	for at, id := range ids {
		if _, near := s.e.cache.GetEntryQuietly(pieceID{s.thing, uint32(id)}); !near {
			missing = append(missing, at)
		}
	}
	found := make([][]byte, len(ids))
	var next atomic.Int32
	fetch := func() {
		for at := next.Add(1) - 1; int(at) < len(missing); at = next.Add(1) - 1 {
			found[missing[at]], _ = s.Section(ids[missing[at]]) // who asks for it next gets the error
		}
	}
	var others sync.WaitGroup
	for range min(fetchersMost, len(missing)) - 1 {
		others.Go(fetch)
	}
	fetch()
	others.Wait()
	return found
}

// passing gives the sections of a segment that is read once from front to back: past the cache, of
// which it would take the place of what is asked for again. It keeps a few, as many pieces share one.
type passing struct {
	e     *Engine
	thing thing
	near  [passingKept]nearSection
	next  int
}

type nearSection struct {
	id    index.SectionID
	plain []byte
}

// passingKept is how many sections are kept: a merge reads a few columns side by side.
const passingKept = 8

// Section is part of index.Sections. It is not safe for concurrent use.
func (p *passing) Section(id index.SectionID) ([]byte, error) {
	for i := range p.near {
		if p.near[i].plain != nil && p.near[i].id == id {
			return p.near[i].plain, nil
		}
	}
	plain, err := p.e.readPiece(p.thing, uint32(id))
	if err == nil {
		p.near[p.next] = nearSection{id, plain}
		p.next = (p.next + 1) % passingKept
	}
	return plain, err
}

// runPieces gives the pieces of a run, through the cache or, where they are direct, past it.
type runPieces struct {
	e      *Engine
	thing  thing
	direct bool
}

// Piece is part of ids.Pieces.
func (p runPieces) Piece(id ids.PieceID) ([]byte, error) {
	if p.direct {
		return p.e.readPiece(p.thing, uint32(id))
	}
	return p.e.piece(p.thing, uint32(id))
}

// forget deletes things that no manifest names and no reader reads.
func (e *Engine) forget(dead []thing) error {
	if len(dead) == 0 {
		return nil
	}
	batch := e.db.NewBatch()
	var failed error
	for _, t := range dead {
		end := t
		end.stamp++
		failed = errors.Join(failed, batch.DeleteRange(t.key(nil), end.key(nil), nil))
	}
	clearEnd(batch)
	if failed == nil {
		failed = batch.Commit(pebble.NoSync)
	}
	return errors.Join(failed, batch.Close())
}

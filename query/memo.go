package query

import (
	"container/list"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
)

// Memo keeps what questions found out about whole segments, so that the next one needn't: who of their
// visitors counts, say, or where visits begin. Segments never change, so what is kept is never stale; it
// goes with its segment, soon after nothing else has that in use: what was erased is not kept here.
// Memo is safe for concurrent use, and a nil one keeps nothing.
//
// What the question at hand or the one before it used stays where something new has no room: else a
// question about more than there is room for would find nothing of what it left the last time.
type Memo struct {
	most int64 // bytes

	hits, misses atomic.Uint64

	pieces *Memo // that were taken apart: those of one question must not take the room of all else

	mu        sync.Mutex // guards what follows
	used      int64
	questions uint64 // that were begun
	kept      map[memoKey]*list.Element
	order     list.List                                // of *memoEntry, what was asked for last first
	segments  map[weak.Pointer[index.Segment]]struct{} // of which something was kept
}

// memoKey names what was found out about a segment.
type memoKey struct {
	segment weak.Pointer[index.Segment]
	bots    bool // they count, too
	kind    memoKind
	name    string // what it is about, beside
	number  int    // likewise
}

// memoKind says what was found out.
type memoKind byte

const (
	memoPeople        memoKind = iota // the visitors whose rows aren't all left out as bots', and the rows
	memoNamed                         // those of them with an event of a name
	memoRows                          // how many rows each bucket has
	memoVisitors                      // and their visitors, too
	memoNamedVisitors                 // those with an event of a name
	memoStarts                        // where visits begin
	memoSales                         // events of a name, and what they are worth
	memoPairs                         // which codes of a column each visitor has
	memoTracks                        // times and names of events
	memoUsers                         // the rows of users
	memoPiece                         // a piece of a segment, taken apart
	memoStartsAmong                   // where visits of some visitors begin
	memoSoldTogether                  // what memoSales is, of several segments, of which the key has the first
	memoSoldStarts                    // where visits of those begin who have what memoSoldTogether is, in the joined segments
	memoSoldWeights                   // what they weigh by time decay
	memoUnion                         // the visitors with an event of a name in several segments, of which the key has the first
	memoSiftedUnion                   // the visitors with rows that filters want in several segments, of which the key has the first
	memoJoined                        // where visits begin in several segments, of which the key has the first
	memoSifted                        // the visitors with rows that filters want, and the rows
	memoCourses                       // which events decide how far visitors come through steps, in several segments, of which the key has the first
	memoCourseTouches                 // the first touches of visitors, by their courses
	memoCohort                        // who was born in a bucket and in none before, and how many of them came back
	memoCodes                         // numbers of the texts of a column in several segments, of which the key has the first
)

// memoValue is what was found out. It isn't changed any more.
type memoValue interface{ bytes() int64 }

// memoOfSeveral is a value about several segments. It goes with the first of them that goes.
type memoOfSeveral interface {
	memoValue
	about() []weak.Pointer[index.Segment]
}

// memoOfLayers is a value of which something may stay where a segment goes: without returns that, nil for nothing. The
// segment is named by its place in what about returns.
type memoOfLayers interface {
	memoOfSeveral
	without(segment int) memoValue
}

type memoEntry struct {
	key   memoKey
	value memoValue
	size  int64
	last  uint64 // question that used it
	about []weak.Pointer[index.Segment]
}

// counted are visitors of a segment, and how many rows there are of them that count.
type counted struct {
	visitors bitmap.Set
	rows     int
	parts    []stretch // by bucket, where that was asked
}

func (c counted) bytes() int64 {
	bytes := int64(c.visitors.Bytes())
	for i := range c.parts {
		bytes += int64(c.parts[i].people.visitors.Bytes()) + memoOverhead/4
	}
	return bytes
}

// memoOverhead is about what an entry takes beside its value.
const memoOverhead = 512

// piecesShare is the part of a memo that is for pieces: what a question about one user reads in a few dozen
// segments is some megabytes.
const piecesShare = 8

// NewMemo returns a memo that keeps so many bytes at most.
func NewMemo(bytes int64) *Memo {
	m := newMemo(bytes - bytes/piecesShare)
	m.pieces = newMemo(bytes / piecesShare)
	return m
}

func newMemo(bytes int64) *Memo {
	return &Memo{most: bytes, kept: map[memoKey]*list.Element{}, segments: map[weak.Pointer[index.Segment]]struct{}{}}
}

// begin is called once for each question.
func (m *Memo) begin() {
	if m != nil {
		m.mu.Lock()
		m.questions++
		m.mu.Unlock()
		m.pieces.begin()
	}
}

func (m *Memo) get(key memoKey) (value memoValue, ok bool) {
	if m == nil {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.kept[key]
	if at == nil {
		m.misses.Add(1)
		return nil, false
	}
	m.hits.Add(1)
	m.order.MoveToFront(at)
	entry := at.Value.(*memoEntry)
	entry.last = m.questions
	return entry.value, true
}

// Counts tells how often something was asked for that was kept, and how often it was not.
func (m *Memo) Counts() (hits, misses uint64) { return m.hits.Load(), m.misses.Load() }

// put keeps a value, and reports whether there was room.
func (m *Memo) put(key memoKey, value memoValue) bool {
	if m == nil {
		return false
	}
	entry := &memoEntry{key: key, value: value, size: value.bytes() + int64(len(key.name)) + memoOverhead}
	if several, ok := value.(memoOfSeveral); ok {
		entry.about = several.about()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key] != nil || !m.makeRoom(entry.size) {
		return false // another question was as quick, or there is no room
	}
	entry.last = m.questions
	m.kept[key] = m.order.PushFront(entry)
	m.used += entry.size
	m.watch(key.segment)
	for _, segment := range entry.about {
		m.watch(segment)
	}
	return true
}

// replace is put, in the place of what was kept under the key before.
func (m *Memo) replace(key memoKey, value memoValue) bool {
	m.mu.Lock()
	if at := m.kept[key]; at != nil {
		m.remove(at)
	}
	m.mu.Unlock()
	return m.put(key, value)
}

// watch sees to it that what is kept about a segment is dropped when the segment is gone.
func (m *Memo) watch(segment weak.Pointer[index.Segment]) {
	if _, watched := m.segments[segment]; !watched {
		m.segments[segment] = struct{}{}
		runtime.AddCleanup(segment.Value(), m.forget, segment)
	}
}

// forget drops what is kept about a segment.
func (m *Memo) forget(segment weak.Pointer[index.Segment]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.segments, segment)
	for at := m.order.Front(); at != nil; {
		next := at.Next()
		if entry := at.Value.(*memoEntry); entry.key.segment == segment {
			m.remove(at)
		} else if place := slices.Index(entry.about, segment); place >= 0 {
			m.shed(at, place)
		}
		at = next
	}
}

// shed drops what an entry has because of a segment, which is named by its place.
func (m *Memo) shed(at *list.Element, segment int) {
	entry := at.Value.(*memoEntry)
	layers, ok := entry.value.(memoOfLayers)
	if !ok {
		m.remove(at)
		return
	}
	rest := layers.without(segment)
	if rest == nil {
		m.remove(at)
		return
	}
	less := entry.value.bytes() - rest.bytes()
	entry.value, entry.about = rest, rest.(memoOfSeveral).about()
	entry.size, m.used = entry.size-less, m.used-less
}

func (m *Memo) remove(at *list.Element) {
	entry := m.order.Remove(at).(*memoEntry)
	delete(m.kept, entry.key)
	m.used -= entry.size
}

// makeRoom drops what wasn't used for long, and reports whether there is room for so many bytes then. Where there
// can't be, nothing is dropped.
func (m *Memo) makeRoom(bytes int64) bool {
	room := m.most - m.used
	for at := m.order.Back(); room < bytes; at = at.Prev() {
		if at == nil || at.Value.(*memoEntry).last+1 >= m.questions {
			return false
		}
		room += at.Value.(*memoEntry).size
	}
	for m.used+bytes > m.most {
		m.remove(m.order.Back())
	}
	return true
}

// hasRoom reports whether so many bytes more would be kept, and makes room for them.
func (m *Memo) hasRoom(bytes int64) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.makeRoom(bytes)
}

// remembered returns what the memo has, or finds it out; ok is false where that doesn't go.
func remembered[T memoValue](r *run, s *sealed, kind memoKind, name string, find func() (value T, ok bool, err error)) (value T, ok bool, err error) {
	key := r.memoKey(s, kind, name)
	if known, ok := r.common.Memo.get(key); ok {
		return known.(T), true, nil
	}
	if value, ok, err = find(); ok && err == nil {
		r.common.Memo.put(key, value)
	}
	return value, ok, err
}

// again is remembered for what one filter or user in many is about: it is found out when it is asked for the
// second time, as the first question is answered as soon without, and most come once. ok is false before.
func again[T memoValue](r *run, s *sealed, kind memoKind, name string, find func() (value T, ok bool, err error)) (value T, ok bool, err error) {
	memo := r.common.Memo
	if memo == nil {
		return value, false, nil
	}
	key := r.memoKey(s, kind, name)
	if known, ok := memo.get(key); ok {
		return known.(T), true, nil
	}
	asked := key
	asked.number = 1
	if _, before := memo.get(asked); !before {
		memo.put(asked, counted{})
		return value, false, nil
	}
	if value, ok, err = find(); ok && err == nil {
		memo.put(key, value)
	}
	return value, ok, err
}

// keeps tells whether something about a segment is kept, or would be: it takes so many bytes for each row.
func (r *run) keeps(s *sealed, kind memoKind, name string, bytes int) bool {
	_, known := r.common.Memo.get(r.memoKey(s, kind, name))
	return known || r.common.Memo.hasRoom(int64(bytes*s.segment.Rows()))
}

func (r *run) memoKey(s *sealed, kind memoKind, name string) memoKey {
	return memoKey{segment: weak.Make(s.original), bots: r.common.IncludeBots, kind: kind, name: name}
}

package query

import (
	"container/list"
	"sync"
	"sync/atomic"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
)

// Memo keeps what questions found out about whole segments, so that the next one needn't: who of their
// visitors counts. Segments never change, so what is kept is never stale; of those that are gone it ages
// out. Memo is safe for concurrent use, and a nil one keeps nothing.
type Memo struct {
	most int64 // bytes

	hits, misses atomic.Uint64

	mu    sync.Mutex // guards what follows
	used  int64
	kept  map[memoKey]*list.Element
	order list.List // of memoEntry, what was asked for last first
}

// memoKey names what was found out: about the visitors of a segment whose rows aren't all left out as
// bots', or those of them with an event of a name.
type memoKey struct {
	segment weak.Pointer[index.Segment]
	bots    bool // they count, too
	parts   bool // by bucket; named then says that their visitors are there, too
	named   bool
	name    string
}

type memoEntry struct {
	key   memoKey
	value counted
}

// counted are visitors of a segment, and how many rows there are of them that count.
type counted struct {
	visitors bitmap.Set
	rows     int
	parts    []stretch // by bucket, where that was asked
}

// memoOverhead is about what an entry takes beside its set.
const memoOverhead = 512

// NewMemo returns a memo that keeps so many bytes at most.
func NewMemo(bytes int64) *Memo { return &Memo{most: bytes, kept: map[memoKey]*list.Element{}} }

func (e *memoEntry) bytes() int64 {
	bytes := int64(e.value.visitors.Bytes()+len(e.key.name)) + memoOverhead
	for i := range e.value.parts {
		bytes += int64(e.value.parts[i].people.visitors.Bytes()) + memoOverhead/4
	}
	return bytes
}

func (m *Memo) get(key memoKey) (value counted, ok bool) {
	if m == nil {
		return counted{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.kept[key]
	if at == nil {
		m.misses.Add(1)
		return counted{}, false
	}
	m.hits.Add(1)
	m.order.MoveToFront(at)
	return at.Value.(*memoEntry).value, true
}

// Counts tells how often something was asked for that was kept, and how often it was not.
func (m *Memo) Counts() (hits, misses uint64) { return m.hits.Load(), m.misses.Load() }

func (m *Memo) put(key memoKey, value counted) {
	entry := &memoEntry{key, value}
	if m == nil || entry.bytes() > m.most {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key] != nil {
		return // another question was as quick
	}
	m.kept[key] = m.order.PushFront(entry)
	for m.used += entry.bytes(); m.used > m.most; {
		oldest := m.order.Remove(m.order.Back()).(*memoEntry)
		delete(m.kept, oldest.key)
		m.used -= oldest.bytes()
	}
}

// remembered returns what the memo has, or finds it out; ok is false where that doesn't go.
func (r *run) remembered(s *sealed, name string, named bool, find func() (value counted, ok bool, err error)) (value counted, ok bool, err error) {
	return r.rememberedAs(s, memoKey{named: named, name: name}, find)
}

// rememberedAs is remembered under a key, but for what every key has.
func (r *run) rememberedAs(s *sealed, key memoKey, find func() (value counted, ok bool, err error)) (value counted, ok bool, err error) {
	key.segment, key.bots = weak.Make(s.original), r.common.IncludeBots
	if value, ok = r.common.Memo.get(key); ok {
		return value, true, nil
	}
	if value, ok, err = find(); ok && err == nil {
		r.common.Memo.put(key, value)
	}
	return value, ok, err
}

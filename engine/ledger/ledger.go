// Package ledger remembers who was erased, so that nobody comes back: not by an event that is sent late,
// not by a backup that is older than the erasure.
//
// It holds no id of anybody. An entry has a keyed hash of the id, so it answers whether an id that is
// given to it was erased, and nothing else; the keys come from the keyring. Entries are never taken out:
// an event may be late by years. The order of the entries is part of what is kept (see Head), so one that
// was taken out, changed or moved shows.
//
// The package decides nothing about events and starts no goroutines. Only the file "erasures" (and, while
// it is replaced, "erasures.new") reaches the disk, encrypted as a whole. It lies beside the store, not in
// it: what restores an old store must not restore an old ledger with it.
package ledger

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// EntriesMax bounds the entries. The file is written as a whole with each erasure, while events wait: at
// the limit that is 30 MB. A lookup takes about 100 bytes of memory for each.
const EntriesMax = 500_000

// Kind says what an entry is about.
type Kind byte

// The kinds of entries.
const (
	KindUser    Kind = 1 + iota // all events that carry a user id
	KindVisitor                 // all events of an anonymous id
	KindDevice                  // those events of an anonymous id that carry no user id: a user's before the log-in
	kinds
)

// Hash stands for an id.
type Hash [sha256.Size]byte

// Receipt is the number of the receipt that an erasure was given.
type Receipt [16]byte

// String spells it in hex.
func (r Receipt) String() string { return hex.EncodeToString(r[:]) }

// Entry says that somebody was erased.
type Entry struct {
	Project event.Project
	Kind    Kind
	Who     Hash
	// At is the server's time: events dated before it aren't kept. It rises from erasure to erasure.
	At      event.Time
	Receipt Receipt
}

// Key is the secret of one project under which ids are hashed.
type Key [32]byte

// ProjectKey derives it from a secret of the project.
func ProjectKey(secret [32]byte) (Key, error) {
	derived, err := hkdf.Expand(sha256.New, secret[:], "millimetric erasure ledger ids 1", sha256.Size)
	if err != nil {
		return Key{}, fmt.Errorf("derive the key of erased ids: %w", err)
	}
	return Key(derived), nil
}

// Hash returns what stands for an id. Ids of different kinds never stand for each other.
func (k Key) Hash(kind Kind, id string) (h Hash) { return k.Hasher().Hash(kind, id) }

// Hasher hashes many ids under a key. It is for one goroutine.
type Hasher struct {
	mac  hash.Hash
	text []byte
}

// Hasher returns one for the key.
func (k Key) Hasher() *Hasher { return &Hasher{mac: hmac.New(sha256.New, k[:])} }

// Hash returns what Key.Hash does.
func (h *Hasher) Hash(kind Kind, id string) (sum Hash) {
	h.text = append(append(h.text[:0], byte(kind)), id...)
	h.mac.Reset()
	h.mac.Write(h.text)
	h.mac.Sum(sum[:0])
	return sum
}

// Ledger is an open ledger. It is safe for concurrent use.
type Ledger struct {
	fs     vfs.FS
	dir    string
	cipher fileCipher

	mu      sync.RWMutex // guards what follows; the file is written inside
	entries []Entry
	latest  map[name]event.Time
	last    map[event.Project]event.Time
}

// name is what is looked up. Half of a hash is enough to tell ids apart.
type name struct {
	project event.Project
	kind    Kind
	who     [sha256.Size / 2]byte
}

func (e *Entry) name() name { return nameOf(e.Project, e.Kind, e.Who) }

func nameOf(project event.Project, kind Kind, who Hash) name {
	return name{project, kind, [sha256.Size / 2]byte(who[:])}
}

// Open reads the ledger of a data folder under a secret of the store. A folder without one has erased
// nobody. A file that was damaged is an error of kind event.ErrDamaged, never a shorter ledger.
func Open(fs vfs.FS, dir string, secret [32]byte) (*Ledger, error) {
	c, err := newFileCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("open erasure ledger: %w", err)
	}
	l := &Ledger{fs: fs, dir: dir, cipher: c, latest: map[name]event.Time{}, last: map[event.Project]event.Time{}}
	entries, err := l.read()
	if err != nil {
		return nil, fmt.Errorf("open erasure ledger: %w", err)
	}
	l.take(entries)
	return l, nil
}

// Add appends entries, and returns once they are durable. After an error they may be in the file or not;
// this ledger doesn't have them.
func (l *Ledger) Add(entries ...Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(entries)
}

func (l *Ledger) add(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if len(l.entries)+len(entries) > EntriesMax {
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{fmt.Sprintf("More than %d erasures", EntriesMax)}}
	}
	for i := range entries {
		if k := entries[i].Kind; k == 0 || k >= kinds {
			panic(fmt.Sprintf("ledger: an entry of kind %d", k))
		}
	}
	if err := l.write(slices.Concat(l.entries, entries)); err != nil {
		return fmt.Errorf("write erasure ledger: %w", err)
	}
	l.take(entries)
	return nil
}

// take makes entries, which are durable, part of what is known. The caller holds mu, or is alone.
func (l *Ledger) take(entries []Entry) {
	l.entries = append(l.entries, entries...)
	for i := range entries {
		e := &entries[i]
		l.latest[e.name()] = max(l.latest[e.name()], e.At)
		l.last[e.Project] = max(l.last[e.Project], e.At)
	}
}

// Erased returns when somebody was erased last; 0 for never. Events of theirs that are dated before are
// not kept.
func (l *Ledger) Erased(project event.Project, kind Kind, who Hash) event.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.latest[nameOf(project, kind, who)]
}

// Last returns when somebody of a project was erased last; 0 for never.
func (l *Ledger) Last(project event.Project) event.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last[project]
}

// Projects lists the projects in which somebody was erased.
func (l *Ledger) Projects() []event.Project {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Sorted(maps.Keys(l.last))
}

// Newest returns when anybody was erased last; 0 for never.
func (l *Ledger) Newest() (at event.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, t := range l.last {
		at = max(at, t)
	}
	return at
}

// Entries returns all entries, in their order.
func (l *Ledger) Entries() []Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.entries)
}

// Len returns how many entries there are.
func (l *Ledger) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.entries)
}

// Of returns those of a project that are later than a time, in their order.
func (l *Ledger) Of(project event.Project, after event.Time) (found []Entry) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.last[project] <= after {
		return nil
	}
	for i := range l.entries {
		if e := &l.entries[i]; e.Project == project && e.At > after {
			found = append(found, *e)
		}
	}
	return found
}

// Merge adds what a newer ledger has more, in its order, and returns how many entries that are. It is for
// a store that was restored: whoever was erased since its copy was made must be erased in it, too.
func (l *Ledger) Merge(newer []Entry) (added int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make(map[Entry]bool, len(l.entries))
	for _, e := range l.entries {
		known[e] = true
	}
	var more []Entry
	for _, e := range newer {
		if !known[e] {
			known[e] = true
			more = append(more, e)
		}
	}
	return len(more), l.add(more)
}

// Head returns the last link of a chain of hashes over some first entries, in which each entry is bound to
// all before it. Written down elsewhere, as in a receipt, it shows later that none of them is gone. It
// fails where there are fewer.
func (l *Ledger) Head(entries int) (Hash, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if entries > len(l.entries) {
		return Hash{}, errors.New("the erasure ledger has fewer entries")
	}
	return chain(l.entries[:entries]), nil
}

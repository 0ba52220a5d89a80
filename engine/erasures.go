package engine

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// Erasure is what is known of an erasure. It names nobody: Subject is a keyed hash. Times are the server's;
// one that is 0 hasn't come.
type Erasure struct {
	Receipt string        `json:"receipt"`
	Project event.Project `json:"project"`
	Kind    string        `json:"kind"`    // what the subject was named by: user or visitor
	Subject string        `json:"subject"` // keyed hash of the id, hex
	Entry   int           `json:"entry"`   // of the ledger
	Head    string        `json:"head"`    // of the ledger up to that entry, hex

	Requested event.Time `json:"requested"`
	Before    event.Time `json:"before"` // events that are dated before it are not kept
	Hidden    event.Time `json:"hidden"` // from then on in no snapshot
	Gone      event.Time `json:"gone"`   // from then on nowhere in the store

	Events       int    `json:"events"`        // that answers showed and that were hidden
	Segments     int    `json:"segments"`      // that were written anew
	FilesRetired int    `json:"files_retired"` // that were removed from the disk
	BytesScanned uint64 `json:"bytes_scanned"` // by the search for what is left
	Residue      int    `json:"residue"`       // what it found

	lost bool // its record can't be read; see loadLost
}

// The kinds of records: of erasures that go on, and of those that came to their end.
const (
	recordErasing = "erasing"
	recordErased  = "erasure"
)

var kindNames = map[ledger.Kind]string{ledger.KindUser: "user", ledger.KindVisitor: "visitor"}

// newReceipt returns a number that nobody can guess.
func newReceipt() (r ledger.Receipt) {
	_, _ = rand.Read(r[:]) // never fails: it ends the program instead
	return r
}

// enter notes the entry that the ledger has got last.
func (x *Erasure) enter(l *ledger.Ledger, entry ledger.Entry) error {
	x.Entry = l.Len()
	head, err := l.Head(x.Entry)
	x.Kind, x.Subject, x.Before, x.Head = kindNames[entry.Kind], hex.EncodeToString(entry.Who[:]), entry.At, hex.EncodeToString(head[:])
	return err
}

// records returns what is to be kept of it.
func (x *Erasure) records() []Record {
	if x.lost {
		return nil
	}
	value, err := json.Marshal(x)
	if err != nil {
		panic(fmt.Sprintf("engine: an erasure as JSON: %v", err))
	}
	if x.Gone == 0 {
		return []Record{{Kind: recordErasing, ID: x.Receipt, Value: value}}
	}
	return []Record{{Kind: recordErasing, ID: x.Receipt}, {Kind: recordErased, ID: x.Receipt, Value: value}}
}

// erasing are the erasures that go on.
type erasing struct {
	mu sync.Mutex // guards what follows
	of map[string]*Erasure
}

func (l *erasing) put(x *Erasure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	copied := *x
	l.of[x.Receipt] = &copied
}

// size returns how many there are, hidden or not.
func (l *erasing) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.of)
}

// count returns how many there are of a project.
func (l *erasing) count(project event.Project) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.of {
		if x.Project == project {
			n++
		}
	}
	return n
}

// find returns a copy, nil where there is none.
func (l *erasing) find(receipt string) *Erasure {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.of[receipt]
	if x == nil {
		return nil
	}
	copied := *x
	return &copied
}

// hidden notes that the rows of targets are hidden, so many of each, and returns what is to be kept of the
// erasures. One whose record was lost with a crash is told by the ledger alone.
func (l *erasing) hidden(targets []target, rows []int, at event.Time) (records []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := map[string]*Erasure{}
	for i, t := range targets {
		receipt := t.entry.Receipt.String()
		x := l.of[receipt]
		if x == nil {
			x = &Erasure{Receipt: receipt, Project: t.entry.Project, Requested: t.entry.At}
			l.of[receipt] = x
		}
		if name := kindNames[t.entry.Kind]; name != "" && x.Kind == "" {
			x.Kind, x.Subject, x.Before = name, hex.EncodeToString(t.entry.Who[:]), t.entry.At
		}
		x.Events += rows[i]
		x.Hidden = max(at, x.Requested)
		changed[receipt] = x
	}
	for _, x := range changed {
		records = append(records, x.records()...)
	}
	return records
}

// hiddenOnes returns copies of those that are hidden.
func (l *erasing) hiddenOnes() (all []Erasure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.of {
		if x.Hidden > 0 {
			all = append(all, *x)
		}
	}
	return all
}

// done forgets those that came to their end.
func (l *erasing) done(all []Erasure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range all {
		delete(l.of, all[i].Receipt)
	}
}

// Erasure returns what is known of an erasure.
func (e *Engine) Erasure(receipt string) (Erasure, error) {
	if x := e.erasing.find(receipt); x != nil && x.lost {
		return Erasure{}, damagedValue(recordKey(recordErasing, receipt), errors.New("the record of the erasure can't be read"))
	} else if x != nil {
		return *x, nil
	}
	for _, kind := range []string{recordErased, recordErasing} {
		value, err := e.record(kind, receipt)
		if err != nil {
			return Erasure{}, fmt.Errorf("read erasure: %w", err)
		}
		if value == nil {
			continue
		}
		var x Erasure
		if err := json.Unmarshal(value, &x); err != nil {
			return Erasure{}, damagedValue(recordKey(kind, receipt), err)
		}
		return x, nil
	}
	return Erasure{}, fmt.Errorf("%w: no such erasure", event.ErrMissing)
}

// OpenErasures returns how many erasures of a project have left something on the disk yet.
func (e *Engine) OpenErasures(number event.Project) int { return e.erasing.count(number) }

// LastErasure returns the time before which events of who was erased last in a project are not kept; 0 where
// nobody was.
func (e *Engine) LastErasure(number event.Project) event.Time { return e.ledger.Last(number) }

// record returns one record's value, nil where there is none.
func (e *Engine) record(kind, id string) ([]byte, error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return nil, errStopping()
	}
	key := recordKey(kind, id)
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storeError("read record", err)
	}
	plain, err := e.ciphers.decryptValue(key, value)
	return plain, errors.Join(err, closer.Close())
}

// loadErasing reads the erasures that were going on when the store was closed.
func (e *Engine) loadErasing() error {
	records, lost, err := e.ReadableRecords(recordErasing)
	if err != nil {
		return err
	}
	for _, r := range records {
		var x Erasure
		if err := json.Unmarshal(r.Value, &x); err != nil {
			lost = append(lost, Lost{Kind: r.Kind, From: r.ID, To: r.ID, Cause: damagedValue(recordKey(r.Kind, r.ID), err)})
			continue
		}
		e.erasing.put(&x)
	}
	for i := range lost {
		e.opt.Notify(Damaged{Path: "the record of an erasure", Cause: errors.New(lost[i].String())})
		if err := e.loadLost(&lost[i]); err != nil {
			return err
		}
	}
	return nil
}

// loadLost has the erasures go on whose records can't be read. Whom they are about, the ledger knows: what is
// hidden stays so, and its bytes leave the disk. What they came to, nobody can say any more, so nothing is
// written over the records. Where one was only thought to be among them, it is found by its receipt.
func (e *Engine) loadLost(l *Lost) error {
	for _, entry := range e.ledger.Entries() {
		receipt := entry.Receipt.String()
		if !l.Has(receipt) || e.erasing.find(receipt) != nil {
			continue
		}
		x := Erasure{Receipt: receipt, Project: entry.Project, Requested: entry.At, lost: true}
		done, err := e.record(recordErased, receipt)
		if err == nil && done != nil {
			continue
		}
		if err != nil && !errors.Is(err, event.ErrDamaged) {
			return err
		}
		value, err := e.record(recordErasing, receipt)
		if err != nil && !errors.Is(err, event.ErrDamaged) {
			return err
		}
		if err == nil && value != nil {
			var read Erasure
			if json.Unmarshal(value, &read) == nil {
				x = read
			}
		}
		e.erasing.put(&x)
	}
	return nil
}

// showLost notes of erasures whose records can't be read that they are hidden, where they are.
func (l *erasing) showLost(hidden func(event.Project) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.of {
		if x.lost && x.Hidden == 0 && hidden(x.Project) {
			x.Hidden = x.Requested
		}
	}
}

// resumeErasures hides who is in the ledger and not in the manifests: somebody whose erasure was cut, or was
// later than the copy from which the store was restored. Nobody can ask anything before it returns.
func (e *Engine) resumeErasures() error {
	if err := e.loadErasing(); err != nil {
		return err
	}
	for _, number := range e.ledger.Projects() {
		if _, there := e.shown.Load(number); there {
			continue
		}
		if _, err := e.hashersOf(number); err != nil {
			return err
		}
		if err := e.inGather(func(*group) { e.project(number) }); err != nil {
			return err
		}
	}
	err := e.hideDue(e.contain)
	e.erasing.showLost(func(number event.Project) bool {
		p := e.known(number)
		return p.damage() == nil && p.newest().erasures.done >= e.ledger.Last(number)
	})
	return err
}

// hideDue hides them, but where an erasure of the project is going on. failed is given what goes wrong with a
// project. At a start, one that is damaged is left alone: it must show nobody who was erased.
func (e *Engine) hideDue(failed func(*project, error) error) error {
	for _, p := range e.all() {
		if e.ledger.Last(p.number) <= p.newest().erasures.done || p.damage() != nil || !p.erasing.TryLock() {
			continue
		}
		_, err := e.hashersOf(p.number)
		if err == nil {
			err = e.hide(p, map[ledger.Hash]string{})
		}
		p.erasing.Unlock()
		if err != nil {
			err = failed(p, err)
		}
		if err != nil {
			return fmt.Errorf("erase in project %d who was erased before: %w", p.number, err)
		}
	}
	return nil
}

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"millimetric/index/event"
)

// Record is a small named value beside the events, such as an account, a project or an API key.
// The engine doesn't know what is in it. Kind and ID are not empty, and Kind holds no zero byte.
// Only Value is encrypted on disk: an ID must not be something that nobody may read there.
type Record struct {
	Kind, ID string
	Value    []byte // nil in PutRecords deletes; records that were read have one, empty or not
}

// Lost are records of a kind that can't be read: one where From and To are the same, else as many as there
// were between them, both included. Whether there was one of an id between them, nobody can say.
type Lost struct {
	Kind, From, To string
	Cause          error
}

// Has reports whether a record of an id may be among them.
func (l *Lost) Has(id string) bool { return l.From <= id && id <= l.To }

// String names them, and says why they are lost.
func (l *Lost) String() string {
	if l.From == l.To {
		return fmt.Sprintf("record %q of kind %s: %v", l.To, l.Kind, l.Cause)
	}
	return fmt.Sprintf("records %q to %q of kind %s: %v", l.From, l.To, l.Kind, l.Cause)
}

// Records returns all records of a kind, sorted by ID. It fails where one of them can't be read.
func (e *Engine) Records(kind string) ([]Record, error) {
	records, lost, err := e.ReadableRecords(kind)
	if err == nil && len(lost) > 0 {
		err = lost[0].Cause
	}
	if err != nil {
		return nil, fmt.Errorf("read records of kind %s: %w", kind, err)
	}
	return records, nil
}

// ReadableRecords returns the records of a kind that can be read, sorted by ID, and those that can't be. In
// the place of these, PutRecords puts nothing from then on: what would lie beside them might not be found
// again, and what would lie over them would hide that they are damaged.
func (e *Engine) ReadableRecords(kind string) (records []Record, lost []Lost, err error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return nil, nil, errStopping()
	}
	err = e.walkRecords(kind, func(id string, value []byte) {
		records = append(records, Record{Kind: kind, ID: id, Value: value})
	}, func(l Lost) { lost = append(lost, l) })
	if err != nil {
		return nil, nil, fmt.Errorf("read records of kind %s: %w", kind, err)
	}
	e.lost.note(kind, lost)
	return records, lost, nil
}

// walkRecords visits the records of a kind, in order, and tells of those that can't be read.
func (e *Engine) walkRecords(kind string, visit func(id string, value []byte), tell func(Lost)) error {
	prefix := recordKey(kind, "")
	return e.walkOver(span(prefix), func(key, value []byte) error {
		id := string(key[len(prefix):])
		plain, err := e.ciphers.decryptValue(key, value)
		switch {
		case err == nil:
			visit(id, plain)
		case errors.Is(err, event.ErrDamaged):
			tell(Lost{Kind: kind, From: id, To: id, Cause: err})
		default:
			return err
		}
		return nil
	}, func(from, to []byte, cause error) error {
		tell(Lost{Kind: kind, From: idFrom(from, prefix), To: idUpTo(to, prefix), Cause: cause})
		return nil
	})
}

func idFrom(key, prefix []byte) string { return string(bytes.TrimPrefix(key, prefix)) }

// idUpTo reads the id of a key; where that lies behind all of the kind, it returns one that does, too.
func idUpTo(key, prefix []byte) string {
	if id, of := bytes.CutPrefix(key, prefix); of {
		return string(id)
	}
	return lastID
}

// lastID lies behind all ids, which are text.
const lastID = "\xff"

// lostRecords are those that were found.
type lostRecords struct {
	mu sync.Mutex // guards of
	of map[string][]Lost
}

func (l *lostRecords) note(kind string, lost []Lost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, kind)
	if len(lost) > 0 {
		l.of[kind] = slices.Clone(lost)
	}
}

// hindering says why a record can't be put in its place, nil where it can be.
func (l *lostRecords) hindering(r *Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.of[r.Kind] {
		if lost := &l.of[r.Kind][i]; r.Value != nil && lost.Has(r.ID) {
			return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: errors.New(lost.String())}
		}
	}
	return nil
}

// PutRecords makes records durable, all or none, and returns then. A record without a value is
// deleted. The values belong to the engine from here on. Records are taken even where events are
// refused: an API key must stay revocable.
func (e *Engine) PutRecords(ctx context.Context, records ...Record) error {
	for i := range records {
		r := &records[i]
		if r.Kind == "" || r.ID == "" || strings.IndexByte(r.Kind, 0) >= 0 {
			panic(fmt.Sprintf("engine: record of kind %q with id %q", r.Kind, r.ID))
		}
		if err := e.lost.hindering(r); err != nil {
			return err
		}
	}
	return e.putRecords(ctx, records)
}

// putRecords is PutRecords of what is found again without a walk, by an id that is known from elsewhere.
func (e *Engine) putRecords(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	r := e.newRequest()
	r.records = records
	return e.await(ctx, r)
}

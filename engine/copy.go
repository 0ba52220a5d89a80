package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// What a second copy of the store is kept from, elsewhere: commits as they come (Options.Committed), the
// store as it was at one moment (Copy), and what its manifests name (CopyThing). All values are given as
// they are stored, encrypted under their cipher keys: what can't be read here any more can't be read there.

// Value is a store key and what stands under it; nothing, where that was deleted.
type Value struct{ Key, Value []byte }

// IsRecord reports whether the value is a record.
func (v Value) IsRecord() bool { return len(v.Key) > 0 && v.Key[0] == prefixRecord }

// Commit is what one sync made durable.
type Commit struct {
	Number  uint64     // of the group; 0 where only records were written
	At      event.Time // the server's time, which never goes back
	Group   []byte     // as it is stored
	Records []Value
}

// tell hands a commit to who wants to know of it.
func (e *Engine) tell(g *group) {
	if e.opt.Committed == nil || len(g.content.Parts) == 0 && len(g.stored) == 0 {
		return
	}
	c := Commit{At: g.at, Records: g.stored}
	if len(g.content.Parts) > 0 {
		c.Number, c.Group = g.content.Number, g.value
	}
	e.opt.Committed(c)
}

// Copy is the store as it was at one moment. It keeps what is deleted since then on the disk, so it must be
// closed soon: within seconds.
type Copy struct {
	e  *Engine
	at *pebble.Snapshot
	// Trimmed is the last group that was trimmed from the log, and Last the last one of all.
	Trimmed, Last uint64
	// LastAt is when that was committed; 0 where the log is empty.
	LastAt event.Time
}

// Copy begins to copy. The engine doesn't close until the copy is closed.
func (e *Engine) Copy() (*Copy, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	c := &Copy{e: e, at: e.db.NewSnapshot()}
	if err := c.measure(); err != nil {
		return nil, errors.Join(fmt.Errorf("copy store %s: %w", e.dir, err), c.Close())
	}
	return c, nil
}

// Close ends the copy.
func (c *Copy) Close() error {
	defer c.e.running.Done()
	return c.at.Close()
}

// measure finds how far the log goes.
func (c *Copy) measure() (err error) {
	if c.Trimmed, err = readTrim(c.at, c.e.ciphers); err != nil {
		return err
	}
	c.Last = c.Trimmed
	it, err := c.at.NewIter(span([]byte{prefixGroup}))
	if err != nil {
		return storeError("read store", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return it.Error()
	}
	number, ok := groupNumber(it.Key())
	value, err := it.ValueAndErr()
	if err != nil || !ok {
		return errors.Join(err, damagedGroup(number, errors.New("the end of the log can't be read")))
	}
	if number > c.Last {
		c.Last = number
		c.LastAt, err = committedAt(value, number)
	}
	return err
}

// committedAt reads when a group was committed.
func committedAt(value []byte, number uint64) (event.Time, error) {
	decoder := encode.Decoder{Skip: func(encode.PartHead) bool { return true }}
	g, err := decoder.Decode(value, number)
	return g.Committed, err
}

// Groups visits the groups after a number, in their order. Those that were trimmed are left out. What visit
// is given is valid until it returns.
func (c *Copy) Groups(after uint64, visit func(Commit) error) error {
	bounds := span([]byte{prefixGroup})
	bounds.LowerBound = appendGroupKey(nil, after+1)
	return walkSpan(c.at, bounds, func(key, value []byte) error {
		number, ok := groupNumber(key)
		if !ok || number <= c.Trimmed {
			return nil // kept for a project that is damaged
		}
		at, err := committedAt(value, number)
		if err != nil {
			return err
		}
		return visit(Commit{Number: number, At: at, Group: value})
	})
}

// Values visits all values of the store but those of things, in the order of their keys.
func (c *Copy) Values(visit func(Value) error) error {
	for _, prefix := range []byte{prefixGroup, prefixFormat, prefixManifest, prefixRecord, prefixTrim} {
		err := walk(c.at, []byte{prefix}, func(key, value []byte) error { return visit(Value{key, value}) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Records visits all records.
func (c *Copy) Records(visit func(Value) error) error {
	return walk(c.at, []byte{prefixRecord}, func(key, value []byte) error { return visit(Value{key, value}) })
}

// Thing is something sealed: a segment or a run. It never changes, and no other of the project is ever
// named so.
type Thing struct {
	Project event.Project
	Stamp   uint64
}

// Things lists what the manifests name.
func (c *Copy) Things() (all []Thing, err error) {
	err = walk(c.at, []byte{prefixManifest}, func(key, value []byte) error {
		number, ok := manifestOwner(key)
		if !ok {
			return damagedValue(bytes.Clone(key), errors.New("it is none of a manifest"))
		}
		m, err := c.e.decryptManifest(number, key, value)
		if err != nil {
			return err
		}
		for _, t := range m.things(number) {
			all = append(all, Thing{t.project, t.stamp})
		}
		return nil
	})
	return all, err
}

// copyBytes is how much of a thing is read at once. In between, nothing of the store is held: who takes the
// values may be slow.
const copyBytes = 4 << 20

// CopyThing visits the values of a thing. One that was deleted meanwhile is an error of kind
// event.ErrMissing, where some of its values may have been visited.
func (e *Engine) CopyThing(ctx context.Context, t Thing, visit func(Value) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	bounds := span(thing{project: t.Project, stamp: t.Stamp}.key(nil))
	bounds.UpperBound = thing{project: t.Project, stamp: t.Stamp + 1}.key(nil)
	var last []byte
	for {
		values, err := e.readSome(bounds)
		if err != nil {
			return err
		}
		for _, v := range values {
			if err := visit(v); err != nil {
				return err
			}
			last = v.Key
		}
		if err := errors.Join(ctx.Err(), e.stopped()); err != nil {
			return err
		}
		if len(values) == 0 {
			break
		}
		bounds.LowerBound = append(bytes.Clone(last), 0)
	}
	// Piece 0 sorts last: where it is there, nothing of the thing was deleted before.
	if header := (thing{project: t.Project, stamp: t.Stamp}).pieceKey(nil, 0); !bytes.Equal(last, header) {
		return fmt.Errorf("%w: piece %d of project %d is deleted", event.ErrMissing, t.Stamp, t.Project)
	}
	return nil
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// readSome reads values from the beginning of bounds.
func (e *Engine) readSome(bounds *pebble.IterOptions) (values []Value, err error) {
	n := 0
	err = walkSpan(e.db, bounds, func(key, value []byte) error {
		if n > 0 && n+len(value) > copyBytes {
			return errEnough
		}
		values = append(values, Value{bytes.Clone(key), bytes.Clone(value)})
		n += len(value)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return values, err
}

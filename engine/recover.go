package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// recover replays the log into the live lists. A gap or damage is an error: a store that starts
// without some of its data would answer wrongly, and nobody would know.
func (e *Engine) recover() error {
	decoder := encode.Decoder{Cipher: logCipher{e.ciphers}}
	var events uint64
	err := walkLog(e.db, func(number uint64, value []byte) error {
		if number != e.number+1 {
			return damagedGroup(number, fmt.Errorf("it follows group %d", e.number))
		}
		g, err := decoder.Decode(value, number)
		if err != nil {
			return unreadable(number, err)
		}
		for i := range g.Parts {
			if err := e.replay(&g.Parts[i]); err != nil {
				return damagedGroup(number, err)
			}
			e.projects[g.Parts[i].Project].noteCommit(g.Committed)
			events += uint64(len(g.Parts[i].Events))
		}
		e.number, e.clock = number, max(e.clock, g.Committed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover store %s: %w", e.dir, err)
	}
	e.words = decoder.Words
	for _, p := range e.projects {
		p.from = len(p.open)
		p.current.Store(p.end())
	}
	e.opt.Notify(Recovered{Groups: e.number, Events: events, Projects: len(e.projects)})
	return nil
}

func (e *Engine) replay(part *encode.Part) error {
	p := e.project(part.Project)
	for i := range part.Events {
		ev := &part.Events[i]
		if ev.Seq != p.last+1 {
			return fmt.Errorf("event %d of project %d follows %d", ev.Seq, part.Project, p.last)
		}
		if p.repeats(ev) {
			return fmt.Errorf("event %d of project %d has the id of an earlier one", ev.Seq, part.Project)
		}
		if p.append(ev) {
			p.endStretch()
		}
	}
	return nil
}

// walkLog visits all groups in the order of their numbers.
func walkLog(db *pebble.DB, visit func(number uint64, value []byte) error) error {
	return walk(db, []byte{prefixGroup}, func(key, value []byte) error {
		number, ok := groupNumber(key)
		if !ok {
			return damagedGroup(0, fmt.Errorf("store key %x is none of the log", key))
		}
		return visit(number, value)
	})
}

// walk visits all keys that begin with prefix, in order. Key and value are valid until visit returns.
func walk(db *pebble.DB, prefix []byte, visit func(key, value []byte) error) (err error) {
	it, err := db.NewIter(span(prefix))
	if err != nil {
		return storeError("read store", err)
	}
	defer func() {
		if closed := it.Close(); closed != nil && err == nil {
			err = storeError("read store", closed)
		}
	}()
	var last []byte
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return storeError(fmt.Sprintf("read store key %x", it.Key()), err)
		}
		if err := visit(it.Key(), value); err != nil {
			return err
		}
		last = append(last[:0], it.Key()...)
	}
	if err := it.Error(); err != nil {
		return storeError(fmt.Sprintf("read store after key %x", last), err)
	}
	return nil
}

// unreadable says which group can't be read. It is damage, but where a cipher key can't be had.
func unreadable(number uint64, cause error) error {
	if !errors.Is(cause, event.ErrDamaged) {
		return fmt.Errorf("read group %d: %w", number, cause)
	}
	return damagedGroup(number, cause)
}

// damagedGroup names the group that is damaged, as Pebble's tools would find it.
func damagedGroup(number uint64, cause error) error {
	var inner *event.Error
	if errors.As(cause, &inner) && inner.Cause != nil {
		cause = inner.Cause
	}
	return damagedValue(appendGroupKey(nil, number), fmt.Errorf("group %d: %w", number, cause))
}

package engine

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// recover opens what is sealed, deletes what nothing speaks of, and replays the log into the live lists.
// A gap or damage in the log is an error: a store that starts without some of its data would answer
// wrongly, and nobody would know. Damage in what is sealed is one project's alone, which then answers
// nothing but that.
func (e *Engine) recover() error {
	if err := e.recoverAll(); err != nil {
		return fmt.Errorf("recover store %s: %w", e.dir, err)
	}
	return nil
}

func (e *Engine) recoverAll() error {
	trimmed, err := readTrim(e.db, e.ciphers)
	if err != nil {
		return err
	}
	e.number = trimmed
	e.trimmed.Store(trimmed)
	if err := e.openLedger(); err != nil {
		return err
	}
	e.ahead = e.ledger.Newest()
	if err := e.clearIncoming(); err != nil {
		return err
	}
	if err := e.recoverSealed(); err != nil {
		return err
	}
	if err := e.deleteOrphans(); err != nil {
		return err
	}
	found := Recovered{}
	if err := e.replayLog(&found); err != nil {
		return err
	}
	for _, p := range e.projects {
		p.from = len(p.open.events)
		p.shown = p.view()
		e.liveBytes.Add(p.added)
		p.added = 0
		found.Sealed += p.state().manifest.events()
	}
	e.committed.Store(e.number)
	found.Projects = len(e.projects)
	e.opt.Notify(found)
	return nil
}

// readTrim returns the number of the last group that was trimmed from the log.
func readTrim(db pebble.Reader, c *ciphers) (uint64, error) {
	value, closer, err := db.Get(trimKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, storeError("read trim mark", err)
	}
	plain, err := c.decryptValue(trimKey, value)
	if err = errors.Join(err, closer.Close()); err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(string(plain), 10, 64)
	if err != nil {
		return 0, damagedValue(trimKey, err)
	}
	return number, nil
}

// recoverSealed opens what the manifests name.
func (e *Engine) recoverSealed() (err error) {
	e.gaps, err = e.walkManifests(func(key, value []byte) error {
		number, _ := manifestOwner(key)
		if err := e.ciphers.prepare(cipherID{number, BucketSets}); err != nil {
			return fmt.Errorf("open project %d: %w", number, err)
		}
		p := e.project(number)
		return e.contain(p, e.recoverProject(p, key, value))
	})
	return err
}

func (e *Engine) recoverProject(p *project, key, value []byte) error {
	m, err := e.decryptManifest(p.number, key, value)
	if err != nil {
		return err
	}
	if last := e.ledger.Last(p.number); last < m.erasures.done {
		return errOldLedger
	}
	state, err := e.openSealed(p, m, &sealed{manifest: &manifest{}})
	if err != nil {
		return err
	}
	runs, err := e.openRuns(p, m)
	if err != nil {
		return err
	}
	p.states = []*sealed{state}
	p.next, p.last, p.noted = m.next, m.watermark, m.watermark
	p.ordinals.next = m.ordinals
	p.ordinals.adopt(runs.visitors, m.ordinals, e.visitorFilters)
	p.repeats.adopt(runs.ids, 0, e.idFilters)
	e.clock = max(e.clock, m.committed)
	return nil
}

func (e *Engine) decryptManifest(number event.Project, key, value []byte) (*manifest, error) {
	plain, err := e.ciphers.decrypt(cipherID{number, BucketSets}, key, value)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(plain)
	if err != nil {
		return nil, damagedValue(key, err)
	}
	return m, nil
}

// replayLog takes in what the log has beyond the manifests.
func (e *Engine) replayLog(found *Recovered) error {
	decoder := encode.Decoder{Cipher: logCipher{e.ciphers}}
	err := walkLog(e.db, func(number uint64, value []byte) error {
		// Of what was trimmed, the groups with events of broken projects were kept.
		kept := number <= e.trimmed.Load()
		if !kept && number != e.number+1 {
			return damagedGroup(number, fmt.Errorf("it follows group %d", e.number))
		}
		g, err := decoder.Decode(value, number)
		if err != nil {
			return unreadable(number, err)
		}
		e.number, e.clock = max(e.number, number), max(e.clock, g.Committed)
		found.Groups++
		e.log.add(number, len(value))
		for i := range g.Parts {
			n, err := e.replay(&g.Parts[i], number, g.Committed)
			if err != nil {
				return damagedGroup(number, err)
			}
			found.Events += uint64(n)
		}
		return nil
	})
	e.words = decoder.Words
	return err
}

// replay takes in those events of a part that aren't sealed, and returns how many these are.
func (e *Engine) replay(part *encode.Part, group uint64, committed event.Time) (live int, err error) {
	hashers, err := e.hashersOf(part.Project)
	if err != nil {
		return 0, err
	}
	p := e.project(part.Project)
	if p.damage() != nil {
		return 0, nil
	}
	hashes := hashers.append(nil, part.Events)
	for i := range part.Events {
		ev := &part.Events[i]
		if ev.Seq <= p.state().watermark {
			continue
		}
		if ev.Seq != p.last+1 {
			return live, fmt.Errorf("event %d of project %d follows %d", ev.Seq, part.Project, p.last)
		}
		// Whether an id is in a run needn't be asked: it wouldn't be in the log then.
		if ev.ID != "" && !p.repeats.add(hashes[i]) {
			return live, fmt.Errorf("event %d of project %d has the id of an earlier one", ev.Seq, part.Project)
		}
		live++
		if p.append(ev, group, eventBytes+int64(encode.Bytes(ev))) {
			p.endStretch()
		}
	}
	p.noteCommit(committed)
	return live, nil
}

// walkLog visits all groups in the order of their numbers.
func walkLog(db pebble.Reader, visit func(number uint64, value []byte) error) error {
	return walk(db, []byte{prefixGroup}, func(key, value []byte) error {
		number, ok := groupNumber(key)
		if !ok {
			return damagedGroup(0, fmt.Errorf("store key %x is none of the log", key))
		}
		return visit(number, value)
	})
}

// walk visits all keys that begin with prefix, in order. Key and value are valid until visit returns.
func walk(db pebble.Reader, prefix []byte, visit func(key, value []byte) error) error {
	return walkSpan(db, span(prefix), visit)
}

// walkSpan is walk between bounds.
func walkSpan(db pebble.Reader, bounds *pebble.IterOptions, visit func(key, value []byte) error) (err error) {
	it, err := db.NewIter(bounds)
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

package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Restore makes a store of the values of another: a copy's (copy.go), and then the groups of the log that
// came after it.
//
//  1. Put writes values as they are, past the engine.
//  2. Before the first group and at the end, what can't be read any more is taken out: segments whose cipher
//     keys the keyring has dropped, as their time was over, and all of projects that were destroyed.
//     Options.CipherBuckets says which keys there are.
//  3. Groups are put into the log. Whenever they hold as many events as a store should have live, an engine
//     opens the store, seals them, and closes it again: so memory is bounded, however long the log is.
//  4. Whoever opens the store first applies the ledger of who was erased, all of it, before anything can be
//     asked. Its newest copy is put beside the store after the last step, and not before: what came with later
//     groups would be left out.
//
// Where a step fails, the folder holds no store, and must be thrown away. It is for one goroutine.
type Restore struct {
	dir string
	opt Options

	e       *Engine // which isn't open, but for a moment in step 3
	batch   *pebble.Batch
	pruned  bool
	last    uint64
	lastAt  event.Time
	events  int // in the log, about
	bytes   int // of groups in the log
	dropped map[event.Project]bool
	encoder encode.Encoder
}

const (
	// restoreBatchBytes is how much is handed to Pebble at once.
	restoreBatchBytes = 4 << 20
	// restoreLogBytes bounds the groups that are in the log at a time: memory for them is some ten times that.
	restoreLogBytes = 16 << 20
	// restoreLogEvents bounds their events, where nothing is said of how many are sealed together.
	restoreLogEvents = liveRowsMax / 2
	// restoreSeals is how many times that many they are otherwise.
	restoreSeals = 8
)

// NewRestore begins in a folder that is empty, or isn't there.
func NewRestore(dir string, opt Options) (*Restore, error) {
	if opt.Now == nil || opt.CipherKey == nil {
		return nil, errors.New("restore store: no clock or no cipher keys were given")
	}
	opt = opt.withDefaults()
	if err := opt.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("restore store %s: %w", dir, err)
	}
	names, err := opt.FS.List(dir)
	if err != nil {
		return nil, fmt.Errorf("restore store %s: %w", dir, err)
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("%w: restore store %s: the folder is not empty", event.ErrInput, dir)
	}
	opt.Committed = nil
	r := &Restore{dir: dir, opt: opt, dropped: map[event.Project]bool{}}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// open opens Pebble without the engine.
func (r *Restore) open() (err error) {
	e := newEngine(r.dir, r.opt)
	if e.lock, err = lockFolder(r.dir, r.opt.FS); err != nil {
		return errors.Join(err, e.care.Close())
	}
	options := e.pebbleOptions()
	options.DisableWAL = true // all is flushed before anybody relies on it
	if e.db, err = pebble.Open(r.dir, options); err != nil {
		return errors.Join(storeError("open store "+r.dir, err), e.lock.Close(), e.care.Close())
	}
	r.e, r.batch = e, e.db.NewBatch()
	r.encoder.Cipher = logCipher{e.ciphers}
	return nil
}

// close has Pebble write all that it was given.
func (r *Restore) close() error {
	if r.e == nil {
		return nil
	}
	e := r.e
	r.e = nil
	err := errors.Join(e.db.Apply(r.batch, pebble.NoSync), r.batch.Close(), e.db.Flush(), e.db.Close())
	if err != nil {
		err = fmt.Errorf("restore store %s: %w", r.dir, err)
	}
	return errors.Join(err, e.lock.Close(), e.care.Close())
}

// Put writes a value. A record without one is deleted. No group may have come before, but for records.
func (r *Restore) Put(v Value) error {
	if v.Value == nil && v.IsRecord() {
		return r.put(r.batch.Delete(v.Key, nil))
	}
	if number, ok := groupNumber(v.Key); ok {
		_, at, err := r.heads(v.Value, number)
		if err != nil {
			return err
		}
		if number > r.last {
			r.last, r.lastAt = number, at
		}
		r.bytes += len(v.Value)
	}
	return r.put(r.batch.Set(v.Key, v.Value, nil))
}

// DropRecords deletes all records that were put.
func (r *Restore) DropRecords() error {
	bounds := span([]byte{prefixRecord})
	return r.put(r.batch.DeleteRange(bounds.LowerBound, bounds.UpperBound, nil))
}

func (r *Restore) put(err error) error {
	if err == nil && r.batch.Len() > restoreBatchBytes {
		err = r.flush()
	}
	if err != nil {
		return fmt.Errorf("restore store %s: %w", r.dir, err)
	}
	return nil
}

func (r *Restore) flush() error {
	err := errors.Join(r.e.db.Apply(r.batch, pebble.NoSync), r.batch.Close())
	r.batch = r.e.db.NewBatch()
	return err
}

// Last returns the number of the last group, and when it was committed; 0 where that isn't known.
func (r *Restore) Last() (number uint64, at event.Time) { return r.last, r.lastAt }

// Group puts the next group into the log. One that is there already is passed over.
func (r *Restore) Group(c Commit) error {
	if err := r.prune(); err != nil {
		return err
	}
	if c.Number <= r.last {
		return nil
	}
	if c.Number != r.last+1 {
		return damagedGroup(c.Number, fmt.Errorf("it follows group %d", r.last))
	}
	value := c.Group
	gone, at, err := r.heads(value, c.Number)
	if err != nil {
		return err
	}
	if gone {
		if value, err = r.without(value, c.Number); err != nil {
			return err
		}
	}
	r.last, r.lastAt, r.bytes = c.Number, at, r.bytes+len(value)
	if err := r.put(r.batch.Set(appendGroupKey(nil, c.Number), value, nil)); err != nil {
		return err
	}
	most := restoreLogEvents
	if r.opt.SealRows > 0 {
		most = min(most, restoreSeals*r.opt.SealRows)
	}
	if r.events < most && r.bytes < restoreLogBytes {
		return nil
	}
	return r.seal()
}

// heads looks at what a group says in clear, and reports whether it has parts of destroyed projects.
func (r *Restore) heads(value []byte, number uint64) (gone bool, at event.Time, err error) {
	decoder := encode.Decoder{Skip: func(h encode.PartHead) bool {
		r.events += h.Events
		gone = gone || r.isDestroyed(h.Project)
		return true
	}}
	g, err := decoder.Decode(value, number)
	if err != nil {
		return false, 0, damagedGroup(number, err)
	}
	return gone, g.Committed, nil
}

// without writes a group anew without the parts of destroyed projects, which nothing decrypts.
func (r *Restore) without(value []byte, number uint64) ([]byte, error) {
	decoder := encode.Decoder{Cipher: logCipher{r.e.ciphers}, Skip: func(h encode.PartHead) bool { return r.isDestroyed(h.Project) }}
	g, err := decoder.Decode(value, number)
	if err != nil {
		return nil, unreadable(number, err)
	}
	return r.encoder.Append(nil, &g), nil
}

// isDestroyed reports whether a project that has parts in the log has no cipher key for them any more.
func (r *Restore) isDestroyed(number event.Project) bool {
	if r.opt.CipherBuckets == nil {
		return false
	}
	gone, known := r.dropped[number]
	if !known {
		gone = !slices.Contains(r.opt.CipherBuckets(number), BucketLog)
		r.dropped[number] = gone
	}
	return gone
}

// prune is step 2, done once.
func (r *Restore) prune() error {
	if r.pruned {
		return nil
	}
	r.pruned = true
	err := r.flush()
	if err == nil {
		var trimmed uint64
		trimmed, err = readTrim(r.e.db, r.e.ciphers)
		r.last = max(r.last, trimmed)
	}
	if err == nil {
		err = r.pruneManifests()
	}
	if err == nil {
		err = r.pruneLog()
	}
	if err != nil {
		return fmt.Errorf("restore store %s: %w", r.dir, err)
	}
	return nil
}

func (r *Restore) pruneManifests() error {
	return walk(r.e.db, []byte{prefixManifest}, func(key, value []byte) error {
		number, _ := manifestOwner(key)
		m, err := r.e.decryptManifest(number, key, value)
		if err != nil {
			return err
		}
		dead := r.prunedManifest(number, m)
		if len(dead) == 0 && m.erasures.done == 0 {
			return nil
		}
		// The ledger is newer than the copy, and groups come that are older than its last entries: all of it
		// is to be applied again, to all that will be there when the store is opened.
		m.erasures.done = 0
		key = slices.Clone(key)
		failed := r.batch.Set(key, r.e.ciphers.encrypt(cipherID{number, BucketSets}, nil, key, m.append(nil)), nil)
		for _, t := range dead {
			end := t
			end.stamp++
			failed = errors.Join(failed, r.batch.DeleteRange(t.key(nil), end.key(nil), nil))
		}
		return failed
	})
}

// prunedManifest takes out of a manifest what can't be read any more, and returns that.
func (r *Restore) prunedManifest(number event.Project, m *manifest) (dead []thing) {
	if r.opt.CipherBuckets == nil {
		return nil
	}
	if m.watermark > 0 && r.isDestroyed(number) {
		dead = m.things(number)
		*m = manifest{next: m.next, watermark: m.watermark, committed: m.committed, ordinals: m.ordinals, gone: uint64(m.watermark)}
		return dead
	}
	return m.without(number, r.opt.CipherBuckets(number))
}

// without takes out the segments whose buckets have no cipher key, and returns them.
func (m *manifest) without(number event.Project, buckets []int32) (dead []thing) {
	m.segments = slices.DeleteFunc(m.segments, func(s segmentEntry) bool {
		if slices.Contains(buckets, s.bucket) {
			return false
		}
		m.gone += uint64(s.rows)
		dead = append(dead, thing{number, s.bucket, s.stamp})
		return true
	})
	return dead
}

// pruneLog writes the groups of the copy anew where they hold parts of destroyed projects.
func (r *Restore) pruneLog() error {
	events := r.events
	defer func() { r.events = events }() // they were counted when they were put
	return walkLog(r.e.db, func(number uint64, value []byte) error {
		gone, _, err := r.heads(value, number)
		if err != nil || !gone {
			return err
		}
		if value, err = r.without(value, number); err != nil {
			return err
		}
		return r.batch.Set(appendGroupKey(nil, number), value, nil)
	})
}

// seal is step 3.
func (r *Restore) seal() error {
	if err := r.close(); err != nil {
		return err
	}
	e, err := Open(r.dir, r.opt)
	if err != nil {
		return err
	}
	for _, p := range e.all() {
		if _, err = e.seal(p); err != nil {
			break
		}
	}
	if err == nil {
		err = e.trim()
	}
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	r.events, r.bytes = 0, 0
	return r.open()
}

// Finish ends the restore: the store can be opened once the ledger lies beside it.
func (r *Restore) Finish() error { return errors.Join(r.prune(), r.close()) }

// Abandon ends a restore that failed.
func (r *Restore) Abandon() { _ = r.close() } // what is there is thrown away

package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// How a base is made, beside requests and without keeping from the disk what is deleted meanwhile:
//
//  1. A copy of the store at one moment says which things there are.
//  2. Those that the target lacks are written, each by itself and without holding anything. One that was merged
//     away meanwhile is passed over.
//  3. Back to 1, until the target lacks none. Merging makes ever fewer and larger things, so that ends.
//  4. The rest of that copy, which is small, goes to a file, encrypted; the copy is closed; the file is written
//     to the target. The catalog names the base only then.
//
// Things that were written for a base that failed are in the catalog, and needn't be written for the next one.

const (
	// roundsMax bounds how often step 3 begins again: each round takes as long as writing what merges made
	// during the last.
	roundsMax = 20
	// notedEvery is how many things are written between two notes of them in the catalog.
	notedEvery = 64
)

// Base makes a base, and returns it.
func (b *Backup) Base(ctx context.Context) (BaseRef, error) {
	b.basing.Lock()
	defer b.basing.Unlock()
	if err := b.Ship(ctx); err != nil { // it also finds out what the target has
		return BaseRef{}, err
	}
	began := b.opt.Now()
	base, err := b.makeBase(ctx)
	if err != nil {
		return BaseRef{}, fmt.Errorf("make a base of the backup: %w", err)
	}
	b.opt.Notify(Notice{Text: fmt.Sprintf("base %s of the backup was made in %v: up to group %d, %d segments and runs",
		base.ID, b.opt.Now().Sub(began).Round(time.Millisecond), base.Group, len(base.Things))})
	return base, nil
}

func (b *Backup) makeBase(ctx context.Context) (BaseRef, error) {
	for range roundsMax {
		b.mu.Lock()
		timeline, next := b.head.Timeline, b.head.NextPart
		b.mu.Unlock()
		c, err := b.opt.Engine.Copy()
		if err != nil {
			return BaseRef{}, err
		}
		things, err := c.Things()
		if err != nil {
			return BaseRef{}, errors.Join(err, c.Close())
		}
		lacking := b.lacking(timeline, things)
		if len(lacking) == 0 {
			return b.finishBase(ctx, c, BaseRef{Group: c.Last, At: c.LastAt, Next: next, Things: thingNames(timeline, things)}, timeline)
		}
		if err := errors.Join(c.Close(), b.putThings(ctx, timeline, lacking)); err != nil {
			return BaseRef{}, err
		}
	}
	return BaseRef{}, errors.New("segments are merged faster than they can be copied")
}

func thingNames(timeline string, things []engine.Thing) []string {
	list := make([]string, len(things))
	for i, t := range things {
		list[i] = thingName(timeline, t)
	}
	return list
}

func (b *Backup) lacking(timeline string, things []engine.Thing) (list []engine.Thing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.log.timeline(timeline)
	for _, t := range things {
		if _, ok := known.Things[thingName(timeline, t)]; !ok {
			list = append(list, t)
		}
	}
	return list
}

// putThings is step 2.
func (b *Backup) putThings(ctx context.Context, timeline string, list []engine.Thing) error {
	fresh := map[string]Ref{}
	note := func() error {
		if len(fresh) == 0 {
			return nil
		}
		err := b.publish(ctx, func(_ *Head, c *Catalog) bool {
			t := c.timeline(timeline)
			for name, ref := range fresh {
				t.Things[name] = ref
			}
			return true
		})
		if err == nil {
			clear(fresh)
		}
		return err
	}
	for _, t := range list {
		ref, err := b.putStream(ctx, thingName(timeline, t), func(w *entryWriter) error {
			return b.opt.Engine.CopyThing(ctx, t, w.value)
		})
		if errors.Is(err, event.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		fresh[ref.Name] = ref
		if len(fresh) >= notedEvery {
			if err := note(); err != nil {
				return err
			}
		}
	}
	return note()
}

// finishBase is step 4. It closes the copy.
func (b *Backup) finishBase(ctx context.Context, c *engine.Copy, base BaseRef, timeline string) (_ BaseRef, err error) {
	spool, err := os.CreateTemp(b.opt.Dir, "backup-base-")
	if err != nil {
		return base, errors.Join(err, c.Close())
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	base.Taken = b.opt.Now().UTC()
	if base.At == 0 {
		base.At = event.TimeOf(base.Taken) // all of the log is sealed: no later than now is known of its last commit
	}
	base.ID = base.Taken.Format("20060102t150405") + "-" + newName()[:6]
	name := timeline + "/base/" + base.ID
	sum := newSummer(spool)
	err = b.encode(sum, name, func(w *entryWriter) error { return c.Values(w.value) })
	if err = errors.Join(err, c.Close()); err != nil {
		return base, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return base, err
	}
	base.Ref = sum.ref(name)
	if err := b.opt.Target.Put(ctx, name, spool, base.Bytes); err != nil {
		return base, err
	}
	return base, b.publish(ctx, func(_ *Head, c *Catalog) bool {
		t := c.timeline(timeline)
		t.Bases = append(t.Bases, base)
		return true
	})
}

// entryWriter writes entries.
type entryWriter struct {
	w   *bufio.Writer
	n   int
	buf []byte
}

func (w *entryWriter) value(v engine.Value) error {
	w.buf = appendValue(w.buf[:0], v)
	return w.entry()
}

func (w *entryWriter) entry() error {
	w.n++
	_, err := w.w.Write(w.buf)
	return err
}

// encode writes an object: entries, their end, encrypted.
func (b *Backup) encode(to io.Writer, name string, fill func(*entryWriter) error) error {
	sealed, err := b.crypt.writer(to, name)
	if err != nil {
		return fmt.Errorf("encrypt %s: %w", name, err)
	}
	w := &entryWriter{w: bufio.NewWriterSize(sealed, chunkBytes)}
	if err := fill(w); err != nil {
		return err
	}
	if _, err := w.w.Write(appendEnd(nil, w.n)); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	return sealed.Close()
}

// putStream writes an object of any length as it is made.
func (b *Backup) putStream(ctx context.Context, name string, fill func(*entryWriter) error) (Ref, error) {
	r, w := io.Pipe()
	sum := newSummer(w)
	filled := make(chan error, 1)
	go func() {
		err := b.encode(sum, name, fill)
		filled <- err
		_ = w.CloseWithError(err) // it never fails
	}()
	err := b.opt.Target.Put(ctx, name, r, -1)
	_ = r.CloseWithError(errors.New("the target takes no more")) // so that the other end stops
	if failed := <-filled; failed != nil && (err == nil || errors.Is(failed, event.ErrMissing)) {
		err = failed
	}
	return sum.ref(name), err
}

// summer hashes and counts what goes through it.
type summer struct {
	to io.Writer
	h  hash.Hash
	n  int64
}

func newSummer(to io.Writer) *summer { return &summer{to: to, h: sha256.New()} }

// Write is part of io.Writer.
func (s *summer) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.h.Write(p[:n])
	s.n += int64(n)
	return n, err
}

func (s *summer) ref(name string) Ref {
	return Ref{Name: name, Bytes: s.n, Hash: hex.EncodeToString(s.h.Sum(nil))}
}

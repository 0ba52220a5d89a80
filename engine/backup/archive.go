package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"millimetric/index/event"
)

// Archive is a backup as who reads it sees it: as it was when it was opened. Bases and parts that expire
// meanwhile are gone.
type Archive struct {
	Head    Head
	Catalog *Catalog
	target  Target
	crypt   crypt
	// Read, where it is given, is told of the bytes that were read, for who shows progress.
	Read func(bytes int64)
}

// Open opens the backup at a target. One that isn't there is an error of kind event.ErrMissing. One under another
// key can't be told from a damaged one.
func Open(ctx context.Context, from Target, key Key) (*Archive, error) {
	c, err := newCrypt(key)
	if err != nil {
		return nil, err
	}
	a := &Archive{target: from, crypt: c}
	ctx, cancel := context.WithTimeout(ctx, opWait)
	defer cancel()
	text, err := a.readHead(ctx)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	if a.Head, err = decodeHead(text); err != nil {
		return nil, err
	}
	if text, err = a.readWhole(ctx, a.Head.Catalog); err != nil {
		return nil, fmt.Errorf("open backup: %w", asDamage(err))
	}
	a.Catalog, err = decodeCatalog(text, &a.Head)
	return a, err
}

// archive gives the backup as it is now.
func (b *Backup) archive() *Archive {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Archive{Head: b.head, Catalog: b.log, target: b.opt.Target, crypt: b.crypt}
}

// Archive gives the backup as it is now, to check it or restore from it.
func (b *Backup) Archive(ctx context.Context) (*Archive, error) {
	if err := b.Ship(ctx); err != nil {
		return nil, err
	}
	return b.archive(), nil
}

// readHead reads the head. A head that doesn't decrypt may be another store's, which can't be told apart.
func (a *Archive) readHead(ctx context.Context) ([]byte, error) {
	r, err := a.target.Get(ctx, headName)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	plain, err := a.crypt.reader(r, headName)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(plain, headBytesMax))
	}
	if errors.Is(err, event.ErrDamaged) {
		return nil, fmt.Errorf("%w, or %w", err, errForeign)
	}
	return text, err
}

// readWhole reads a small object.
func (a *Archive) readWhole(ctx context.Context, ref Ref) (text []byte, err error) {
	err = a.open(ctx, ref, func(r io.Reader) error {
		text, err = io.ReadAll(io.LimitReader(r, headBytesMax))
		return err
	})
	return text, err
}

// readTries is how often an object is read anew where the target failed while it was read.
const readTries = 4

// open gives an object's decrypted bytes to use, and returns an error where they aren't what was written, to
// the last one. Where the target failed, use is called again, from the beginning.
func (a *Archive) open(ctx context.Context, ref Ref, use func(io.Reader) error) (err error) {
	for try := range readTries {
		if try > 0 && !pause(ctx, retryMin<<try) {
			return ctx.Err()
		}
		err = a.openOnce(ctx, ref, use)
		if err == nil || !isTarget(err) {
			return err
		}
	}
	return err
}

func (a *Archive) openOnce(ctx context.Context, ref Ref, use func(io.Reader) error) error {
	r, err := a.target.Get(ctx, ref.Name)
	if errors.Is(err, event.ErrMissing) {
		return damaged("object %s is missing", ref.Name)
	}
	if err != nil {
		return &targetError{err}
	}
	defer r.Close() // what was read was checked
	counted := &countingReader{r: r, h: sha256.New(), tell: a.Read}
	plain, err := a.crypt.reader(counted, ref.Name)
	if err != nil {
		return err
	}
	if err := use(plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return err
	}
	if counted.n != ref.Bytes || hex.EncodeToString(counted.h.Sum(nil)) != ref.Hash {
		return damaged("object %s is another than the one that the catalog names", ref.Name)
	}
	return nil
}

// read visits the entries of an object.
func (a *Archive) read(ctx context.Context, ref Ref, v visitor) error {
	return a.open(ctx, ref, func(r io.Reader) error { return readEntries(ref.Name, r, v) })
}

// countingReader hashes and counts what is read through it.
type countingReader struct {
	r io.Reader
	h interface {
		io.Writer
		Sum([]byte) []byte
	}
	n    int64
	tell func(int64)
}

// Read is part of io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	_, _ = c.h.Write(p[:n]) // a hash never fails
	if c.tell != nil && n > 0 {
		c.tell(int64(n))
	}
	return n, err
}

// asDamage says of an object that the head names and the target lacks that the backup is damaged.
func asDamage(err error) error {
	if errors.Is(err, event.ErrMissing) {
		return damaged("%w", err)
	}
	return err
}

// base finds a base by its id.
func (a *Archive) base(id string) (*BaseRef, *Timeline) {
	for i := range a.Catalog.Timelines {
		t := &a.Catalog.Timelines[i]
		for j := range t.Bases {
			if t.Bases[j].ID == id {
				return &t.Bases[j], t
			}
		}
	}
	return nil, nil
}

var (
	entriesName = regexp.MustCompile(`^[0-9a-f]{16}/(base|thing|log)/`)
	ourNames    = regexp.MustCompile(`^([0-9a-f]{16}/(base|thing|log)|catalog|kept)/[0-9a-z-]+$`)
)

// ours reports whether an object may be one of a backup's: what else lies at the target is left alone.
func ours(name string) bool { return ourNames.MatchString(name) }

// Listed is a base as it is listed.
type Listed struct {
	ID       string    `json:"id"`
	Timeline string    `json:"timeline"`
	Taken    time.Time `json:"taken"`
	Group    uint64    `json:"group"`
	At       time.Time `json:"at,omitzero"` // when that group was committed
	To       uint64    `json:"to"`          // the last group that can be restored from it
	Until    time.Time `json:"until,omitzero"`
	Bytes    int64     `json:"bytes"` // of it and what it needs
}

// List lists the bases, the newest first.
func (a *Archive) List() []Listed {
	list := []Listed{}
	for i := range a.Catalog.Timelines {
		t := &a.Catalog.Timelines[i]
		for _, b := range t.Bases {
			l := Listed{ID: b.ID, Timeline: t.ID, Taken: b.Taken, Group: b.Group, To: b.Group, Bytes: b.Bytes}
			until := b.At
			for _, name := range b.Things {
				l.Bytes += t.Things[name].Bytes
			}
			for _, p := range a.Head.logOf(a.Catalog, t.ID) {
				if p.Last < b.Next || p.To <= l.To {
					continue
				}
				if p.From > l.To+1 {
					break
				}
				l.To, until = p.To, p.Ended
			}
			l.At, l.Until = stdTime(b.At), stdTime(until)
			list = append(list, l)
		}
	}
	slices.Reverse(list)
	return list
}

func stdTime(t event.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return t.Std()
}

// Bytes is how many bytes all objects have that the head and the catalog name.
func (a *Archive) Bytes() (total int64) {
	for _, ref := range a.Head.refs(a.Catalog) {
		total += ref.Bytes
	}
	return total
}

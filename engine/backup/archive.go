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

	"millimetric/engine"
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

// Report is what a check found.
type Report struct {
	Objects  int      `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Unnamed  int      `json:"unnamed"` // objects that nothing names: leftovers, which do no harm
	Bases    int      `json:"bases"`
	Groups   uint64   `json:"groups"` // of the log that were read
	Problems []string `json:"problems"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// problemsMax bounds what a report says.
const problemsMax = 100

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < problemsMax {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// headLate is how much newer than the head an object may be that it doesn't name: it is being written, or the
// clocks of server and target differ.
const headLate = 15 * time.Minute

// Check compares what the target lists with what the backup must have: names and lengths. It reads no more
// than the head and the catalog.
func (a *Archive) Check(ctx context.Context) (*Report, error) {
	r := &Report{Problems: []string{}}
	there, fresh := map[string]int64{}, map[string]bool{}
	err := a.target.List(ctx, "", func(o Object) error {
		there[o.Name] = o.Bytes
		fresh[o.Name] = o.Modified.Sub(a.Head.Written) > headLate
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, ref := range a.Head.refs(a.Catalog) {
		r.Objects++
		r.Bytes += ref.Bytes
		switch bytes, ok := there[ref.Name]; {
		case !ok:
			r.problem("object %s is missing", ref.Name)
		case bytes != ref.Bytes:
			r.problem("object %s has %d bytes, not %d", ref.Name, bytes, ref.Bytes)
		}
		delete(there, ref.Name)
	}
	for name := range there {
		if name == keyName || name == headName {
			r.Objects++
			r.Bytes += there[name]
		} else if ours(name) {
			r.Unnamed++
			if fresh[name] {
				r.problem("object %s is newer than the head: somebody may have put an older head back", name)
			}
		}
	}
	if _, ok := there[keyName]; !ok {
		r.problem("object %s is missing: the backup can't be opened with the root key alone", keyName)
	}
	for i := range a.Catalog.Timelines {
		r.Bases += len(a.Catalog.Timelines[i].Bases)
	}
	if r.Bases == 0 {
		r.problem("there is no base yet: nothing can be restored")
	}
	return r, nil
}

// Verify is Check, and then reads all objects, or those that one base needs: hashes, decryption, and that all
// entries decode and the log has no gaps.
func (a *Archive) Verify(ctx context.Context, base string) (*Report, error) {
	r, err := a.Check(ctx)
	if err != nil {
		return nil, err
	}
	refs := a.Head.refs(a.Catalog)
	if base != "" {
		found, of := a.base(base)
		if found == nil {
			return nil, fmt.Errorf("%w: the backup has no base %s", event.ErrMissing, base)
		}
		refs = []Ref{found.Ref}
		for _, name := range found.Things {
			refs = append(refs, of.Things[name])
		}
	}
	for _, ref := range refs {
		if err := a.verify(ctx, ref, r); err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				return nil, err
			}
			r.problem("%v", err)
		}
	}
	if base == "" {
		a.verifyLog(r)
	}
	return r, nil
}

func (a *Archive) verify(ctx context.Context, ref Ref, r *Report) error {
	if !entriesName.MatchString(ref.Name) {
		_, err := a.readWhole(ctx, ref)
		return err
	}
	groups := uint64(0)
	err := a.read(ctx, ref, visitor{commit: func(c engine.Commit) error {
		if c.Number > 0 {
			groups++
		}
		return nil
	}})
	r.Groups += groups
	return err
}

// verifyLog finds gaps that no base covers.
func (a *Archive) verifyLog(r *Report) {
	for i := range a.Catalog.Timelines {
		t := &a.Catalog.Timelines[i]
		if len(t.Bases) == 0 {
			continue
		}
		last := t.Bases[0].Group
		for _, p := range a.Head.logOf(a.Catalog, t.ID) {
			if p.From > last+1 {
				covered := slices.ContainsFunc(t.Bases, func(b BaseRef) bool { return b.Group+1 >= p.From })
				if !covered {
					r.problem("groups %d to %d of timeline %s are missing, and no base has them", last+1, p.From-1, t.ID)
				}
			}
			last = max(last, p.To)
		}
	}
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

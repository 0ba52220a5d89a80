package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/durable"
	"millimetric/index/event"
)

// memory is what the program remembers of how far its backup is.
type memory struct {
	Timeline string `json:"timeline"`
	Serial   uint64 `json:"serial"` // of the head that is written now, or was last
}

const memoryName = "backup.json"

// remember notes which head is about to be written. It is synced: a head that is more than one ahead of it was
// written by another store.
func (b *Backup) remember(h Head) error {
	text, err := json.Marshal(memory{h.Timeline, h.Serial})
	if err != nil {
		return err
	}
	return durable.Replace(vfs.Default, b.opt.Dir, memoryName, text)
}

// remembered returns what is remembered; nothing where it can't be read: a new timeline is always right.
func (b *Backup) remembered() (m memory) {
	text, err := os.ReadFile(filepath.Join(b.opt.Dir, memoryName))
	if err == nil {
		_ = json.Unmarshal(text, &m)
	}
	return m
}

// join finds out what the target has, once.
//
//  1. Nothing: a timeline begins, and the wrapped key is written.
//  2. A head of ours, as new as is remembered: it goes on.
//  3. A head of ours that is older than is remembered: somebody put it back. Told, and 4.
//  4. Another head under our key: this store was restored or put back to an earlier state, so that its
//     groups are others than those at the target. A timeline begins; what was before stays until it is old.
//  5. What our key doesn't open: an error.
func (b *Backup) join(ctx context.Context) error {
	b.mu.Lock()
	joined := b.joined
	b.mu.Unlock()
	if joined {
		return nil
	}
	a, err := Open(ctx, b.opt.Target, b.opt.Key)
	if errors.Is(err, event.ErrMissing) && !errors.Is(err, event.ErrDamaged) {
		return b.begin(ctx, Head{NextPart: 1}, &Catalog{})
	}
	if err != nil {
		return err
	}
	if err := b.putWrapped(ctx); err != nil {
		return err
	}
	known := b.remembered()
	ours := known.Timeline == a.Head.Timeline
	if ours && (a.Head.Serial == known.Serial || a.Head.Serial+1 == known.Serial) {
		end, at := a.Head.end(a.Catalog, a.Head.Timeline)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.joined, b.head, b.log = true, a.Head, a.Catalog
		b.stat.Group, b.stat.At = end, at
		return nil
	}
	if ours && a.Head.Serial < known.Serial {
		b.opt.Notify(Notice{Urgent: true, Text: "the backup at the target is older than it was: somebody put it back; a new base is made"})
	}
	// What isn't in the catalog yet belongs to the old timeline.
	log := a.Catalog.clone()
	if t := log.timeline(a.Head.Timeline); t != nil {
		t.Log = append(t.Log, a.Head.Parts...)
	}
	return b.begin(ctx, Head{NextPart: a.Head.NextPart, Serial: max(a.Head.Serial, known.Serial), Catalog: a.Head.Catalog, Kept: a.Head.Kept}, log)
}

// begin begins a timeline.
func (b *Backup) begin(ctx context.Context, h Head, log *Catalog) error {
	if err := b.putWrapped(ctx); err != nil {
		return err
	}
	h.Format, h.Timeline = headFormat, newName()
	b.mu.Lock()
	b.head, b.log = h, log
	b.mu.Unlock()
	err := b.publish(ctx, func(_ *Head, c *Catalog) bool {
		c.Timelines = append(c.Timelines, Timeline{ID: h.Timeline, Began: b.opt.Now().UTC()})
		return true
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.joined = true
	b.mu.Unlock()
	b.want()
	return nil
}

// putWrapped writes the wrapped key where the target has another one, or none.
func (b *Backup) putWrapped(ctx context.Context) error {
	if b.opt.Wrapped == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, opWait)
	defer cancel()
	if text, err := readWrapped(ctx, b.opt.Target); err == nil && bytes.Equal(text, b.opt.Wrapped) {
		return nil
	} else if err != nil && !errors.Is(err, event.ErrMissing) {
		return err
	}
	return b.opt.Target.Put(ctx, keyName, bytes.NewReader(b.opt.Wrapped), int64(len(b.opt.Wrapped)))
}

// wrappedBytesMax bounds what is read of a wrapped key.
const wrappedBytesMax = 1 << 10

func readWrapped(ctx context.Context, from Target) ([]byte, error) {
	r, err := from.Get(ctx, keyName)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, wrappedBytesMax))
	return text, errors.Join(err, r.Close())
}

// FindKey reads the backup key of a target with the root key.
func FindKey(ctx context.Context, from Target, root [32]byte) (Key, error) {
	ctx, cancel := context.WithTimeout(ctx, opWait)
	defer cancel()
	text, err := readWrapped(ctx, from)
	if err != nil {
		return Key{}, fmt.Errorf("read the backup key: %w", err)
	}
	return Unwrap(root, text)
}

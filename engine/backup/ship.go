package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"millimetric/engine"
)

// How commits reach the target.
//
//  1. What waits is taken out of the queue. It is held here until the target has it; what comes meanwhile waits
//     in the queue, which is bounded.
//  2. Where the queue lost something, or nobody knows what was before, the groups since the last one at the target are
//     read from the store, and all records. Where the store has trimmed some of these, a base is wanted.
//  3. Each packet becomes an object, and then a head names it. Cut in between, the object is one that nothing
//     names; what it holds is read from the store at the next start.

// partBytes is when a part that is read from the store ends: so much is in memory at once.
const partBytes = 8 << 20

// Ship copies all that is committed by now. It does nothing where there is nothing new. Run does so by itself; who
// can't wait for that, as what was just done must not be lost with the machine, calls it, too.
func (b *Backup) Ship(ctx context.Context) error {
	select {
	case b.shipping <- struct{}{}:
		defer func() { <-b.shipping }()
	case <-ctx.Done(): // the one before waits for the target
		return ctx.Err()
	}
	if err := b.join(ctx); err != nil {
		return err
	}
	if err := b.shipPending(ctx); err != nil {
		return err
	}
	began := b.opt.Now()
	p, lost := b.opt.Queue.take()
	if lost {
		if err := b.catchUp(ctx); err != nil {
			b.opt.Queue.lose() // p is in the store, too
			return fmt.Errorf("read what the backup lacks: %w", err)
		}
	}
	if p.entries > 0 {
		b.pending = append(b.pending, p)
		b.hold(len(p.body))
	}
	if err := b.shipPending(ctx); err != nil {
		return err
	}
	if err := b.keepNewest(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	b.stat.Copied, b.copied, b.holding = began, began, 0
	b.mu.Unlock()
	b.worked()
	return nil
}

// shipPending copies what an earlier try has left.
func (b *Backup) shipPending(ctx context.Context) error {
	for len(b.pending) > 0 {
		if err := b.shipPart(ctx, &b.pending[0]); err != nil {
			return err
		}
		b.pending[0] = packet{} // its memory
		b.pending = b.pending[1:]
	}
	return nil
}

func (b *Backup) hold(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = bytes
}

// shipPart is step 3.
func (b *Backup) shipPart(ctx context.Context, p *packet) error {
	b.mu.Lock()
	timeline, last := b.head.Timeline, b.stat.Group
	b.mu.Unlock()
	if p.ref.From > last+1 {
		b.gap(last, p.ref.From)
	}
	name := timeline + "/log/" + newName()
	ref, err := b.putBytes(ctx, name, p.body, appendEnd(nil, p.entries))
	if err != nil {
		return err
	}
	return b.publish(ctx, func(h *Head, _ *Catalog) bool {
		part := p.ref
		part.Ref, part.First, part.Last = ref, h.NextPart, h.NextPart
		h.NextPart++
		h.Parts = append(h.Parts, part)
		return false
	})
}

// gap notes that groups are missing at the target, which only a base can mend.
func (b *Backup) gap(last, from uint64) {
	b.mu.Lock()
	t := b.log.timeline(b.head.Timeline)
	first := t == nil || len(t.Bases) == 0
	if !first {
		b.stat.Gaps++
	}
	b.mu.Unlock()
	b.want()
	if !first {
		b.opt.Notify(Notice{Urgent: true, Text: fmt.Sprintf(
			"groups %d to %d were trimmed before they were copied: no position among them can be restored; a new base is made", last+1, from-1)})
	}
}

// catchUp is step 2. Nothing of the store is held while the target is written to.
func (b *Backup) catchUp(ctx context.Context) error {
	for {
		b.mu.Lock()
		last := b.stat.Group
		b.mu.Unlock()
		p, whole, err := b.readSince(last)
		if err == nil && p.entries > 0 {
			err = b.shipPart(ctx, &p)
		}
		if err != nil || whole {
			return err
		}
	}
}

// errEnough ends the reading of the log where a part is full.
var errEnough = errors.New("enough")

// readSince reads what the store has after a group, up to one part; whole says that no group is left, and that all
// records are in it.
func (b *Backup) readSince(last uint64) (p packet, whole bool, err error) {
	c, err := b.opt.Engine.Copy()
	if err != nil {
		return p, false, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if last < c.Trimmed {
		b.want()            // a base has all that is missing
		return p, true, nil // and the groups of the queue will show the gap
	}
	err = c.Groups(last, func(g engine.Commit) error {
		if len(p.body) >= partBytes {
			return errEnough
		}
		p.add(g)
		return nil
	})
	if err != nil {
		if errors.Is(err, errEnough) {
			err = nil
		}
		return p, false, err
	}
	var records []engine.Value
	err = c.Records(func(v engine.Value) error {
		records = append(records, engine.Value{Key: bytes.Clone(v.Key), Value: bytes.Clone(v.Value)})
		return nil
	})
	if err != nil {
		return p, false, err
	}
	p.body = appendRecords(append(p.body, entryRecords), records)
	p.note(0, max(c.LastAt, p.ref.Ended))
	return p, true, nil
}

// putBytes writes a small object, encrypted.
func (b *Backup) putBytes(ctx context.Context, name string, plain ...[]byte) (Ref, error) {
	var sealed bytes.Buffer
	w, err := b.crypt.writer(&sealed, name)
	for _, piece := range plain {
		if err == nil {
			_, err = w.Write(piece)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return Ref{}, fmt.Errorf("encrypt %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, opWait)
	defer cancel()
	sum := sha256.Sum256(sealed.Bytes())
	ref := Ref{Name: name, Bytes: int64(sealed.Len()), Hash: hex.EncodeToString(sum[:])}
	return ref, b.opt.Target.Put(ctx, name, bytes.NewReader(sealed.Bytes()), ref.Bytes)
}

// keepNewest replaces what is kept only as it is now, where it has changed.
func (b *Backup) keepNewest(ctx context.Context) error {
	kept, err := b.opt.Kept()
	if err != nil {
		return fmt.Errorf("read what is kept as it is now: %w", err)
	}
	b.mu.Lock()
	same := len(kept) == len(b.keptNow)
	for name, text := range kept {
		same = same && b.keptNow[name] == sha256.Sum256(text)
	}
	b.mu.Unlock()
	if same {
		return nil
	}
	return b.publish(ctx, func(*Head, *Catalog) bool { return false })
}

// publish replaces the head by one that change has changed; it returns whether it changed the catalog, too. What
// is kept as it is now is asked for first: parts that are named may need keys that are new in the keyring.
func (b *Backup) publish(ctx context.Context, change func(h *Head, c *Catalog) bool) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	next, log, serial := b.head, b.log, b.head.Serial+1
	b.mu.Unlock()
	next.Parts = slices.Clone(next.Parts)
	fresh := log.clone()
	replaced := ""
	if change(&next, fresh) || next.Catalog.Name == "" {
		log = fresh
		if next.Catalog.Name != "" {
			replaced = next.Catalog.Name
		}
		text, err := json.Marshal(log)
		if err != nil {
			return err
		}
		if next.Catalog, err = b.putBytes(ctx, "catalog/"+newName(), text); err != nil {
			return err
		}
	}
	sums, old, err := b.putKept(ctx, &next)
	if err != nil {
		return err
	}
	next.Serial, next.Written = serial, b.opt.Now().UTC()
	if err := b.remember(next); err != nil {
		return err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if _, err := b.putBytes(ctx, headName, text); err != nil {
		return err
	}
	b.mu.Lock()
	b.head, b.log, b.keptNow = next, log, sums
	b.stat.Group, b.stat.At = next.end(log, next.Timeline)
	b.mu.Unlock()
	if replaced != "" {
		b.retire(replaced)
	}
	b.remove(ctx, old)
	return nil
}

// putKept writes what is kept as it is now where it has changed. It returns the hashes of all, and the names of
// what was replaced.
func (b *Backup) putKept(ctx context.Context, next *Head) (sums map[string][sha256.Size]byte, old []string, err error) {
	kept, err := b.opt.Kept()
	if err != nil {
		return nil, nil, fmt.Errorf("read what is kept as it is now: %w", err)
	}
	refs := map[string]Ref{}
	b.mu.Lock()
	now := b.keptNow
	b.mu.Unlock()
	sums = map[string][sha256.Size]byte{}
	for name, text := range kept {
		sums[name] = sha256.Sum256(text)
		if known, ok := next.Kept[name]; ok && now[name] == sums[name] {
			refs[name] = known
			continue
		}
		if refs[name], err = b.putBytes(ctx, "kept/"+newName(), text); err != nil {
			return nil, nil, err
		}
	}
	for name, ref := range next.Kept {
		if refs[name] != ref {
			old = append(old, ref.Name)
		}
	}
	next.Kept = refs
	return sums, old, nil
}

// remove deletes objects that nothing names any more. What can't be deleted stays until the next sweep.
func (b *Backup) remove(ctx context.Context, names []string) {
	for _, name := range names {
		if err := b.opt.Target.Remove(ctx, name); err != nil {
			return
		}
	}
}

package engine

import (
	"context"
	"errors"
	"fmt"

	"millimetric/index/event"
	"millimetric/index/visitors"
)

// Destroy takes away all that is kept of a project, for good, and returns once that is durable and the
// cipher keys are destroyed. Who was sent away before must see to it that none of its API keys is good.
//
//  1. From one group on, the gathering goroutine refuses events of the project, until the process ends.
//  2. All projects are sealed and the log is trimmed up to there: groups have parts of several projects,
//     and none of this one's may be left when its key for the log goes, or a start couldn't read them.
//  3. A manifest that names nothing takes the old one's place. A start reads it, so it stays, with how far
//     positions and ordinals went and no more. Its sync makes the trim mark durable, too. Cut after it, what
//     the old one named is deleted at the next start.
//  4. The cipher keys are destroyed, but for the manifest's: what copies there may be of the events can't be
//     read any more. Cut before it or within, Destroy is to be called again.
//  5. Pebble gives up the space.
//
// Readers that hold a snapshot of the project are told that it is damaged from 4 on.
func (e *Engine) Destroy(ctx context.Context, number event.Project) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	if err := e.destroy(ctx, number); err != nil {
		return fmt.Errorf("destroy project %d: %w", number, err)
	}
	return nil
}

func (e *Engine) destroy(ctx context.Context, number event.Project) error {
	if err := e.inGather(func(*group) { e.destroyed[number] = true }); err != nil {
		return err
	}
	if known, ok := e.shown.Load(number); ok {
		if err := e.empty(ctx, known.(*project)); err != nil {
			return err
		}
	}
	if err := e.dropAllKeys(number); err != nil {
		return err
	}
	from, to := thing{project: number}.key(nil), thing{project: number + 1}.key(nil)
	return errors.Join(e.flush(ctx), e.compactKeys(ctx, from, to),
		e.compactKeys(ctx, appendGroupKey(nil, 0), appendGroupKey(nil, e.trimmed.Load()+1)))
}

// errDestroyed is said of events of a project that is gone.
var errDestroyed = fmt.Errorf("%w: the project was destroyed", event.ErrMissing)

// empty does steps 2 and 3.
func (e *Engine) empty(ctx context.Context, p *project) error {
	upTo := e.committed.Load()
	for _, other := range e.all() {
		if _, err := e.seal(other); err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), e.stopped()); err != nil {
			return err
		}
	}
	if err := e.trim(); err != nil {
		return err
	}
	if e.trimmed.Load() < upTo || !e.nothingBroken() {
		return errors.New("the log still holds events of it, beside those of a project that is damaged")
	}
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	before := p.newest()
	m := &manifest{next: before.next, watermark: before.watermark, committed: before.committed,
		ordinals: before.ordinals, gone: uint64(before.watermark), erasures: before.erasures}
	next, err := e.openSealed(p, m, before)
	if err == nil {
		err = e.publish(p, next)
	}
	if err == nil {
		err = e.handOver(p, next, m.ordinals, 0)
	}
	if err != nil {
		return err
	}
	p.ordinals.mu.Lock()
	p.ordinals.near = visitors.Recent{}
	p.ordinals.mu.Unlock()
	return e.clean()
}

// dropAllKeys does step 4.
func (e *Engine) dropAllKeys(number event.Project) error {
	if e.opt.CipherBuckets == nil || e.opt.DropCipherKey == nil {
		return errors.New("no way to destroy cipher keys was given")
	}
	for _, bucket := range e.opt.CipherBuckets(number) {
		if bucket == BucketSets {
			continue
		}
		if err := e.opt.DropCipherKey(number, bucket); err != nil {
			return fmt.Errorf("drop cipher key of bucket %d: %w", bucket, err)
		}
		e.ciphers.drop(cipherID{number, bucket})
	}
	return nil
}

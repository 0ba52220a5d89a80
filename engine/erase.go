package engine

import (
	"context"
	"errors"
	"fmt"

	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// How somebody is erased.
//
//  1. The gathering goroutine gives the erasure its time, above the commit times of all groups so far and not
//     above those of later ones, and writes the ledger, synced. From here on it keeps no event of them that
//     is dated before that time (late.go). It is the one that does so because no event may pass between.
//     That stops events for two syncs, which erasures are rare enough for.
//  2. All that is committed is sealed: only segments have to be looked through.
//  3. Of a user, the visitors are found whose events without a user id belong to that user (person.go).
//     The ledger gets an entry for each, as in 1, and all is sealed again: theirs may have come meanwhile.
//  4. The rows of all of them are hidden, by one manifest. Whoever takes a snapshot from now on, after
//     whatever crash, doesn't see them. The erasure answers.
//  5. What was hidden is written anew without it, and all that held it leaves the disk (erasegone.go).
//
// An erasure that a crash stops before 4 is done when the store is opened, before that returns; one that
// is stopped in 5 goes on then. One that fails before 4 is tried again by the merger.

// Person says who is to be erased: the user, or the visitor.
type Person struct{ UserID, AnonymousID string }

// CodeForgetFailed is the code of errors that say that an erasure didn't come to its end. It is known then
// and goes on by itself, or isn't; asking again is safe.
const CodeForgetFailed = "forget_failed"

// Erase erases all events of somebody: by user those that carry the user id and those without one that
// belong to the user, by visitor those of the visitor. Once it returns, no snapshot that is taken shows
// them, and events of theirs that come later and are dated before are not kept. Their bytes go after
// that; Erasure tells when they are gone. Erasing somebody again, or who was never there, is no error.
func (e *Engine) Erase(ctx context.Context, number event.Project, who Person) (Erasure, error) {
	kind, id := ledger.KindUser, who.UserID
	if id == "" {
		kind, id = ledger.KindVisitor, who.AnonymousID
	}
	if number == 0 || id == "" || who.UserID != "" && who.AnonymousID != "" {
		panic("engine: an erasure of nobody, or of two")
	}
	if err := e.enter(); err != nil {
		return Erasure{}, err
	}
	defer e.running.Done()
	erasure, err := e.erase(ctx, number, kind, id)
	if err != nil {
		return Erasure{}, fmt.Errorf("erase somebody in project %d: %w", number, err)
	}
	return erasure, nil
}

func (e *Engine) erase(ctx context.Context, number event.Project, kind ledger.Kind, id string) (Erasure, error) {
	if _, err := e.hashersOf(number); err != nil {
		return Erasure{}, err
	}
	key, err := e.ledgerKey(number)
	if err != nil {
		return Erasure{}, err
	}
	var p *project
	if err := e.inGather(func(*group) { p = e.project(number) }); err != nil {
		return Erasure{}, err
	}
	// Erasures of a project are hidden in the order of their times: a manifest says how far they are done.
	p.erasing.Lock()
	defer p.erasing.Unlock()
	if err := errors.Join(ctx.Err(), p.damage()); err != nil {
		return Erasure{}, err
	}
	receipt := newReceipt()
	who := key.Hash(kind, id)
	asked := &Erasure{Receipt: receipt.String(), Project: number, Requested: event.TimeOf(e.opt.Now())}
	if err := e.enterLedger(p, asked, ledger.Entry{Project: number, Kind: kind, Who: who, Receipt: receipt}); err != nil {
		return Erasure{}, err
	}
	if err := e.hide(p, map[ledger.Hash]string{who: id}); err != nil {
		return Erasure{}, err
	}
	return e.Erasure(asked.Receipt)
}

// enterLedger does step 1 for entries, to which it gives their time. Where erasure is given, its record is
// made, too.
func (e *Engine) enterLedger(p *project, erasure *Erasure, entries ...ledger.Entry) error {
	var failed error
	err := e.inGather(func(g *group) {
		if e.destroyed[p.number] {
			failed = errDestroyed
			return
		}
		at := max(e.clock, e.ahead) + 1
		for i := range entries {
			entries[i].At = at
		}
		if failed = e.ledger.Add(entries...); failed != nil {
			return
		}
		p.erasedBefore, e.ahead = at, at
		if erasure != nil {
			failed = erasure.enter(e.ledger, entries[0])
			e.erasing.put(erasure)
			g.records = append(g.records, erasure.records()...)
		}
	})
	if err != nil {
		return err // and failed may be written yet
	}
	return failed
}

// hide does steps 2 to 4 for all that the ledger has and the project's manifest doesn't say is done. It is
// given what ids it knows; others are looked for. The caller holds erasing.
func (e *Engine) hide(p *project, known map[ledger.Hash]string) error {
	if _, err := e.seal(p); err != nil {
		return err
	}
	targets, err := e.openTargets(p, known)
	if err != nil {
		return err
	}
	more := false
	for _, t := range targets {
		if t.kind == ledger.KindUser {
			entered, err := e.enterDevices(p, t, known)
			if err != nil {
				return err
			}
			more = more || entered
		}
	}
	if more {
		if _, err := e.seal(p); err != nil {
			return err
		}
		if targets, err = e.openTargets(p, known); err != nil {
			return err
		}
	}
	return e.putHidden(p, targets)
}

// enterDevices does step 3 for a user, and notes the ids of the visitors. It reports whether there were some
// that the ledger didn't have.
func (e *Engine) enterDevices(p *project, user target, known map[ledger.Hash]string) (entered bool, err error) {
	devices, err := e.devicesOf(p, user)
	if err != nil {
		return false, err
	}
	key, err := e.ledgerKey(p.number)
	if err != nil {
		return false, err
	}
	var entries []ledger.Entry
	for _, id := range devices {
		who := key.Hash(ledger.KindDevice, id)
		known[who] = id
		if e.ledger.Erased(p.number, ledger.KindDevice, who) < user.entry.At {
			entries = append(entries, ledger.Entry{Project: p.number, Kind: ledger.KindDevice, Who: who, Receipt: user.entry.Receipt})
		}
	}
	if len(entries) == 0 {
		return false, nil
	}
	return true, e.enterLedger(p, nil, entries...)
}

// putHidden does step 4.
func (e *Engine) putHidden(p *project, targets []target) error {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	if why := p.damage(); why != nil {
		return why
	}
	before := p.newest()
	found, err := e.findRows(p, before, targets)
	if err != nil {
		return err
	}
	m := before.manifest.clone()
	for i, rows := range found.rows {
		m.segments[i].hidden = m.segments[i].hidden.Or(rows)
	}
	for _, t := range targets {
		m.erasures.noteDone(t.entry.At, found.least)
	}
	next, err := e.openSealed(p, m, before)
	if err == nil {
		err = e.publish(p, next)
	}
	if err != nil {
		return err
	}
	records := e.erasing.hidden(targets, found.shown, event.TimeOf(e.opt.Now()))
	e.wake()
	return e.putRecords(e.life, records)
}

// noteDone notes that the erasures of the ledger up to a time are done; least is the least position that
// they took, 0 where they took none.
func (e *erasures) noteDone(at event.Time, least event.Seq) {
	e.done = max(e.done, at)
	if least == 0 {
		return
	}
	e.taken = max(e.taken, at)
	if e.least == 0 || least < e.least {
		e.least = least
	}
}

// ErasureTook reports whether an erasure has taken events at or before a position since the position was
// committed. Of what was taken, only that much is known, so one that lay elsewhere than in the question
// counts, too.
func (s *Snapshot) ErasureTook(position event.Seq) (bool, error) {
	took := s.sealed.erasures
	if took.taken == 0 || position < took.least {
		return false, nil
	}
	at, known, err := s.CommittedAt(position)
	return err == nil && (!known || at < took.taken), err
}

package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"millimetric/engine"
	"millimetric/engine/backup"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
)

// Somebody is erased, and the store is restored to a time before: again and again. Nobody comes back, and all others
// are whole.
func TestProofNobodyWhoWasErasedComesBack(t *testing.T) {
	seed := enginetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 12))
	r := newRig(t, folderTarget(t))
	r.send(rng, 1, 5)
	r.base()
	pairs, resurrected, events := enginetest.Figure(t, 4, 15, 220), 0, 0
	erased := map[string]event.Time{}
	for range pairs {
		for range 1 + rng.IntN(4) {
			r.send(rng, 1, 1+rng.IntN(40))
			if rng.IntN(3) == 0 {
				r.ship()
			}
		}
		switch rng.IntN(6) {
		case 0:
			r.base()
		case 1:
			r.must(r.engine.Compact(context.Background()))
		}
		r.ship()
		who := fmt.Sprintf("visitor-%d", rng.IntN(20))
		done, err := r.engine.Erase(context.Background(), 1, engine.Person{AnonymousID: who})
		r.must(err)
		erased[who] = done.Before
		r.ship()
		at := r.positions[rng.IntN(len(r.positions))]
		n, back, err := r.restoreErased(at, erased)
		if err != nil {
			t.Fatalf("seed=%d: %v", seed, err)
		}
		resurrected, events = resurrected+back, events+n
	}
	if resurrected > 0 {
		t.Errorf("seed=%d: %d events of erased visitors came back", seed, resurrected)
	}
	enginetest.Say(t, "P4", "restores=%d resurrected=%d events=%d", pairs, resurrected, events)
}

// restoreErased restores a position, and compares what is there with the model without the erased.
func (r *rig) restoreErased(at position, erased map[string]event.Time) (events, back int, err error) {
	e, _, err := r.restore(r.archive(), backup.Point{Group: at.group})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	got, err := enginetest.Stored(e, 1)
	if err != nil {
		return 0, 0, err
	}
	var want []event.Event
	for _, ev := range r.model[1][:at.ends[1]] {
		if ev.Time >= erased[ev.AnonymousID] {
			want = append(want, ev)
		}
	}
	for _, ev := range got {
		if ev.Time < erased[ev.AnonymousID] {
			back++
		}
	}
	if len(got)-back != len(want) {
		return len(got), back, fmt.Errorf("group %d: %d events of others, want %d", at.group, len(got)-back, len(want))
	}
	report, err := e.Verify()
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("group %d: %v", at.group, report.Problems)
	}
	return len(got), back, err
}

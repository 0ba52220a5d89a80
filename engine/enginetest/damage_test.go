package enginetest

import (
	"testing"
	"time"
)

func runDamage(t *testing.T, promise string, d Damage) DamageResult {
	t.Helper()
	begin := time.Now()
	r, err := d.Run()
	if err != nil {
		t.Fatalf("seed=%d: %v", d.Seed, err)
	}
	Say(t, promise, "seed=%d points=%d detected=%d harmless=%d tail=%d wrong=%d tail_bytes=%d ended=%d down=%d files=%v points/s=%.0f",
		d.Seed, r.Points(), r.Detected, r.Harmless, r.Tail, r.Wrong, r.TailBytes, r.Ended, r.Down, r.Files, float64(r.Points())/time.Since(begin).Seconds())
	return r
}

func TestProofDamageIsFoundOrHarmless(t *testing.T) {
	r := runDamage(t, "R5", Damage{Seed: Seed(t), Points: Figure(t, 100, 1000, 10_000)})
	for _, p := range r.Problems {
		t.Error(p)
	}
	if r.Wrong != 0 {
		t.Errorf("%d wrong answers", r.Wrong)
	}
	if keyring := r.Files["keyring"]; keyring.Harmless > 0 || keyring.Detected == 0 {
		t.Errorf("damage of the keyring: %v", keyring)
	}
	if r.Points() >= 1000 && (r.Files[".sst"].Detected == 0 || r.Files[".log"].Detected == 0 || r.Files["MANIFEST"].Detected == 0) {
		t.Errorf("nothing is found in some kinds of files: %v", r.Files)
	}
}

func TestProofDamageThatNobodyNoticesIsSeen(t *testing.T) {
	if r := runDamage(t, "R5 control: an event is added", Damage{Seed: Seed(t), Points: Figure(t, 5, 10, 100), Forge: true}); r.Wrong != r.Points() {
		t.Errorf("of %d stores that were forged, %d are seen", r.Points(), r.Wrong)
	}
}

func TestProofDamageOfOneProjectLeavesTheOthersTheirAnswers(t *testing.T) {
	b := Blast{Seed: Seed(t), Points: Figure(t, 40, 250, 3000)}
	begin := time.Now()
	r, err := b.Run()
	if err != nil {
		t.Fatalf("seed=%d: %v", b.Seed, err)
	}
	Say(t, "R6", "seed=%d points=%d missed=%d wrong=%d too_far=%d unreadable projects (none/one/several/all) by store key: %v points/s=%.0f",
		b.Seed, r.Points, r.Missed, r.Wrong, r.TooFar, r.Reach, float64(r.Points)/time.Since(begin).Seconds())
	for _, p := range r.Problems {
		t.Error(p)
	}
	for _, kind := range []string{"L", "P", "R", "S"} {
		if r.Reach[kind] == nil {
			t.Errorf("no value of kind %s was damaged: %v", kind, r.Reach)
		}
	}
	if r.Reach["P"].One == 0 || r.Reach["S"].One == 0 {
		t.Errorf("no project is damaged by itself: %v", r.Reach)
	}
}

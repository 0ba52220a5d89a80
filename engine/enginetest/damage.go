package enginetest

import (
	"fmt"
	"math/rand/v2"
)

// Damage changes bytes of a closed store: it turns one bit, or zeroes a block of 4 KiB, in every kind
// of file, the keyring's among them. Each time, what is left must say that it is damaged, at its start
// or when it is checked or read, or give all answers as before. A wrong answer is never right.
//
// One kind of damage can't be told from a cut of the power in the middle of a write: that at the very
// end of the newest log, where the last groups then are missing. It has a count of its own, and it is
// an error where more is missing than what the end of that log held.
type Damage struct {
	Seed   uint64
	Points int

	// Forge leaves the bytes alone and adds an event, as damage would that nobody notices. All of its
	// points must be wrong answers, or nobody looks.
	Forge bool
}

// DamageResult is what was found.
type DamageResult struct {
	Tally
	Files     map[string]*Tally // by kind of file
	Down      int               // of those detected, where no project could be read any more
	Ended     int               // of those detected, by the end of the process
	TailBytes int64             // how far from the end of the log such damage was, at most
	Problems  []string
}

// Tally counts points by what came of them.
type Tally struct {
	Detected int
	Harmless int
	Tail     int // damage taken for the end of the newest log
	Wrong    int // answers that differ
}

// Points counts all.
func (t *Tally) Points() int { return t.Detected + t.Harmless + t.Tail + t.Wrong }

// String gives the counts in the order of the fields.
func (t *Tally) String() string {
	return fmt.Sprintf("%d/%d/%d/%d", t.Detected, t.Harmless, t.Tail, t.Wrong)
}

// keptPoints is how often one store is damaged before another one is made.
const keptPoints = 250

// Run makes stores in several shapes and damages copies of them.
func (d Damage) Run() (r DamageResult, err error) {
	r.Files = map[string]*Tally{}
	for seed := d.Seed; r.Points() < d.Points; seed++ {
		random := rand.New(rand.NewPCG(seed, 0x64616d616765))
		k, err := newKept(random)
		if err != nil {
			return r, err
		}
		for range min(keptPoints, d.Points-r.Points()) {
			name := fmt.Sprintf("seed=%d point=%d", seed, r.Points())
			copied, at := k.copy(random), spot{file: "forged"}
			if d.Forge {
				err = k.forge(copied)
			} else {
				at, err = k.damage(copied, random)
			}
			if err != nil {
				return r, fmt.Errorf("%s: %w", name, err)
			}
			r.note(fmt.Sprintf("%s %s", name, at), k, at, k.judge(copied))
		}
	}
	return r, nil
}

func (r *DamageResult) note(name string, k *kept, at spot, v verdict) {
	tally := r.Files[kindOf(at.file)]
	if tally == nil {
		tally = &Tally{}
		r.Files[kindOf(at.file)] = tally
	}
	count := func(in func(*Tally) *int) { *in(&r.Tally)++; *in(tally)++ }
	switch {
	case v.hung:
		count(func(t *Tally) *int { return &t.Wrong })
		r.problem("%s: hangs", name)
	case v.answers == answersShort && at.file == k.newest && at.left <= tailBytesMax:
		count(func(t *Tally) *int { return &t.Tail })
		r.TailBytes = max(r.TailBytes, at.left)
	case v.answers != answersSame:
		count(func(t *Tally) *int { return &t.Wrong })
		r.problem("%s: %d bytes before the end of the file: %s", name, at.left, v.why)
	case v.ended != "":
		count(func(t *Tally) *int { return &t.Detected })
		r.Ended++
	case v.found != "":
		count(func(t *Tally) *int { return &t.Detected })
		if v.failed == projects {
			r.Down++
		}
	default:
		count(func(t *Tally) *int { return &t.Harmless })
	}
}

// tailBytesMax is how far from the end of the newest log damage can be taken for its end: what lies
// behind must hold no later sync that would prove that it was whole. Logs are written in blocks of
// 32 KiB, and a group of one of these stores fits into one; behind it may lie what a seal or a merge
// wrote at the same moment, which is less than four.
const tailBytesMax = 5 * 32 << 10

func (r *DamageResult) problem(format string, args ...any) {
	if len(r.Problems) < problemsKept {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

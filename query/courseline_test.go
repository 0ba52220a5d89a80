package query

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millimetric/index/event"
)

// What is left of a visitor's events must lead as far as all of them, by the same attempt, whatever the window is.
func TestACourseLeadsAsFarAsAllEvents(t *testing.T) {
	const minute = event.Time(60_000)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	all, left := 0, 0
	for range 100_000 {
		steps := 2 + r.IntN(4)
		unit := []event.Time{1, minute, 6 * minute, 10 * minute, 15 * minute, 60 * minute}[r.IntN(6)]
		line, marks, at := courseLine{}, []funnelMark(nil), event.Time(0)
		for range r.IntN(14) {
			at += unit * event.Time(r.IntN(4))
			step := uint8(r.IntN(steps))
			line.add(at, step)
			marks = append(marks, funnelMark{time: at, seq: event.Seq(len(marks)), steps: 1 << step, begins: step == 0})
		}
		line.reduce(steps)
		var course []funnelMark
		for _, e := range line.list {
			course = append(course, marks[e.at])
		}
		all, left = all+len(marks), left+len(course)
		for _, window := range []time.Duration{courseWindow, courseWindow + time.Millisecond, 45 * time.Minute, 2 * time.Hour, 1000 * time.Hour} {
			q := &Funnel{Steps: make([]FunnelStep, steps), Window: window, Order: OrderOrdered}
			want, got := attemptOf(q, marks), attemptOf(q, course)
			if !slices.Equal(want, got) {
				t.Fatalf("seed %d, window %v, %d steps: of %v is left %v\nby all  %v\nby what is left %v", seed, window, steps, marks, course, want, got)
			}
			if path := pathOf(q, course); !slices.Equal(path, got) {
				t.Fatalf("seed %d, window %v: of %v, one flow makes %v and the other %v", seed, window, course, got, path)
			}
		}
	}
	if left*2 > all {
		t.Errorf("of %d events %d are left", all, left)
	}
}

// attemptOf returns the times of the attempt that a funnel reports.
func attemptOf(q *Funnel, marks []funnelMark) (times []event.Time) {
	f := newFlow(q)
	for _, i := range f.best(slices.Clone(marks)) {
		times = append(times, f.marks[i].time)
	}
	return times
}

// pathOf does so by the other flow.
func pathOf(q *Funnel, marks []funnelMark) []event.Time {
	f := newTrackFlow(newFlow(q), event.TimeMax)
	for i := range marks {
		f.offer(trackBegin{time: marks[i].time}, &nameMark{steps: marks[i].steps})
	}
	return slices.Clone(f.bestTimes())
}

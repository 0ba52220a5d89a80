package engine

import (
	"testing"

	"millimetric/index/ids"
)

func TestMemoryIsGivenOutOnce(t *testing.T) {
	m := &memory{most: 100}
	all := func(room int64) int64 { return room }
	if first := m.swap(0, func(int64) int64 { return 70 }); first != 70 {
		t.Fatalf("the first has %d", first)
	}
	second := m.swap(0, all)
	if second != 30 {
		t.Fatalf("the second has %d of the 30 that are left", second)
	}
	m.swap(70, func(room int64) int64 {
		if room != 70 {
			t.Errorf("the first finds %d of its own", room)
		}
		return 10
	})
	if second = m.swap(second, all); second != 90 {
		t.Errorf("the second has %d of the 90 that are left", second)
	}
}

func TestVisitorsAskedForLatelyStayInTheirMemory(t *testing.T) {
	near := &memory{most: 100_000}
	for project := range 3 {
		o := &newProject(1, [32]byte{}, near).ordinals
		for i := range 20_000 {
			o.remember(ids.Hash{Hi: uint64(i) << 40}, uint32(i))
			if int64(o.near.Bytes()) > near.most || near.taken > near.most {
				t.Fatalf("project %d has %d bytes, all have %d", project, o.near.Bytes(), near.taken)
			}
		}
	}
}

// Whatever a merge makes is held until all of it is made.
func TestSegmentsAreMergedInTheMemoryForIt(t *testing.T) {
	b := newBudget(Options{MemoryBytes: memoryMin, SegmentRows: 1 << 20})
	const rows = 10_000
	small, large := segmentEntry{rows: rows, maxTime: dayMillis - 1}, segmentEntry{rows: rows, maxTime: dayMillis - 1}
	large.parts[0] = uint64(b.merge) / 8
	for _, c := range []struct {
		entry segmentEntry
		most  int
	}{{small, int(b.merge / mergeRowBytes / rows)}, {large, 7}} {
		m := &manifest{}
		for i := range 2 * c.most {
			entry := c.entry
			entry.stamp = uint64(i)
			m.segments = append(m.segments, entry)
		}
		for _, all := range []bool{false, true} {
			if n := len(planSegments(m, b, all, nil)); n < c.most-1 || n > c.most {
				t.Errorf("all %v: %d segments are merged, where memory is good for %d", all, n, c.most)
			}
		}
	}
}

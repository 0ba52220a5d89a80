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

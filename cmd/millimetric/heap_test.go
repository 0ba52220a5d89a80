package main

import "testing"

func TestTheCollectorGetsRoomWhileMuchIsAllocated(t *testing.T) {
	h := newHeap(400 << 20)
	percent, gaveBack := 0, 0
	h.setPercent = func(p int) int { percent = p; return 0 }
	h.giveBack = func() { gaveBack++ }
	allocated := uint64(0)
	look := func(bytes, live uint64) { allocated += bytes; h.look(allocated, live) }

	look(heapBusy, 50<<20)
	if percent != 200 {
		t.Errorf("busy, with 50 MiB alive and 100 MiB of room: %d %%", percent)
	}
	look(heapBusy, 400<<20)
	if percent != heapPercent {
		t.Errorf("busy, with more alive than there is room: %d %%", percent)
	}
	look(heapBusy, 0)
	if percent != 10_000 {
		t.Errorf("busy, with next to nothing alive: %d %%", percent)
	}
	for range heapCalm - 1 {
		look(heapBusy-1, 50<<20)
	}
	if percent != 10_000 || gaveBack != 0 {
		t.Errorf("after a short break: %d %%, gave back %d times", percent, gaveBack)
	}
	look(heapBusy, 50<<20)
	for range 3 * heapCalm {
		look(0, 50<<20)
	}
	if percent != heapPercent || gaveBack != 1 {
		t.Errorf("after a long break: %d %%, gave back %d times", percent, gaveBack)
	}
}

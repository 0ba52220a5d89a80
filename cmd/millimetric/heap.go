package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage of a server that takes hundreds of thousands of events per second is all young, but a
// collector that runs whenever the heap has doubled marks what lives again and again: a quarter of the
// work of an event. So while much is allocated it gets more room, a fixed one; and once all is calm it
// tidies up, and gives the system back what was only needed at full speed.
const (
	// heapEvery is how often the pace of allocation is looked at.
	heapEvery = time.Second
	// heapBusy is the pace, in bytes per second, from which on the collector gets room: some 20,000
	// events per second.
	heapBusy = 32 << 20
	// heapCalm is after how many calm looks in a row memory is given back: more often would cost
	// whoever comes in bursts.
	heapCalm = 5
	// heapQuiet is when that is done once more: what was taken at full speed is sealed and merged by then.
	heapQuiet = 30
	// heapShare is the part of all memory that is room for garbage at full speed, heapRoomMax its bound:
	// beyond it hardly any work is saved.
	heapShare   = 4
	heapRoomMax = 256 << 20
	// heapBesideShare is the part of all memory that the collector leaves to what it doesn't count, heapBesideLeast
	// and heapBesideMax are its bounds, in bytes. The pages of the program itself take some 40 MiB of it.
	heapBesideShare = 8
	heapBesideLeast = 48 << 20
	heapBesideMax   = 64 << 20
	// heapPercent is what the heap may grow by where little is allocated.
	heapPercent = 50
)

// heap paces the garbage collector of the process.
type heap struct {
	room      int64 // for garbage, at full speed
	allocated uint64
	calm      int // looks since much was allocated
	samples   [2]metrics.Sample

	setPercent func(int) int
	giveBack   func()
}

func newHeap(memory int64) *heap {
	h := &heap{room: min(memory/heapShare, heapRoomMax), setPercent: debug.SetGCPercent, giveBack: giveBack}
	h.samples[0].Name, h.samples[1].Name = "/gc/heap/allocs:bytes", "/gc/heap/live:bytes"
	return h
}

// giveBack collects twice: what lies in pools outlives a first collection.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}

// keepHeap paces the collector until ctx ends. memory is what the process should need at most, in bytes.
func keepHeap(ctx context.Context, memory int64) {
	debug.SetMemoryLimit(memory - min(max(memory/heapBesideShare, heapBesideLeast), heapBesideMax))
	h := newHeap(memory)
	h.setPercent(heapPercent)
	ticker := time.NewTicker(heapEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(h.samples[:])
		h.look(h.samples[0].Value.Uint64(), h.samples[1].Value.Uint64())
	}
}

// look takes what was allocated so far, and what lived at the end of the last collection.
func (h *heap) look(allocated, live uint64) {
	busy := allocated-h.allocated >= heapBusy
	h.allocated = allocated
	if busy {
		h.calm = 0
		h.setPercent(max(heapPercent, int(100*uint64(h.room)/max(live, 1<<20))))
		return
	}
	if h.calm++; h.calm == heapCalm || h.calm == heapQuiet {
		h.setPercent(heapPercent)
		h.giveBack()
	}
}

package engine

import (
	"runtime/metrics"
	"slices"
	"sync"

	"millimetric/index/event"
)

// Footprint says what the store takes, on disk and in memory. Bytes on disk are those of encrypted
// values; what Pebble needs around them, and what it hasn't deleted yet, shows in Disk.
type Footprint struct {
	Events     uint64 // that are kept
	Live       Amount // of these, not sealed
	Log        Amount // groups, and their bytes
	Segments   Amount // how many, and their bytes
	Sealed     uint64 // events in them
	Parts      map[string]uint64
	Disk       uint64 // of all files of the store
	Memory     map[string]uint64
	MemoryMost uint64 // what the store was given
}

// Amount is how many there are of something, and how many bytes they take.
type Amount struct{ Count, Bytes uint64 }

// Bytes returns what events take on disk: segments, runs and log.
func (f *Footprint) Bytes() uint64 {
	total := f.Log.Bytes
	for _, n := range f.Parts {
		total += n
	}
	return total
}

var runNames = [runKinds]string{"event ids", "visitors", "commit times"}

// Footprint returns what the whole store takes; project 0 stands for all. What isn't any project's own,
// such as memory, disk and log, is counted for the store in any case.
func (e *Engine) Footprint(only event.Project) Footprint {
	f := Footprint{Parts: map[string]uint64{}, Memory: map[string]uint64{}, MemoryMost: uint64(e.opt.MemoryBytes)}
	tables := 0
	for _, p := range e.all() {
		tables += p.ordinals.bytes()
		if only != 0 && p.number != only {
			continue
		}
		p.mu.Lock()
		m := p.state().manifest
		live, _ := p.shown.rows()
		p.mu.Unlock()
		f.Live.Count += uint64(live)
		f.Segments.Count += uint64(len(m.segments))
		f.Sealed += m.events()
		for i := range m.segments {
			f.Segments.Bytes += m.segments[i].bytes()
			for part, n := range m.segments[i].parts {
				f.Parts[partNames[part]] += n
			}
		}
		for kind := range m.runs {
			for _, r := range m.runs[kind] {
				f.Parts[runNames[kind]] += r.bytes
			}
		}
	}
	f.Events = f.Sealed + f.Live.Count
	f.Live.Bytes = uint64(max(0, e.liveBytes.Load()))
	f.Log = e.log.amount()
	f.memory(e, tables)
	return f
}

func (f *Footprint) memory(e *Engine, tables int) {
	f.Memory["live events"] = f.Live.Bytes
	f.Memory["pieces read"] = e.cache.WeightedSize()
	f.Memory["tables of visitors"] = uint64(tables)
	f.Memory["tables and filters of ids"] = uint64(e.idBytes.Load())
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	f.Memory["process"] = samples[0].Value.Uint64() - samples[1].Value.Uint64()
	f.Memory["heap objects"] = samples[2].Value.Uint64()
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return
	}
	m := e.db.Metrics()
	f.Disk = m.DiskSpaceUsage()
	f.Memory["store's tables and cache"] = uint64(m.MemTable.Size) + uint64(m.BlockCache.Size)
}

// logSizes knows how great the groups of the log are that aren't trimmed.
type logSizes struct {
	mu     sync.Mutex // guards both
	groups []groupSize
	bytes  uint64
}

type groupSize struct {
	number uint64
	bytes  uint32
}

func (l *logSizes) add(number uint64, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups = append(l.groups, groupSize{number, uint32(bytes)})
	l.bytes += uint64(bytes)
}

// trim takes out the groups up to a number, but for those that are kept.
func (l *logSizes) trim(upTo uint64, keep []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []groupSize
	for _, g := range l.groups {
		_, kept := slices.BinarySearch(keep, g.number)
		if g.number > upTo || kept {
			left = append(left, g)
			continue
		}
		l.bytes -= uint64(g.bytes)
	}
	l.groups = left
}

func (l *logSizes) amount() Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Amount{uint64(len(l.groups)), l.bytes}
}

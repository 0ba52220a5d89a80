package engine

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// keepWatch looks at free space until the engine closes. Pebble on a full disk neither fails nor
// returns, so appends must be refused before the disk is full.
func (e *Engine) keepWatch() {
	defer e.running.Done()
	ticker := time.NewTicker(spaceEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.watchSpace()
			e.compactions.look()
		case <-e.stop:
			return
		}
	}
}

// lookAtSpace looks where the last look is too long ago for events to be taken on its word: what others write
// to the disk in a second may be all that is left of it. Of callers at the same time, one looks.
func (e *Engine) lookAtSpace() {
	now, last := e.opt.Now().UnixNano(), e.looked.Load()
	if age := now - last; age >= 0 && age < int64(spaceFresh) || !e.looked.CompareAndSwap(last, now) {
		return
	}
	e.watchSpace()
}

// watchSpace looks once. Where the file system can't say, appends are taken.
func (e *Engine) watchSpace() {
	e.spaceMu.Lock()
	defer e.spaceMu.Unlock()
	usage, err := e.opt.FS.GetDiskUsage(e.dir)
	if err != nil {
		return
	}
	low := usage.AvailBytes < e.reserve(usage)
	if e.state[stateFull].Swap(low) == low {
		return
	}
	if low {
		e.opt.Notify(SpaceLow{Free: usage.AvailBytes, Total: usage.TotalBytes})
	} else {
		e.opt.Notify(SpaceBack{Free: usage.AvailBytes, Total: usage.TotalBytes})
	}
}

// reserve is the free space below which appends are refused.
func (e *Engine) reserve(usage vfs.DiskUsage) uint64 {
	share := usage.TotalBytes / 100 * uint64(max(e.opt.FreePercentMin, 0))
	return max(share, uint64(max(e.opt.FreeBytesMin, 0)))
}

// openBytesMin is what opening a store writes beside what its logs hold: a manifest, options, markers.
const openBytesMin = 1 << 20

// checkRoom refuses to open a store whose logs have no room to become tables. On a full disk Pebble
// would try that for ever, in a loop that no signal ends. What was acknowledged stays in the logs.
func (e *Engine) checkRoom() error {
	usage, err := e.opt.FS.GetDiskUsage(e.dir)
	if err != nil {
		return nil // the file system can't say
	}
	names, err := e.opt.FS.List(e.dir)
	if err != nil {
		return fmt.Errorf("open store %s: %w", e.dir, err)
	}
	need := uint64(openBytesMin)
	for _, name := range names {
		if filepath.Ext(name) != ".log" {
			continue
		}
		facts, err := e.opt.FS.Stat(e.opt.FS.PathJoin(e.dir, name))
		if err != nil {
			return fmt.Errorf("open store %s: %w", e.dir, err)
		}
		need += uint64(facts.Size())
	}
	if usage.AvailBytes >= need {
		return nil
	}
	return &event.Error{Kind: event.ErrLimit, Code: event.CodeDiskLow, Notes: []string{fmt.Sprintf(
		"open store %s: the disk is full: %d bytes are free, and %d are needed; nothing is lost, but make room first", e.dir, usage.AvailBytes, need)}}
}

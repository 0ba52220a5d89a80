package engine

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
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
		case <-e.stop:
			return
		}
	}
}

// watchSpace looks once. Where the file system can't say, appends are taken.
func (e *Engine) watchSpace() {
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

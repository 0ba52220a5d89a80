package engine

import (
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where a block has a wrong checksum, Pebble looks for a single bit that would explain it, by one checksum of the block
// for each of its bits: a second or two of a processor for a block of 64 KiB, and again each time that somebody
// reads it. A question that is asked again and again, or a walk that looks for the end of the damage, would take all
// processors from those whose data is sound. So a block that was found damaged isn't read again for a while.

const (
	// badBlockFor is how long a block is held to be damaged. What was wrong may have been in memory, or on the way
	// from the disk.
	badBlockFor = time.Minute
	// badBlocksMax bounds the blocks that are remembered.
	badBlocksMax = 1000
)

// blockPlace is where a block of a table lies.
type blockPlace struct {
	table string // its file, without the folder
	at    int64
}

type badBlock struct {
	why   error
	since time.Time
}

// holds reports whether the block is still held to be damaged. A clock that was turned back ends it, too.
func (b badBlock) holds(now time.Time) bool {
	age := now.Sub(b.since)
	return age >= 0 && age < badBlockFor
}

// badBlocks are the blocks of tables that were found damaged lately.
type badBlocks struct {
	mu    sync.Mutex                              // guards changes
	known atomic.Pointer[map[blockPlace]badBlock] // never changed, but replaced; nil where nothing is damaged
}

// badBlockPattern is how Pebble says which block it is, by the place and the length.
var badBlockPattern = regexp.MustCompile(`block ([0-9]+)/[0-9]+: \w+ checksum mismatch`)

// note takes a report of damage. Of what isn't about one block, nothing is remembered.
func (b *badBlocks) note(info pebble.DataCorruptionInfo, now time.Time) {
	found := badBlockPattern.FindStringSubmatch(info.Details.Error())
	if found == nil {
		return
	}
	at, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := map[blockPlace]badBlock{}
	if old := b.known.Load(); old != nil {
		for place, one := range *old {
			if one.holds(now) {
				known[place] = one
			}
		}
	}
	place := blockPlace{filepath.Base(info.Path), at}
	// Whoever is told by this of damage reports it, too, and must not prolong it.
	if _, ok := known[place]; ok || len(known) >= badBlocksMax {
		return
	}
	known[place] = badBlock{info.Details, now}
	b.known.Store(&known)
}

// at says why the block at a place can't be read, nil where it is to be read.
func (b *badBlocks) at(place blockPlace, now func() time.Time) error {
	known := b.known.Load()
	if known == nil {
		return nil
	}
	if one, ok := (*known)[place]; ok && one.holds(now()) {
		return one.why
	}
	return nil
}

// Open is part of vfs.FS.
func (p paced) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := p.FS.Open(name, opts...)
	if err != nil || filepath.Ext(name) != ".sst" {
		return file, err
	}
	return tableFile{file, filepath.Base(name), p.e}, nil
}

// tableFile is a table that is read.
type tableFile struct {
	vfs.File
	name string
	e    *Engine
}

// ReadAt is part of vfs.File. Pebble reads each block by itself.
func (f tableFile) ReadAt(dst []byte, at int64) (int, error) {
	if err := f.e.bad.at(blockPlace{f.name, at}, f.e.opt.Now); err != nil {
		return 0, err
	}
	return f.File.ReadAt(dst, at)
}

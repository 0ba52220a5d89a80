package enginetest

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/keyring"
	"millimetric/index/event"
)

// opsRing is a keyring on the same disk as the store, which knows of each project for which buckets it
// was asked.
type opsRing struct {
	*keyring.Keyring
	mu    sync.Mutex // guards asked
	asked map[event.Project][]int32
}

// openOpsRing opens the keyring of a disk. It knows for what the one before it was asked.
func openOpsRing(fs vfs.FS, now func() time.Time, before *opsRing) (*opsRing, error) {
	k := &opsRing{asked: map[event.Project][]int32{}}
	if before != nil {
		before.mu.Lock()
		defer before.mu.Unlock()
		maps.Copy(k.asked, before.asked)
	}
	var err error
	k.Keyring, err = keyring.Open(fs, keptFolder, [32]byte{1}, keyring.Options{Now: now})
	return k, err
}

// CipherKey is engine.Options.CipherKey.
func (k *opsRing) CipherKey(project event.Project, bucket int32) ([32]byte, error) {
	k.mu.Lock()
	if !slices.Contains(k.asked[project], bucket) {
		k.asked[project] = append(k.asked[project], bucket)
	}
	k.mu.Unlock()
	return k.Keyring.CipherKey(project, bucket)
}

// buckets is engine.Options.CipherBuckets.
func (k *opsRing) buckets(project event.Project) []int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.asked[project]), func(bucket int32) bool {
		_, err := k.KnownCipherKey(project, bucket)
		return err != nil
	})
}

package keyring

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millimetric/index/event"
)

// CipherKeysMax bounds the cipher keys; with all other secrets at their limits, too, the file stays
// below 32 MiB.
const CipherKeysMax = 150_000

// cipherID names a cipher key: one per project and bucket, so that a project, or a bucket of it, can
// be destroyed by dropping a key. What buckets there are is up to the engine.
type cipherID struct {
	project event.Project
	bucket  int32
}

// MarshalText spells the name as in the file, "7/-1".
func (id cipherID) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%d", id.project, id.bucket), nil
}

// UnmarshalText reads it.
func (id *cipherID) UnmarshalText(text []byte) error {
	before, after, _ := strings.Cut(string(text), "/")
	project, err := strconv.ParseUint(before, 10, 32)
	bucket, wrong := strconv.ParseInt(after, 10, 32)
	*id = cipherID{event.Project(project), int32(bucket)}
	return errors.Join(err, wrong)
}

// CipherKey returns the cipher key of a project and a bucket, made at first use: it is on disk before
// anything can be encrypted under it.
func (k *Keyring) CipherKey(project event.Project, bucket int32) ([32]byte, error) {
	id := cipherID{project, bucket}
	k.mu.RLock()
	known, ok := k.held.Ciphers[id]
	k.mu.RUnlock()
	if ok {
		return known, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.held.Ciphers[id]; ok {
		return known, nil
	}
	if len(k.held.Ciphers) >= CipherKeysMax {
		return [32]byte{}, &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Too many cipher keys"}}
	}
	next := k.held.clone()
	made := newSecret()
	next.Ciphers[id] = made
	if err := k.replace(next); err != nil {
		return [32]byte{}, fmt.Errorf("make cipher key of project %d, bucket %d: %w", project, bucket, err)
	}
	return made, nil
}

// KnownCipherKey is CipherKey for those who only read: a key that isn't there is an error of kind
// event.ErrMissing, and not made.
func (k *Keyring) KnownCipherKey(project event.Project, bucket int32) ([32]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	known, ok := k.held.Ciphers[cipherID{project, bucket}]
	if !ok {
		return [32]byte{}, fmt.Errorf("%w: the keyring has no cipher key of project %d, bucket %d", event.ErrMissing, project, bucket)
	}
	return known, nil
}

// HoldsProjects reports whether it has a cipher key of some project: whether a store under it ever took an event.
func (k *Keyring) HoldsProjects() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id := range k.held.Ciphers {
		if id.project > 0 {
			return true
		}
	}
	return false
}

// CipherBuckets lists the buckets of a project that have cipher keys, in rising order.
func (k *Keyring) CipherBuckets(project event.Project) []int32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var buckets []int32
	for id := range k.held.Ciphers {
		if id.project == project {
			buckets = append(buckets, id.bucket)
		}
	}
	slices.Sort(buckets)
	return buckets
}

// DropCipherKey destroys a cipher key, and with it all that was encrypted under it. It returns once
// the file without the key has taken the place of the old one, and the old one's bytes are overwritten. Asked for again, another is made.
func (k *Keyring) DropCipherKey(project event.Project, bucket int32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := cipherID{project, bucket}
	if _, ok := k.held.Ciphers[id]; !ok {
		return nil
	}
	next := k.held.clone()
	delete(next.Ciphers, id)
	if err := k.destroyRest(next); err != nil {
		return fmt.Errorf("drop cipher key of project %d, bucket %d: %w", project, bucket, err)
	}
	return nil
}

// Rewrap puts the keyring under another root key. The secrets in it stay, so nothing else has to be
// encrypted anew. The new root key must last already. After an error the file may be under either.
func (k *Keyring) Rewrap(root [32]byte) error {
	fresh, err := deriveRootCipher(root)
	if err != nil {
		return fmt.Errorf("rewrap keyring: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.cipher
	k.cipher = fresh
	if err := k.destroy(k.held); err != nil {
		k.cipher = old
		return fmt.Errorf("rewrap keyring: %w", err)
	}
	return nil
}

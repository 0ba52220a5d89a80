package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Every value in the store is encrypted with AES-256-GCM: the rows of each part of a group under
// the cipher key of its project's log, records and the canary beside the format number under that
// of the records. In clear are store keys, the heads of groups and of their parts, and lengths.
//
// What is encrypted is bound to its place: format, project, bucket, store key and, in the log, both
// heads. A value that was moved, or whose head was changed, doesn't decrypt, even where whoever did
// it put the checksums right.
//
// Nonces are random, 96 bits, so one AES key may encrypt 2^32 values until two nonces are equal
// with a probability of 2^-33. A log that is never cut could pass that; so the AES key changes with
// each run of groups, derived from the cipher key and the number of the run.

// The buckets of cipher keys. Those of single months and days, which a later format may add, are
// not negative.
const (
	// BucketLog is a project's part of the log.
	BucketLog int32 = -1
	// BucketRecords are the records and the trim mark, all under project 0.
	BucketRecords int32 = -2
	// BucketSets is what a project has once: its manifest, the runs of its ids, visitors and commit
	// times, and the secrets under which ids and visitors are hashed.
	BucketSets int32 = -3
)

// runGroups is how many groups share an AES key: 2^24 of at most some 70 parts of one project stay
// below 2^32.
const runGroups = 1 << 24

// cipherID names a cipher key.
type cipherID struct {
	project event.Project
	bucket  int32
}

var recordsID = cipherID{bucket: BucketRecords}

// ciphers encrypts and decrypts. It is safe for concurrent use.
type ciphers struct {
	key     func(project event.Project, bucket int32) ([32]byte, error)
	inClear bool // see Options

	mu    sync.RWMutex // guards known
	known map[cipherID]*keyed
}

// keyed is a cipher key, ready for use in one run. It is replaced, never changed.
type keyed struct {
	key  [32]byte
	run  uint64
	aead cipher.AEAD
}

func newCiphers(opt *Options) *ciphers {
	return &ciphers{key: opt.CipherKey, inClear: opt.inClear, known: map[cipherID]*keyed{}}
}

// prepare makes sure that values of id can be encrypted from now on. The gathering goroutine has
// nobody whom it could tell that a cipher key can't be had.
func (c *ciphers) prepare(id cipherID) error {
	if c.inClear {
		return nil
	}
	_, err := c.find(id)
	return err
}

// find returns a cipher key in the run in which it was used last.
func (c *ciphers) find(id cipherID) (*keyed, error) {
	c.mu.RLock()
	k := c.known[id]
	c.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	key, err := c.key(id.project, id.bucket)
	if err != nil {
		return nil, fmt.Errorf("find cipher key of project %d, bucket %d: %w", id.project, id.bucket, err)
	}
	return c.use(id, key, 0), nil
}

// use readies a cipher key for a run.
func (c *ciphers) use(id cipherID, key [32]byte, run uint64) *keyed {
	derived, err := hkdf.Expand(sha256.New, key[:], fmt.Sprintf("millimetric value encryption 1 run %d", run), len(key))
	if err != nil {
		panic(fmt.Sprintf("engine: derive an AES key: %v", err))
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(fmt.Sprintf("engine: AES key of %d bytes: %v", len(derived), err))
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("engine: GCM over AES: %v", err))
	}
	k := &keyed{key: key, run: run, aead: aead}
	c.mu.Lock()
	c.known[id] = k
	c.mu.Unlock()
	return k
}

// inRun returns the AEAD of a cipher key for one run.
func (c *ciphers) inRun(id cipherID, run uint64) (cipher.AEAD, error) {
	k, err := c.find(id)
	if err != nil {
		return nil, err
	}
	if k.run != run {
		k = c.use(id, k.key, run)
	}
	return k.aead, nil
}

// bound is what a value is encrypted together with.
func bound(id cipherID, storeKey, head []byte) []byte {
	b := make([]byte, 0, 9+len(storeKey)+len(head))
	b = append(b, FormatNumber)
	b = binary.BigEndian.AppendUint32(b, uint32(id.project))
	b = binary.BigEndian.AppendUint32(b, uint32(id.bucket))
	return append(append(b, storeKey...), head...)
}

// encryptValue appends the encrypted value of a store key under the records' cipher key, for which
// prepare was called.
func (c *ciphers) encryptValue(dst, storeKey, plain []byte) []byte {
	return c.encrypt(recordsID, dst, storeKey, plain)
}

// decryptValue undoes encryptValue. Its result is not nil.
func (c *ciphers) decryptValue(storeKey, encrypted []byte) ([]byte, error) {
	return c.decrypt(recordsID, storeKey, encrypted)
}

// encrypt appends the encrypted value of a store key under a cipher key for which prepare was called.
func (c *ciphers) encrypt(id cipherID, dst, storeKey, plain []byte) []byte {
	if c.inClear {
		return append(dst, plain...)
	}
	aead, err := c.inRun(id, 0)
	if err != nil {
		panic(fmt.Sprintf("engine: encrypt without having prepared: %v", err))
	}
	return aead.Seal(dst, nil, plain, bound(id, storeKey, nil))
}

// decrypt undoes encrypt. Its result is not nil.
func (c *ciphers) decrypt(id cipherID, storeKey, encrypted []byte) ([]byte, error) {
	if c.inClear {
		return append([]byte{}, encrypted...), nil
	}
	aead, err := c.inRun(id, 0)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open([]byte{}, nil, encrypted, bound(id, storeKey, nil))
	if err != nil {
		return nil, damagedValue(storeKey, errNoDecrypt)
	}
	return plain, nil
}

// secret derives a secret of a project that isn't used for encryption; what names its use.
func (c *ciphers) secret(project event.Project, what string) ([32]byte, error) {
	var out [32]byte
	id := cipherID{project, BucketSets}
	if c.inClear {
		return [32]byte{byte(project)}, nil
	}
	k, err := c.find(id)
	if err != nil {
		return out, err
	}
	derived, err := hkdf.Expand(sha256.New, k.key[:], "millimetric "+what, len(out))
	if err != nil {
		return out, fmt.Errorf("derive secret for %s of project %d: %w", what, project, err)
	}
	return [32]byte(derived), nil
}

// drop forgets a cipher key that the keyring has destroyed.
func (c *ciphers) drop(id cipherID) {
	c.mu.Lock()
	delete(c.known, id)
	c.mu.Unlock()
}

var errNoDecrypt = errors.New("it doesn't decrypt: it was changed or moved, or the keyring is older than the store")

// damagedValue names the value that is damaged, as Pebble's tools would find it.
func damagedValue(storeKey []byte, cause error) error {
	return &event.Error{
		Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("store key %x: %w", storeKey, cause),
	}
}

// logCipher encrypts the parts of groups.
type logCipher struct{ *ciphers }

// Encrypt is part of encode.Cipher. prepare was called for the project.
func (c logCipher) Encrypt(dst, plain []byte, at encode.PartPlace) []byte {
	if c.inClear {
		return append(dst, plain...)
	}
	id := cipherID{at.Project, BucketLog}
	aead, err := c.inRun(id, at.Group/runGroups)
	if err != nil {
		panic(fmt.Sprintf("engine: encrypt without having prepared: %v", err))
	}
	return aead.Seal(dst, nil, plain, boundPart(id, at))
}

// Decrypt is part of encode.Cipher.
func (c logCipher) Decrypt(dst, encrypted []byte, at encode.PartPlace) ([]byte, error) {
	if c.inClear {
		return append(dst, encrypted...), nil
	}
	id := cipherID{at.Project, BucketLog}
	aead, err := c.inRun(id, at.Group/runGroups)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(dst, nil, encrypted, boundPart(id, at))
	if err != nil {
		cause := fmt.Errorf("part of project %d: %w", at.Project, errNoDecrypt)
		return nil, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: cause}
	}
	return plain, nil
}

func boundPart(id cipherID, at encode.PartPlace) []byte {
	var key [groupKeyBytes]byte
	return bound(id, appendGroupKey(key[:0], at.Group), at.Head)
}

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/event"
)

// The store keys, and nobody else spells them:
//
//	L number(8 bytes, big-endian)   a group of the log; numbers begin at 1, without gaps
//	M "format"                      our own format number, decimal; a zero byte and the canary
//	P project(4)                    a project's manifest: what is sealed, and under which stamps
//	R kind 0x00 id                  a record; kinds hold no 0x00, so records sort by kind, then id
//	S project(4) stamp(8) piece(4)  a piece of something sealed, which a manifest names by its stamp
//	T                               the number of the last group that was trimmed from the log
//
// Groups and records are written by the committer; manifests, pieces and the trim mark by whoever
// seals, merges or retains; M when the store is made. The number of a piece is less by one than its
// owner has it, so that piece 0, which others wait for, sorts last: pieces are then written in order.
const (
	prefixGroup    = 'L'
	prefixFormat   = 'M'
	prefixManifest = 'P'
	prefixRecord   = 'R'
	prefixPiece    = 'S'
	prefixTrim     = 'T'

	groupKeyBytes    = 9
	manifestKeyBytes = 5
	thingKeyBytes    = 13
	pieceKeyBytes    = 17

	// FormatNumber is what this program writes, and all that it reads: see "Versions" in FORMAT.md.
	FormatNumber = 3
)

// canary stands encrypted behind the format number. It tells wrong cipher keys from damage.
const canary = "millimetric"

var (
	formatKey = []byte{prefixFormat, 'f', 'o', 'r', 'm', 'a', 't'}
	trimKey   = []byte{prefixTrim}
)

// thing is something sealed: a segment or a run. Its pieces are encrypted under the cipher key of its
// project and bucket.
type thing struct {
	project event.Project
	bucket  int32
	stamp   uint64
}

func (t thing) cipher() cipherID { return cipherID{t.project, t.bucket} }

// key begins the store keys of all its pieces.
func (t thing) key(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, prefixPiece), uint32(t.project))
	return binary.BigEndian.AppendUint64(dst, t.stamp)
}

func (t thing) pieceKey(dst []byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32(t.key(dst), number-1)
}

// thingOf reads the project and the stamp of a piece's store key.
func thingOf(key []byte) (project event.Project, stamp uint64, ok bool) {
	if len(key) != pieceKeyBytes || key[0] != prefixPiece {
		return 0, 0, false
	}
	return event.Project(binary.BigEndian.Uint32(key[1:])), binary.BigEndian.Uint64(key[5:]), true
}

func manifestKey(project event.Project) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixManifest}, uint32(project))
}

// manifestOwner reads a manifest's store key.
func manifestOwner(key []byte) (event.Project, bool) {
	if len(key) != manifestKeyBytes || key[0] != prefixManifest {
		return 0, false
	}
	return event.Project(binary.BigEndian.Uint32(key[1:])), true
}

func appendGroupKey(dst []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, prefixGroup), number)
}

// groupNumber reads a key of the log.
func groupNumber(key []byte) (uint64, bool) {
	if len(key) != groupKeyBytes || key[0] != prefixGroup {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1:]), true
}

func recordKey(kind, id string) []byte {
	key := append([]byte{prefixRecord}, kind...)
	return append(append(key, 0), id...)
}

// span returns bounds of all keys that begin with prefix, which must not end in 0xff.
func span(prefix []byte) *pebble.IterOptions {
	upper := append([]byte{}, prefix...)
	upper[len(upper)-1]++
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: upper}
}

// checkFormat refuses a store of another format or under other cipher keys, and marks a new store
// with ours.
func checkFormat(db *pebble.DB, c *ciphers) (isNew bool, err error) {
	number, err := readFormat(db, c)
	if err != nil || number > 0 {
		return false, err
	}
	empty, err := isEmpty(db)
	if err != nil {
		return false, err
	}
	if !empty {
		return false, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: errors.New("the store has no format number but is not empty")}
	}
	if err := c.prepare(recordsID); err != nil {
		return false, err
	}
	value := fmt.Appendf(nil, "%d\x00", FormatNumber)
	return true, db.Set(formatKey, c.encryptValue(value, formatKey, []byte(canary)), pebble.Sync)
}

// readFormat returns 0 where the store has no format number. A store of another format is refused
// before a cipher key is asked for: that could make one, and change the keyring of an older program.
func readFormat(db *pebble.DB, c *ciphers) (int, error) {
	value, closer, err := db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, storeError("read format", err)
	}
	defer closer.Close()
	digits, encrypted, whole := bytes.Cut(value, []byte{0})
	number, err := strconv.Atoi(string(digits))
	switch {
	case err != nil || number < 1:
		return 0, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("format number is %q", digits)}
	case number > FormatNumber:
		return 0, fmt.Errorf("the store has format %d, this program reads %d: use a newer program", number, FormatNumber)
	case number < FormatNumber:
		return 0, fmt.Errorf("the store has format %d, this program reads %d: import again into a new data folder, or use the older program", number, FormatNumber)
	case !whole:
		return 0, damagedValue(formatKey, errors.New("nothing stands behind the format number"))
	}
	plain, err := c.decryptValue(formatKey, encrypted)
	if errors.Is(err, event.ErrDamaged) || err == nil && string(plain) != canary {
		return 0, errWrongKeys
	}
	return number, err
}

// errWrongKeys is said of the canary alone: nothing else was read by then.
var errWrongKeys = fmt.Errorf("%w: the store was written under other cipher keys; put back the keyring that belongs to it", event.ErrDenied)

func isEmpty(db *pebble.DB) (empty bool, err error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return false, storeError("read store", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return !it.First(), nil
}

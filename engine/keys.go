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
//	R kind 0x00 id                  a record; kinds hold no 0x00, so records sort by kind, then id
//
// All are written by the committer, but M, which is written when the store is made.
const (
	prefixGroup  = 'L'
	prefixFormat = 'M'
	prefixRecord = 'R'

	groupKeyBytes = 9

	// formatNumber is what this program writes, and the newest that it reads.
	formatNumber = 2
)

// canary stands encrypted behind the format number. It tells wrong cipher keys from damage.
const canary = "millimetric"

var formatKey = []byte{prefixFormat, 'f', 'o', 'r', 'm', 'a', 't'}

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
	value := fmt.Appendf(nil, "%d\x00", formatNumber)
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
	case number > formatNumber:
		return 0, fmt.Errorf("the store has format %d, this program reads %d: use a newer program", number, formatNumber)
	case number < formatNumber:
		return 0, fmt.Errorf("the store has format %d, this program reads %d: import again into a new data folder, or use the older program", number, formatNumber)
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

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/event"
)

// The store keys, and nobody else spells them:
//
//	L number(8 bytes, big-endian)   a group of the log; numbers begin at 1, without gaps
//	M "format"                      our own format number, decimal
//	R kind 0x00 id                  a record; kinds hold no 0x00, so records sort by kind, then id
//
// All are written by the committer, but M, which is written when the store is made.
const (
	prefixGroup  = 'L'
	prefixFormat = 'M'
	prefixRecord = 'R'

	groupKeyBytes = 9

	// formatNumber is what this program writes, and the newest that it reads.
	formatNumber = 1
)

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

// checkFormat refuses a store of a newer format, and marks a new store with ours.
func checkFormat(db *pebble.DB) (isNew bool, err error) {
	number, err := readFormat(db)
	switch {
	case err != nil:
		return false, err
	case number > formatNumber:
		return false, fmt.Errorf("the store has format %d, this program reads up to %d: use a newer program", number, formatNumber)
	case number > 0:
		return false, nil
	}
	empty, err := isEmpty(db)
	if err != nil {
		return false, err
	}
	if !empty {
		return false, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: errors.New("the store has no format number but is not empty")}
	}
	return true, db.Set(formatKey, fmt.Append(nil, formatNumber), pebble.Sync)
}

// readFormat returns 0 where the store has no format number.
func readFormat(db *pebble.DB) (int, error) {
	value, closer, err := db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, storeError("read format", err)
	}
	defer closer.Close()
	var number int
	if _, err := fmt.Sscanf(string(value), "%d", &number); err != nil || number < 1 {
		return 0, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("format number is %q", value)}
	}
	return number, nil
}

func isEmpty(db *pebble.DB) (empty bool, err error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return false, storeError("read store", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return !it.First(), nil
}

package engine

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/event"
)

// How a walk over store keys goes on behind a block that can't be read.
//
//  1. Pebble says that a block is damaged, and not which keys it has. The keys before it are known.
//  2. In the index of a table each block ends at its very last key (see exact), and a value has a block of its
//     own. So to look for any key behind the ones that could be read fails up to the damaged key, and works
//     from there on: the damaged key is found by looking.
//  3. A value that was written again since lies in another table, and a look-up by its key finds that one
//     before it comes to the damaged block. So what was written over isn't lost. Of what was deleted, Pebble
//     reads what lies below to step over it: that can't be told from what is lost.
//  4. Where several blocks that follow each other are damaged, only the last of their keys can be found. Then
//     nobody can say what lies before it, and all keys between are held to be lost. That it is one block shows
//     in the bytes that the index says lie there.
//  5. A table that can't be opened fails for all keys up to its end. Where what it deleted lies last in it, that end
//     is a key which it doesn't hold.
//  6. Pebble reads the block behind the last key of a span before it sees that this is beyond. So where the
//     damaged key lies beyond, and is one alone, the span has lost nothing.

// lostSpan takes keys that can't be read, both ends included, and says why.
type lostSpan func(from, to []byte, cause error) error

// walkOver visits the keys within bounds, in order, and goes on behind those that can't be read. Key and value
// are valid until visit returns. It returns an error where the walk itself fails, or what it calls.
func (e *Engine) walkOver(bounds *pebble.IterOptions, visit func(key, value []byte) error, lost lostSpan) error {
	left := &pebble.IterOptions{LowerBound: bounds.LowerBound, UpperBound: bounds.UpperBound}
	for bytes.Compare(left.LowerBound, left.UpperBound) < 0 {
		var last []byte
		err := walkSpan(e.db, left, func(key, value []byte) error {
			last = append(last[:0], key...)
			if err := visit(key, value); err != nil {
				return visitError{err}
			}
			return nil
		})
		if err == nil {
			return nil
		}
		if visited := (visitError{}); errors.As(err, &visited) {
			return visited.error
		}
		if !errors.Is(err, event.ErrDamaged) {
			return err
		}
		from := left.LowerBound
		if last != nil {
			from = append(last, 0)
		}
		if left.LowerBound, err = e.stepOverDamage(from, left.UpperBound, err, visit, lost); err != nil {
			return err
		}
	}
	return nil
}

// visitError is one of who visits, which is not the walk's.
type visitError struct{ error }

// stepOverDamage tells what is lost of a span from a key on, and returns the key behind what can't be read.
func (e *Engine) stepOverDamage(from, end []byte, cause error, visit func(key, value []byte) error, lost lostSpan) (next []byte, err error) {
	last, next, err := e.endOfDamage(from)
	if err != nil {
		return nil, err
	}
	alone, beyond := e.inOneBlock(from, last), bytes.Compare(last, end) >= 0
	if alone && beyond {
		return next, nil
	}
	if beyond {
		return next, lost(from, end, cause)
	}
	value, closer, err := e.db.Get(last)
	if errors.Is(err, pebble.ErrNotFound) || pebble.IsCorruptionError(err) {
		return next, lost(from, last, cause)
	}
	if err != nil {
		return next, storeError("read store", err)
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if err := visit(last, value); err != nil || alone {
		return next, err
	}
	return next, lost(from, last, cause)
}

// inOneBlock reports whether what lies between two keys lies in one block of each table that has some of it.
// It asks the tables' indexes alone.
func (e *Engine) inOneBlock(from, last []byte) bool {
	all, err := e.db.EstimateDiskUsage(from, last)
	if err != nil {
		return false
	}
	one, err := e.db.EstimateDiskUsage(last, last)
	return err == nil && all == one
}

// storeKeyMax bounds the keys that are looked for: those of records are the longest, and have ids of some tens
// of bytes.
const storeKeyMax = 1 << 10

// endOfDamage finds the last key of the blocks that can't be read, of which from lies in the first, and the one
// behind it.
func (e *Engine) endOfDamage(from []byte) (last, next []byte, err error) {
	fails := func(key []byte) bool {
		// An iterator that has failed once may remember where.
		it, failed := e.db.NewIter(nil)
		if failed != nil {
			err = errors.Join(err, storeError("read store", failed))
			return false
		}
		it.SeekGE(key)
		return it.Close() != nil
	}
	if last, next = lastThatFails(from, fails); err == nil && next == nil {
		err = damagedValue(from, errors.New("the end of what can't be read isn't found"))
	}
	return last, next, err
}

// lastThatFails finds the last key for which the look-up fails, as it does for from, and the key behind it. There
// may be no last one: a table that can't be opened ends before a key that it hasn't. Then what is returned
// as the last one is behind all keys that the table has. It returns nothing where there is no end.
func lastThatFails(from []byte, fails func([]byte) bool) (last, next []byte) {
	low, behind := nearestBehind(from, fails)
	reaches := func(key []byte) bool {
		return bytes.Compare(key, low) <= 0 || (behind == nil || bytes.Compare(key, behind) < 0) && fails(key)
	}
	for len(last) < storeKeyMax {
		// One byte after another: to halve their range could lead to another damaged block.
		b := 0
		for last = append(last, 0); b < 256; b++ {
			if last[len(last)-1] = byte(b); !reaches(last) {
				break
			}
		}
		if b == 0 {
			return last[:len(last)-1], last
		}
		last[len(last)-1] = byte(b - 1)
		if b < 256 {
			continue // a later byte is the last that fails
		}
		if all := append(bytes.Clone(last), farther...); reaches(all) {
			return all, keyBehind(last)
		}
	}
	return nil, nil
}

// farther makes of the beginning of keys one behind all of them.
var farther = bytes.Repeat([]byte{0xff}, 16)

// keyBehind is the first key behind all that begin with a prefix, or the prefix with all that may follow it where
// there is none.
func keyBehind(prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] < 0xff {
			next := bytes.Clone(prefix[:n])
			next[n-1]++
			return next
		}
	}
	return append(bytes.Clone(prefix), farther...)
}

// nearestBehind finds a key behind from for which the look-up works, nil where there is none, and the last
// one before that for which it fails. It begins near, so that no other damage lies between.
func nearestBehind(from []byte, fails func([]byte) bool) (low, behind []byte) {
	low = from
	for n := len(from); n > 0; n-- {
		key := bytes.Clone(from[:n])
		if key[n-1] == 0xff {
			continue
		}
		key[n-1]++
		if !fails(key) {
			return low, key
		}
		low = key
	}
	return low, nil
}

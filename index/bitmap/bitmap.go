// Package bitmap is a set of numbers: rows of a segment, or ordinals of visitors.
//
// It hides the roaring format, of which it is the only user. Sets don't change once they are made,
// so readers share them without locks. Bytes that come back are checked as a whole before they are
// used, and are copied: no set aliases what it was parsed from. The package starts no goroutines
// and writes nothing to disk.
package bitmap

import (
	"bytes"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"millimetric/index/event"
)

// Set is a set of numbers. The zero value is the empty set.
type Set struct{ bits *roaring.Bitmap }

// Of returns the set of numbers, which must rise.
func Of(numbers []uint32) Set {
	for i := 1; i < len(numbers); i++ {
		if numbers[i] <= numbers[i-1] {
			panic(fmt.Sprintf("bitmap: number %d comes behind %d", numbers[i], numbers[i-1]))
		}
	}
	bits := roaring.New()
	bits.AddMany(numbers)
	bits.RunOptimize()
	return Set{bits}
}

// Below returns the set of all numbers below n.
func Below(n uint32) Set {
	bits := roaring.New()
	bits.AddRange(0, uint64(n))
	return Set{bits}
}

func (s Set) roaring() *roaring.Bitmap {
	if s.bits == nil {
		return roaring.New()
	}
	return s.bits
}

// And returns what is in both sets.
func (s Set) And(t Set) Set { return Set{roaring.And(s.roaring(), t.roaring())} }

// Or returns what is in either set.
func (s Set) Or(t Set) Set { return Set{roaring.Or(s.roaring(), t.roaring())} }

// Without returns what is in s and not in t.
func (s Set) Without(t Set) Set { return Set{roaring.AndNot(s.roaring(), t.roaring())} }

// Not returns what is below n and not in s.
func (s Set) Not(n uint32) Set { return Below(n).Without(s) }

// Any returns what is in any of the sets.
func Any(sets ...Set) Set {
	all := make([]*roaring.Bitmap, len(sets))
	for i, s := range sets {
		all[i] = s.roaring()
	}
	return Set{roaring.FastOr(all...)}
}

// Count returns how many numbers are in the set.
func (s Set) Count() int {
	if s.bits == nil {
		return 0
	}
	return int(s.bits.GetCardinality())
}

// CountBoth returns how many numbers are in both sets, without making the set of them.
func (s Set) CountBoth(t Set) int { return int(s.roaring().AndCardinality(t.roaring())) }

// Has reports whether n is in the set. It is slow: never call it once per row.
func (s Set) Has(n uint32) bool { return s.bits != nil && s.bits.Contains(n) }

// Rank returns how many numbers of the set lie below n.
func (s Set) Rank(n uint32) int {
	if n == 0 {
		return 0
	}
	return int(s.roaring().Rank(n - 1))
}

// At returns number i of the set, counted from 0. It panics where there is none.
func (s Set) At(i int) uint32 {
	n, err := s.roaring().Select(uint32(i))
	if err != nil {
		panic(fmt.Sprintf("bitmap: number %d of %d", i, s.Count()))
	}
	return n
}

// Equal reports whether both sets hold the same.
func (s Set) Equal(t Set) bool { return s.roaring().Equals(t.roaring()) }

// Each calls yield with the numbers, rising, until it returns false.
func (s Set) Each(yield func(n uint32) bool) { s.roaring().Iterate(yield) }

// Between appends the numbers that are not below from, and below to, to dst.
func (s Set) Between(dst []uint32, from, to uint32) []uint32 {
	it := s.roaring().Iterator()
	it.AdvanceIfNeeded(from)
	for it.HasNext() && it.PeekNext() < to {
		dst = append(dst, it.Next())
	}
	return dst
}

// Numbers returns all numbers of the set, rising.
func (s Set) Numbers() []uint32 { return s.roaring().ToArray() }

// Bytes returns how many bytes Append will write.
func (s Set) Bytes() int { return int(s.roaring().GetSerializedSizeInBytes()) }

// Append encodes the set behind dst, in the portable format of roaring.
func (s Set) Append(dst []byte) []byte {
	out := bytes.NewBuffer(dst)
	if _, err := s.roaring().WriteTo(out); err != nil {
		panic("bitmap: a write to memory failed: " + err.Error())
	}
	return out.Bytes()
}

// Parse reads the set that is all of src, and whose numbers are below limit.
func Parse(src []byte, limit uint64) (Set, error) {
	bits, err := parse(src)
	if err != nil {
		return Set{}, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("set of %d bytes: %w", len(src), err)}
	}
	if !bits.IsEmpty() && uint64(bits.Maximum()) >= limit {
		return Set{}, &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("a set holds %d, its limit is %d", bits.Maximum(), limit)}
	}
	return Set{bits}, nil
}

// parse checks and reads. What the check let through roaring's own reader takes, but should there be
// something that it doesn't, a panic of it is damage, too.
func parse(src []byte) (bits *roaring.Bitmap, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			bits, err = nil, fmt.Errorf("reading panicked: %v", cause)
		}
	}()
	if err := check(src); err != nil {
		return nil, err
	}
	bits = roaring.New()
	read, err := bits.ReadFrom(bytes.NewReader(src))
	if err == nil && read != int64(len(src)) {
		err = fmt.Errorf("%d bytes are left", int64(len(src))-read)
	}
	return bits, err
}

package query

import (
	"strconv"
	"testing"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
)

func TestAMemoKeepsWhatWasAskedForLast(t *testing.T) {
	segment := weak.Make(&index.Segment{})
	key := func(i int) memoKey { return memoKey{segment: segment, named: true, name: strconv.Itoa(i)} }
	m := NewMemo(20 * 1024)
	for i := range 1000 {
		m.put(key(i), counted{visitors: bitmap.Of([]uint32{uint32(i)}), rows: i})
		if value, ok := m.get(key(0)); !ok || value.rows != 0 {
			t.Fatalf("after %d entries, the one that is asked for all the time is gone", i)
		}
		if m.used > m.most || m.order.Len() != len(m.kept) {
			t.Fatalf("%d bytes of %d, %d entries and %d", m.used, m.most, m.order.Len(), len(m.kept))
		}
	}
	if value, ok := m.get(key(999)); !ok || value.rows != 999 || !value.visitors.Has(999) {
		t.Error("the newest entry is gone")
	}
	if _, ok := m.get(key(500)); ok {
		t.Error("an old entry is still there")
	}
	m.put(key(-1), counted{visitors: bitmap.Of(scattered(100_000))})
	if _, ok := m.get(key(-1)); ok {
		t.Error("an entry above the bound was kept")
	}
	var none *Memo
	none.put(key(1), counted{})
	if _, ok := none.get(key(1)); ok {
		t.Error("no memo kept something")
	}
}

func scattered(n int) []uint32 {
	numbers := make([]uint32, n)
	for i := range numbers {
		numbers[i] = uint32(3 * i)
	}
	return numbers
}

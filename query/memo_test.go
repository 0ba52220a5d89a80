package query

import (
	"runtime"
	"strconv"
	"testing"
	"time"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
)

func TestAMemoKeepsWhatWasAskedForLast(t *testing.T) {
	alive := &index.Segment{}
	defer runtime.KeepAlive(alive)
	segment := weak.Make(alive)
	key := func(i int) memoKey { return memoKey{segment: segment, kind: memoNamed, name: strconv.Itoa(i)} }
	m := NewMemo(20 * 1024)
	for i := range 1000 {
		m.begin()
		m.put(key(i), counted{visitors: bitmap.Of([]uint32{uint32(i)}), rows: i})
		if value, ok := m.get(key(0)); !ok || value.(counted).rows != 0 {
			t.Fatalf("after %d entries, the one that is asked for all the time is gone", i)
		}
		if m.used > m.most || m.order.Len() != len(m.kept) {
			t.Fatalf("%d bytes of %d, %d entries and %d", m.used, m.most, m.order.Len(), len(m.kept))
		}
	}
	if value, ok := m.get(key(999)); !ok || value.(counted).rows != 999 || !value.(counted).visitors.Has(999) {
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

func TestAMemoKeepsWhatAQuestionAboutMoreThanItHoldsLeft(t *testing.T) {
	alive := &index.Segment{}
	defer runtime.KeepAlive(alive)
	segment := weak.Make(alive)
	m := NewMemo(20 * 1024)
	for range 3 {
		m.begin()
		for i := range 1000 {
			key := memoKey{segment: segment, name: strconv.Itoa(i)}
			if _, ok := m.get(key); !ok {
				m.put(key, counted{rows: i})
			}
		}
	}
	if _, ok := m.get(memoKey{segment: segment, name: "0"}); !ok {
		t.Error("what was kept first gave way to what had no room")
	}
	if m.hasRoom(1024) {
		t.Error("there is room for more")
	}
	m.begin()
	m.begin()
	if !m.hasRoom(1024) {
		t.Error("what two questions didn't use makes no room")
	}
}

func TestWhatAMemoKeepsGoesWithItsSegment(t *testing.T) {
	m := NewMemo(1 << 20)
	alive := &index.Segment{}
	stays := memoKey{segment: weak.Make(alive)}
	m.put(stays, counted{rows: 1})
	m.put(memoKey{segment: weak.Make(&index.Segment{})}, counted{rows: 2})
	used := func() int64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.used
	}
	both := used()
	for deadline := time.Now().Add(10 * time.Second); used() == both; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("a segment is gone, and what was kept about it is not")
		}
	}
	if value, ok := m.get(stays); !ok || value.(counted).rows != 1 || len(m.segments) != 1 {
		t.Error("what was kept about another segment went, too")
	}
	runtime.KeepAlive(alive)
}

// several is a value about several segments.
type several []weak.Pointer[index.Segment]

func (s several) bytes() int64                         { return 100 }
func (s several) about() []weak.Pointer[index.Segment] { return s }

func TestWhatIsKnownOfSeveralSegmentsGoesWithTheFirstThatGoes(t *testing.T) {
	m := NewMemo(1 << 20)
	segments := [3]*index.Segment{{}, {}, {}}
	defer runtime.KeepAlive(&segments)
	all := several{weak.Make(segments[0]), weak.Make(segments[1]), weak.Make(segments[2])}
	key := memoKey{segment: all[0], kind: memoJoined}
	m.put(key, all)
	m.put(memoKey{segment: all[0], kind: memoStarts}, counted{})
	for _, gone := range []int{1, 0} {
		m.forget(all[gone])
		if _, kept := m.get(key); kept {
			t.Errorf("segment %d is gone, and what is about it and others is still there", gone)
		}
	}
	if m.used != 0 || len(m.kept) != 0 {
		t.Errorf("%d bytes and %d entries are left", m.used, len(m.kept))
	}
	if !m.replace(key, all) || !m.replace(key, all) || m.order.Len() != 1 {
		t.Errorf("what is replaced has %d entries", m.order.Len())
	}
}

func scattered(n int) []uint32 {
	numbers := make([]uint32, n)
	for i := range numbers {
		numbers[i] = uint32(3 * i)
	}
	return numbers
}

// layers are known of a segment, and of another one beside it, which may be gone.
type layers struct {
	of   []weak.Pointer[index.Segment]
	size int64
}

func (l *layers) bytes() int64                         { return l.size }
func (l *layers) about() []weak.Pointer[index.Segment] { return l.of }

func (l *layers) without(segment int) memoValue {
	if segment == 0 {
		return nil
	}
	return &layers{of: l.of[:1], size: l.size - 1000}
}

func TestWhereASegmentGoesWhatLiesUnderItStays(t *testing.T) {
	under, over := &index.Segment{}, &index.Segment{}
	m := NewMemo(20 * 1024)
	key := memoKey{segment: weak.Make(under), kind: memoJoined}
	m.put(key, &layers{of: []weak.Pointer[index.Segment]{weak.Make(under), weak.Make(over)}, size: 3000})
	before := m.used
	m.forget(weak.Make(over))
	kept, ok := m.get(key)
	if !ok || len(kept.(*layers).of) != 1 || m.used != before-1000 {
		t.Fatalf("%v, %d bytes, %d before", kept, m.used, before)
	}
	m.forget(weak.Make(under))
	if _, ok := m.get(key); ok || m.used != 0 {
		t.Errorf("still there, %d bytes", m.used)
	}
	runtime.KeepAlive([]*index.Segment{under, over})
}

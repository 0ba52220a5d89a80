package query

import (
	"context"
	"fmt"
	"math"
	"testing"

	"millimetric/index"
	"millimetric/index/event"
)

// pieces is a source of segments alone.
type pieces struct {
	segments []*index.Segment
	last     event.Seq
	visitors uint32
}

func (p *pieces) AsOf() event.Seq                           { return p.last }
func (p *pieces) Floor() event.Time                         { return event.TimeMin }
func (p *pieces) Segments(_, _ event.Time) []*index.Segment { return p.segments }
func (p *pieces) Visitors() uint32                          { return p.visitors }
func (p *pieces) Links(func(event.Link) bool) error         { return nil }
func (p *pieces) Live(_, _ event.Time, _ func(*event.Event, uint32) bool) error {
	return nil
}

// add adds a segment of visits, each of a visitor of its own, from so many campaigns.
func (p *pieces) add(t *testing.T, visits, campaigns int) {
	t.Helper()
	rows := make([]index.Row, visits)
	for i := range rows {
		p.last++
		ev := &event.Event{Seq: p.last, Time: event.Time(p.last) * 1000, Name: "$pageview", AnonymousID: fmt.Sprint("v", p.last), SessionID: fmt.Sprint("s", p.last),
			URL: "https://shop.example/", Path: "/", Source: "google", Medium: "paid", Campaign: fmt.Sprint("c", i%campaigns), Properties: "{}"}
		rows[i] = index.Row{Event: ev, Ordinal: p.visitors}
		p.visitors++
	}
	segment, err := index.Open(index.Build(rows, index.BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	p.segments = append(p.segments, segment)
}

// youngOver is a walk over two segments, of which the older one is joined and kept.
type youngOver struct {
	*startWalk
	key      memoKey
	refused  memoKey
	known    *joinedStarts
	segments []*sealed
}

func newYoungOver(t *testing.T, visits, campaigns int) *youngOver {
	t.Helper()
	source := &pieces{}
	source.add(t, 300, 3)
	source.add(t, visits, campaigns)
	r := &run{ctx: context.Background(), source: source, common: &Common{To: event.TimeMax + 1, Memo: NewMemo(64 << 20)}, asOf: source.last, people: peopleTest()}
	t.Cleanup(r.release)
	y := &youngOver{startWalk: newJoinWalk(r)}
	for _, segment := range source.segments {
		y.segments = append(y.segments, r.open(segment))
	}
	y.key = r.memoKey(y.segments[0], memoJoined, "")
	y.refused = y.key
	y.refused.number = 1
	var err error
	if y.known, err = y.joinSettled(y.key, nil, y.segments, y.segments[:1]); err != nil || y.known == nil {
		t.Fatalf("the older segment isn't joined: %v", err)
	}
	return y
}

// join joins the younger segments, and reports whether that was done.
func (y *youngOver) join(t *testing.T, segments []*sealed) (done bool) {
	t.Helper()
	numbers, _ := y.known.covers(segments)
	got, _, err := y.joinYoung(y.key, y.known, segments, numbers)
	if err != nil {
		t.Fatal(err)
	}
	if got != y.known && got.base != y.known {
		t.Error("what lies over lies over something else")
	}
	return got != y.known
}

func (y *youngOver) kept(key memoKey) *joinedStarts {
	kept, has := y.r.common.Memo.get(key)
	if !has {
		return nil
	}
	return kept.(*joinedStarts)
}

func TestYoungSegmentsAreJoinedOverOthersAndKept(t *testing.T) {
	y := newYoungOver(t, 200, 2)
	if !y.join(t, y.segments) || y.kept(y.key) == nil || y.kept(y.key).base != y.known || y.kept(y.refused) != nil {
		t.Error("they aren't joined, or not kept")
	}
}

func TestYoungSegmentsAreNotJoinedOver(t *testing.T) {
	const more = int64(1) << 40 // bytes that no memo has
	for name, c := range map[string]struct {
		prepare func(*youngOver)
		done    bool
	}{
		"what isn't kept":                             {func(y *youngOver) { y.r.common.Memo.forget(y.key.segment) }, false},
		"what there was no room for":                  {func(y *youngOver) { y.r.common.Memo.replace(y.key, refusedStarts(y.segments[:1], more)) }, false},
		"others, once there was no room for them":     {func(y *youngOver) { y.r.common.Memo.replace(y.refused, refusedStarts(y.segments[1:], more)) }, false},
		"others, where by now there is room for them": {func(y *youngOver) { y.r.common.Memo.replace(y.refused, refusedStarts(y.segments[1:], 1)) }, true},
	} {
		y := newYoungOver(t, 200, 2)
		c.prepare(y)
		if done := y.join(t, y.segments); done != c.done {
			t.Errorf("over %s: joined %t", name, done)
		}
	}
	y := newYoungOver(t, 200, 2)
	if y.join(t, y.segments[:1]) || y.kept(y.key) != y.known {
		t.Error("something is joined where there is nothing young")
	}
}

// Visits from too many places can't be numbered. That is remembered, and no error.
func TestYoungSegmentsOfTooManyKindsAreLeft(t *testing.T) {
	y := newYoungOver(t, math.MaxUint16+10, math.MaxUint16+10)
	if y.join(t, y.segments) || y.kept(y.key) != y.known {
		t.Error("they are joined")
	}
	if refused := y.kept(y.refused); refused == nil || refused.needs != math.MaxInt64 {
		t.Errorf("it isn't remembered: %v", refused)
	}
}

// Where what is joined has no room, the question at hand uses it, and the next one finds what was known before, and
// how much room it takes.
func TestYoungSegmentsWithoutRoomAreJoinedOnce(t *testing.T) {
	y := newYoungOver(t, 3000, 40)
	memo := y.r.common.Memo
	memo.most = memo.used + 2*memoOverhead // for the refusal
	if !y.join(t, y.segments) || y.kept(y.key) != y.known {
		t.Error("they aren't joined, or what was known is gone")
	}
	if refused := y.kept(y.refused); refused == nil || refused.needs <= 0 || refused.needs == math.MaxInt64 {
		t.Fatalf("it isn't remembered: %v", refused)
	}
	if y.join(t, y.segments) {
		t.Error("they are joined again in vain")
	}
}

// A segment that was joined when there were fewer rows, and isn't worth it by now, stays joined: what is joined is
// told by its segments.
func TestWhatIsJoinedStaysSoBesideMore(t *testing.T) {
	source := &pieces{}
	for _, visits := range []int{30_000, 2000, 30_000} {
		source.add(t, visits, 3)
	}
	r := &run{ctx: context.Background(), source: source, common: &Common{To: event.TimeMax + 1, Memo: NewMemo(64 << 20), Workers: NewWorkers(2, 1)}, asOf: source.last, people: peopleTest()}
	defer r.release()
	w := newJoinWalk(r)
	var all []*sealed
	for _, segment := range source.segments {
		all = append(all, r.open(segment))
	}
	key := r.memoKey(all[0], memoJoined, "")
	known, err := w.joinSettled(key, nil, all[:2], all[:2])
	if err != nil || known == nil {
		t.Fatalf("the first segments aren't joined: %v", err)
	}
	more, err := w.joinSettled(key, known, all, []*sealed{all[0], all[2]})
	if err != nil || more == nil {
		t.Fatalf("the others aren't joined: %v", err)
	}
	if numbers, whole := more.covers(all); !whole || len(more.segments) != 3 {
		t.Errorf("of three segments %d are joined: %v", len(more.segments), numbers)
	}
	again := newJoinWalk(r)
	numbers, _ := more.covers(all)
	again.enterJoined(more, all, numbers)
	for number, of := range again.origins {
		if of == nil {
			t.Errorf("joined segment %d isn't known", number)
		}
	}
}

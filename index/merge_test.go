package index

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millimetric/index/bitmap"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// parted is rows cut into segments that are to be merged, with what is to be left out.
type parted struct {
	segments []*Segment
	opt      MergeOptions
	left     []Row // the rows that are not left out
}

// part deals rows out to segments in one of several ways, and chooses what a merge leaves out.
func part(t *testing.T, r *rand.Rand, rows []Row) parted {
	t.Helper()
	count := 1 + r.IntN(5)
	lists := make([][]Row, count)
	way, typed := r.IntN(3), []int{0, 0, -1, 2}[r.IntN(4)]
	for i, row := range rows {
		at := r.IntN(count)
		switch way {
		case 1: // one after the other, as they arrived
			at = i * count / len(rows)
		case 2: // mostly one visitor in one segment
			if r.IntN(20) != 0 {
				at = int(row.Ordinal) % count
			}
		}
		lists[at] = append(lists[at], row)
	}
	p := parted{opt: MergeOptions{BuildOptions: BuildOptions{TypedMax: typed}, typedBytes: []int{0, 1, 20 * len(rows)}[r.IntN(3)]}}
	if r.IntN(3) == 0 {
		p.opt.Floor = rows[r.IntN(len(rows))].Event.Time
	}
	if r.IntN(3) == 0 {
		p.opt.Until = rows[r.IntN(len(rows))].Event.Time
	}
	drops := []float64{0, 0, 0.01, 0.5, 0.98}[r.IntN(5)]
	for _, list := range lists {
		if len(list) == 0 {
			continue
		}
		s, err := Open(Build(list, BuildOptions{TypedMax: []int{0, 0, 0, -1, 1}[r.IntN(5)]}))
		if err != nil {
			t.Fatal(err)
		}
		var drop []uint32
		for i, row := range sorted(list) {
			if r.Float64() < drops {
				drop = append(drop, uint32(i))
			} else if row.Event.Time >= p.opt.Floor && (p.opt.Until == 0 || row.Event.Time < p.opt.Until) {
				p.left = append(p.left, row)
			}
		}
		p.segments = append(p.segments, s)
		if drops > 0 {
			p.opt.Drop = append(p.opt.Drop, bitmap.Of(drop))
		}
	}
	return p
}

// isUnion fails where merging isn't what building from the rows that are left would be.
func isUnion(t *testing.T, name string, p parted) {
	t.Helper()
	merged, err := Merge(p.segments, p.opt)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(p.left) == 0 {
		if merged != nil {
			t.Fatalf("%s: a segment of no rows", name)
		}
		return
	}
	if merged == nil {
		t.Fatalf("%s: no segment of %d rows", name, len(p.left))
	}
	built := Build(p.left, p.opt.BuildOptions)
	if !maps.Equal(merged.Sizes, built.Sizes) {
		t.Errorf("%s: sizes are %v, want %v", name, merged.Sizes, built.Sizes)
	}
	s, err := Open(merged)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !slices.EqualFunc(merged.Sections, built.Sections, slices.Equal[[]byte]) {
		sameEvents(t, name, s, p.left)
		t.Fatalf("%s: the events are right, the sections are not those that Build makes", name)
	}
	if err := s.Check(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestMergingIsBuildingFromTheUnion(t *testing.T) {
	all := cases()
	maps.Copy(all, mergeCases())
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 0x6d65))
			isUnion(t, fmt.Sprintf("%s, seed %d", name, seed), part(t, r, all[name]))
		}
	}
}

// Chunks of rows and of visitors end in the middle of what others have.
func TestManyRowsMerge(t *testing.T) {
	rows := newTraffic(12, 20000).day(90_000, true)
	for seed := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, 0x6d616e79))
		isUnion(t, fmt.Sprintf("90,000 rows, seed %d", seed), part(t, r, rows))
	}
}

// mergeCases are lists of events for what merging alone finds hard.
func mergeCases() map[string][]Row {
	all := map[string][]Row{}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0x70726f70))
		events := eventtest.New(seed, 1+r.IntN(60), 1+r.IntN(600_000)).Events(200 + r.IntN(1500))
		for i := range events {
			twist(r, &events[i], seed)
		}
		all[fmt.Sprint("twisted, seed ", seed)] = rowsOf(events)
	}
	all["more traffic"] = newTraffic(6, 300).day(5000, true)
	for name, properties := range map[string]func(i int) string{
		"one is no object": func(i int) string { return []string{`{"a":1}`, `{"a":2}`, `{"a" 1}`}[max(0, i-1197)] },
		"places become fewer": func(i int) string {
			return fmt.Sprintf(`{"a":%d.%s}`, i%7, []string{"50", "5", "125"}[max(i/600, i/600*(i%2+1))])
		},
		"numbers become texts": func(i int) string {
			return fmt.Sprintf([]string{`{"a":%d.50,"b":-%d}`, `{"a":"%d","b":"%d"}`}[i/600], i%9, i%5)
		},
		"texts become numbers": func(i int) string {
			return fmt.Sprintf([]string{`{"a":"%d","b":"%d"}`, `{"a":%d.50,"b":-%d}`}[i/600], i%9, i%5)
		},
		"common becomes rare": func(i int) string { return []string{`{"a":7}`, `{"b":1}`, `{"b":2}`}[min(2, i/11)] },
	} {
		events := eventtest.New(7, 50, 20_000).Events(1200)
		for i := range events {
			events[i].Properties = properties(i)
		}
		all[name] = rowsOf(events)
	}
	return all
}

// twist gives an event sessions that are nearly derived, and properties that hover about the rules for
// columns: rare, of many values, numbers that are written oddly, names twice.
func twist(r *rand.Rand, e *event.Event, seed uint64) {
	if r.IntN(4) == 0 {
		at := e.Time + event.Time(r.IntN(3)-1)*halfHour
		e.SessionID = pick(r, derivedSession(e.AnonymousID, at), derivedSession(e.AnonymousID, at), e.AnonymousID+"-0"+fmt.Sprint(int64(at)/halfHour), e.AnonymousID+"--5", "v1-7", "-", "5")
	}
	if r.IntN(3) == 0 {
		e.AnonymousID += pick(r, "", "-", "-5")
	}
	number := pick(r, "0", "-0", "007", "1.5", "1.50", "-2.5", "3e2", "1000000000000000000", "0.000000001", "12", "-0.5", `"12"`, "null", "true", `[1,{"a":2}]`, `"x\u0041"`, `"xA"`)
	if seed%2 == 0 {
		number = fmt.Sprint(r.IntN(100))
		if r.IntN(300) == 0 {
			number = "1.50"
		}
	}
	rare := ""
	if r.IntN(90) == 0 {
		rare = fmt.Sprintf(`,"rare":%d`, r.IntN(5))
	}
	unique := ""
	if seed%3 == 0 {
		unique = fmt.Sprintf(`,"unique":"%d"`, r.Uint64())
	}
	e.Properties = pick(r,
		"{}", `{"a":`+number+rare+unique+`}`, `{"a":`+number+`,"a":1`+rare+`}`, `{"b":`+number+`,"a":"`+fmt.Sprint(r.IntN(4))+`"`+unique+`}`,
		`{"\u0061":`+number+`,"b":{"a":1}`+rare+unique+`}`, `{"a.b":`+number+unique+`,"":`+number+`}`, `{"c`+fmt.Sprint(r.IntN(3))+`":`+number+`}`)
}

func TestMergingNothingIsNothing(t *testing.T) {
	rows := newTraffic(1, 50).day(100, false)
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		segments []*Segment
		opt      MergeOptions
	}{
		"no segments": {},
		"all too old": {[]*Segment{s}, MergeOptions{Floor: s.maxTime + 1}},
		"all too new": {[]*Segment{s}, MergeOptions{Until: s.minTime}},
		"none within": {[]*Segment{s}, MergeOptions{Floor: s.minTime + 1, Until: s.minTime + 1}},
		"all dropped": {[]*Segment{s}, MergeOptions{Drop: []bitmap.Set{bitmap.Below(uint32(s.Rows()))}}},
	} {
		if built, err := Merge(c.segments, c.opt); built != nil || err != nil {
			t.Errorf("%s: %v, %v", name, built, err)
		}
	}
}

func TestSegmentsThatContradictEachOtherAreDamage(t *testing.T) {
	rows := newTraffic(1, 50).day(300, false)
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge([]*Segment{s, s}, MergeOptions{}); !errors.Is(err, event.ErrDamaged) || !strings.Contains(err.Error(), "same time") {
		t.Errorf("rows in two segments: %v", err)
	}
	other, err := Open(Build([]Row{{&event.Event{Seq: 1e6, AnonymousID: "someone else"}, rows[0].Ordinal}}, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge([]*Segment{s, other}, MergeOptions{}); !errors.Is(err, event.ErrDamaged) || !strings.Contains(err.Error(), "two anonymous ids") {
		t.Errorf("an ordinal of two visitors: %v", err)
	}
}

// A property that is a column in each source has too many values in the union, or becomes one of
// values where it was one of numbers. The one that has too many comes behind one that fewer rows have.
func TestMergedColumnsObeyTheLimits(t *testing.T) {
	const count = typedValuesMax + 5000
	for name, second := range map[string]string{"numbers": "%d", "numbers, then texts": `"%d"`, "numbers, then few texts": `"x"`} {
		events := make([]event.Event, count)
		for i := range events {
			value := fmt.Sprintf("%d", i)
			if i >= count/2 {
				value = strings.Replace(second, "%d", value, 1)
			}
			events[i] = event.Event{Time: event.Time(i), AnonymousID: fmt.Sprint("v", i%1000), Properties: `{"n":` + value + `}`}
			if i%30 != 0 {
				events[i].Properties = `{"n":` + value + `,"m":1}`
			}
		}
		rows := rowsOf(events)
		var p parted
		for list := range slices.Chunk(rows, (count+1)/2) {
			s, err := Open(Build(list, BuildOptions{}))
			if err != nil {
				t.Fatal(err)
			}
			p.segments, p.left = append(p.segments, s), append(p.left, list...)
		}
		isUnion(t, name, p)
		p.opt.TypedMax, p.opt.typedBytes = 1, 1
		isUnion(t, name+", one column", p)
	}
}

// Whatever is wrong with a source, merging it is an error, or makes what it would have made without:
// what is made anew isn't read.
func TestDamageIsNeverMerged(t *testing.T) {
	for _, c := range []struct{ rows, injections int }{{90, 2500}, {4000, 100}} {
		rows := newTraffic(1, 50).day(c.rows, true)
		first, second := Build(rows[:c.rows/2], BuildOptions{}), Build(rows[c.rows/2:], BuildOptions{})
		want := Build(rows, BuildOptions{})
		sound, err := Open(second)
		if err != nil {
			t.Fatal(err)
		}
		other := holding(Build(newTraffic(2, 50).day(c.rows, true), BuildOptions{}))
		merged := 0
		for seed := range uint64(c.injections) {
			r := rand.New(rand.NewPCG(seed, 78))
			h := holding(first)
			what := fmt.Sprintf("%d rows, seed %d: %s", c.rows, seed, spoil(r, h, other))
			s, err := Open(h)
			if err == nil {
				var got *Built
				if got, err = Merge([]*Segment{s, sound}, MergeOptions{}); err == nil {
					if !slices.EqualFunc(got.Sections, want.Sections, slices.Equal[[]byte]) {
						t.Fatalf("%s: it was merged, and shows", what)
					}
					merged++
				}
			}
			if err != nil && !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("%s: kind of %v", what, err)
			}
		}
		if merged > c.injections/2 {
			t.Errorf("%d of %d damaged segments were merged: hardly anything was checked", merged, c.injections)
		}
	}
}

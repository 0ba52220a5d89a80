package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"millimetric/index"
	"millimetric/index/event"
)

// spread is how many times as many blocks there are of visitors as they would fill.
const spread = 4

// crossing is a source of segments that overlap in time and share visitors of several blocks: who walks them has a view
// of each at hand.
func crossing(t *testing.T, segments, visitors int, read func()) *pieces {
	t.Helper()
	p := &pieces{visitors: uint32(spread * visitors)}
	r := rand.New(rand.NewPCG(uint64(segments), 3))
	for n := range segments {
		var rows []index.Row
		for ordinal := range visitors {
			if r.IntN(3) > 0 {
				continue
			}
			at := event.Time(1000*n + r.IntN(1500))
			for i := range 1 + r.IntN(3) {
				rows = append(rows, index.Row{Event: visitEvent(r, p, ordinal, at+event.Time(100*i)), Ordinal: uint32(spread * ordinal)})
			}
		}
		sections := index.Build(rows, index.BuildOptions{})
		segment, err := index.Open(readAloud{sections, read})
		if err != nil {
			t.Fatal(err)
		}
		p.segments = append(p.segments, segment)
	}
	return p
}

func visitEvent(r *rand.Rand, p *pieces, ordinal int, at event.Time) *event.Event {
	p.last++
	e := &event.Event{Seq: p.last, Time: at, Name: []string{"$pageview", "$pageview", "cart", "buy"}[r.IntN(4)], AnonymousID: fmt.Sprint("v", ordinal),
		SessionID: fmt.Sprint("s", ordinal, "-", at/40_000), URL: "https://shop.example/", Path: []string{"/", "/a", "/b"}[r.IntN(3)],
		Country: []string{"DE", "FR", ""}[ordinal%3], Properties: fmt.Sprintf(`{"n":%d,"k":"w%d"}`, r.IntN(50), r.IntN(4))}
	if r.IntN(3) == 0 {
		e.Source, e.Medium, e.Referrer = []string{"google", "bing"}[r.IntN(2)], "organic", "https://www.google.com/"
	}
	if r.IntN(40) == 0 {
		e.Bot = "crawler"
	}
	return e
}

// readAloud tells when something is read.
type readAloud struct {
	index.Sections
	read func()
}

func (s readAloud) Section(id index.SectionID) ([]byte, error) {
	s.read()
	return s.Sections.Section(id)
}

// unpackedQuestions go over blocks of visitors, each by other columns.
var unpackedQuestions = map[string]string{
	"funnel by first touch": `funnel {"steps":[{"event":"$pageview"},{"event":"cart"},{"event":"buy"}],"window":"1h","breakdown":"first_touch.source"}`,
	"funnel in any order":   `funnel {"steps":[{"event":"cart"},{"event":"buy","filters":[{"field":"properties.n","op":"gt","value":20}]}],"order":"any","breakdown":"country"}`,
	"strict funnel":         `funnel {"steps":[{"event":"$pageview"},{"event":"cart"}],"order":"strict","hold":["session_id"]}`,
	"uniques by path":       `stats {"metric":"uniques","group_by":["path","source"],"limit":100}`,
	"uniques by property":   `stats {"metric":"uniques","group_by":["country"],"filters":[{"field":"properties.k","op":"eq","value":"w1"}],"limit":100}`,
	"sources":               `sources {"limit":50}`,
	"credit":                `attribution {"conversion":"buy","models":["linear"],"lookback":"1h"}`,
	"retention":             `retention {"birth":{"event":"$pageview"},"return":{"event":"buy"},"period":"day"}`,
}

func askAbout(t *testing.T, source Source, text string, allowance *Allowance, workers *Workers) string {
	t.Helper()
	var name, body string
	if _, err := fmt.Sscanf(text, "%s", &name); err != nil {
		t.Fatal(err)
	}
	body = `{"from":"1970-01-01T00:00:00.000Z","to":"1970-01-01T00:01:40.000Z",` + text[len(name)+2:]
	form, err := FormOfJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(name, form)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q.Settings().Allowance, q.Settings().Workers = allowance, workers
	answer, err := Run(context.Background(), source, q)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	answer.Cost = Cost{}
	return string(answer.AppendJSON(nil))
}

func TestViewsWithoutRoomGiveTheSameAnswers(t *testing.T) {
	source := crossing(t, 9, blockVisitors, func() {})
	for what, text := range unpackedQuestions {
		want := askAbout(t, source, text, nil, nil)
		for _, workers := range []*Workers{nil, NewWorkers(3, 1)} {
			full := NewAllowance(1 << 30)
			full.lend(1 << 30)
			if got := askAbout(t, source, text, full, workers); got != want {
				t.Errorf("%s: without room for views %s, want %s", what, got, want)
			}
			if full.Used() != 0 || full.taken.Load() != 1<<30 {
				t.Errorf("%s: %d bytes stay taken", what, full.taken.Load()-1<<30)
			}
		}
	}
}

func TestWhatIsKeptOfSegmentsIsCounted(t *testing.T) {
	source, allowance := crossing(t, 1, 500, func() {}), NewAllowance(8<<20)
	r := &run{ctx: context.Background(), source: source, common: &Common{}, asOf: source.last, people: peopleTest()}
	r.share.of = allowance
	s := r.open(source.segments[0])
	if err := s.openRuns(); err != nil {
		t.Fatal(err)
	}
	runs := allowance.taken.Load()
	v := r.newView()
	v.turn(s, 0)
	newSessionNumbers().slot(v, 0)
	v.settle(true)
	kept := allowance.taken.Load() - v.run.room.spare.counted
	if want := int64(8*len(s.runs.Ordinals) + 4); runs != want || kept != want+int64(4*s.segment.Sessions()) {
		t.Errorf("%d bytes are counted for visitors, and %d in all; want %d and %d more", runs, kept, want, 4*s.segment.Sessions())
	}
	if r.release(); allowance.taken.Load() != 0 {
		t.Errorf("%d bytes stay taken", allowance.taken.Load())
	}
}

func TestAViewWithoutRoomUnpacksTheRowsAtHand(t *testing.T) {
	source := crossing(t, 1, 500, func() {})
	for _, taken := range []int64{0, 8 << 20} {
		allowance := NewAllowance(8 << 20)
		allowance.lend(taken)
		r := &run{ctx: context.Background(), source: source, common: &Common{}, asOf: source.last, people: peopleTest()}
		r.share.of = allowance
		s, v := r.open(source.segments[0]), r.newView()
		want := 10
		if taken == 0 {
			want = s.segment.Rows()
		}
		if v.reach(s, 20, 30); len(v.timesOf()) != want || !v.holds(s, 29) {
			t.Errorf("beside %d bytes %d rows are unpacked, not %d", taken, len(v.timesOf()), want)
		}
		r.release()
	}
}

func TestViewsOfManySegmentsTakeNoMoreThanThereIs(t *testing.T) {
	allowance := NewAllowance(12 << 20)
	var most atomic.Int64
	source := crossing(t, 60, blockVisitors, func() { most.Store(max(most.Load(), allowance.taken.Load())) })
	askAbout(t, source, unpackedQuestions["funnel by first touch"], allowance, NewWorkers(2, 1))
	// Tables may take a step before views make room, and each of two workers has the views of a segment in use.
	bound := allowance.most + allowanceStep + 4*chunkBytes
	if got := most.Load(); got > bound || got < allowance.most/2 {
		t.Errorf("%d bytes were taken, where there are %d; want %d at most", got, allowance.most, bound)
	}
	if left := allowance.taken.Load(); left != 0 {
		t.Errorf("%d bytes stay taken", left)
	}
}

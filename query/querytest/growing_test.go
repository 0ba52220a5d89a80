package querytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// growing is a project as time goes by: events come and are live at first, live ones are sealed, late ones too, and
// segments are merged. Segments that stay are the same ones.
type growing struct {
	random   *rand.Rand
	all      []event.Event
	ordinals map[string]uint32
	came     int
	live     []int // numbers of events
	pieces   []growingPiece
}

type growingPiece struct {
	events  []int
	segment *index.Segment
}

func newGrowing(seed uint64, visitors, events int) *growing {
	return growingOf(seed, numbered(eventtest.New(seed, visitors, 120_000).Events(events)))
}

func growingOf(seed uint64, all []event.Event) *growing {
	g := &growing{random: rand.New(rand.NewPCG(seed, 0x67726f77)), all: all, ordinals: ordinalsOf(all)}
	for g.came < len(all)*3/4 {
		g.come(len(all) / 25)
		g.seal()
	}
	return g
}

func (g *growing) come(events int) {
	for range min(events, len(g.all)-g.came) {
		g.live = append(g.live, g.came)
		g.came++
	}
}

// seal makes a segment of the live events, but for a few.
func (g *growing) seal() {
	keep := min(g.random.IntN(8), len(g.live))
	if own := g.live[:len(g.live)-keep]; len(own) > 0 {
		g.pieces = append(g.pieces, g.piece(slices.Clone(own)))
		g.live = slices.Clone(g.live[len(own):])
	}
}

// merge makes one segment of two.
func (g *growing) merge() {
	if len(g.pieces) < 3 {
		return
	}
	at := g.random.IntN(len(g.pieces) - 1)
	if g.random.IntN(3) > 0 {
		at = len(g.pieces) - 2 // mostly the newest
	}
	both := append(slices.Clone(g.pieces[at].events), g.pieces[at+1].events...)
	g.pieces = slices.Replace(g.pieces, at, at+2, g.piece(both))
}

func (g *growing) piece(events []int) growingPiece {
	rows := make([]index.Row, len(events))
	for i, n := range events {
		rows[i] = index.Row{Event: &g.all[n], Ordinal: g.ordinals[g.all[n].AnonymousID]}
	}
	segment, err := index.Open(index.Build(rows, index.BuildOptions{}))
	if err != nil {
		panic("querytest: open what was built: " + err.Error())
	}
	return growingPiece{events, segment}
}

// source is the project as it is now.
func (g *growing) source() *Sealed {
	s := &Sealed{Slice: g.all[:g.came], Least: event.TimeMin, ordinals: g.ordinals, last: event.Seq(g.came)}
	for _, p := range g.pieces {
		s.segments = append(s.segments, p.segment)
	}
	for _, n := range g.live {
		s.live = append(s.live, g.all[n])
	}
	return s
}

// step lets something happen.
func (g *growing) step() {
	g.come(g.random.IntN(max(2, len(g.all)/200)))
	switch g.random.IntN(4) {
	case 0, 1:
		g.seal()
	case 2:
		if g.random.IntN(2) == 0 {
			g.merge()
		}
	}
}

// newBordering is a growing project whose events all lie at whole tens of minutes, so that many of a visitor's come
// exactly half an hour after the one before, and whose visitors are strewn over some blocks of their numbers.
func newBordering(seed uint64, visitors, events int) *growing {
	const ten = event.Time(10 * 60 * 1000)
	all := numbered(eventtest.New(seed, visitors, 120_000).Events(events))
	for i := range all {
		all[i].Time -= all[i].Time % ten // which stays in its half-hour
	}
	g := growingOf(seed, all)
	for id := range g.ordinals {
		g.ordinals[id] = g.ordinals[id]*611 + 5
	}
	g.pieces = g.pieces[:0]
	g.came, g.live = 0, nil
	for g.came < len(all)*3/4 {
		g.come(len(all) / 25)
		g.seal()
	}
	return g
}

// What is kept of some segments serves while others come beside them, and goes with them.
func TestAnswersAreTheSameWhileSegmentsComeAndGo(t *testing.T) {
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		memo := query.NewMemo([]int64{8 << 20, 150 << 10}[seed%2]) // the smaller one joins segments some at a time
		askWhileItGrows(t, newGrowing(300+seed, 50, 4_000), memo, 300+seed, 45)
	}
}

// Visits of one visitor lie in segments that are joined, in those that lie over them, and among live events.
func TestVisitsAtTheirBordersAreTheSameWhileSegmentsComeAndGo(t *testing.T) {
	const seed = 700
	askWhileItGrows(t, newBordering(seed, 40, 3_000), query.NewMemo(8<<20), seed, 30)
}

// newChanging is a growing project whose visitors are others every few hundred events, most of whom buy something: whoever
// has live events may have nothing else.
func newChanging(seed uint64, visitors, events int) *growing {
	all := numbered(eventtest.New(seed, visitors, 120_000).Events(events))
	for i := range all {
		all[i].AnonymousID += fmt.Sprint("-", all[i].Time/(400*120_000))
		if i%5 == 0 {
			all[i].Name = "purchase"
		}
	}
	return growingOf(seed, all)
}

// Of those who bought something in segments the first touches are kept together, of those who come among live events they
// aren't.
func TestFirstTouchesOfNewcomersAreTheSame(t *testing.T) {
	const seed = 900
	askWhileItGrows(t, newChanging(seed, 60, 4_000), query.NewMemo(8<<20), seed, 25)
}

// askWhileItGrows asks questions about touches with what is kept, and without.
func askWhileItGrows(t *testing.T, g *growing, memo *query.Memo, seed uint64, steps int) {
	questions := []string{
		"attribution?conversion=purchase&lookback=0&models=first", "attribution?conversion=purchase&models=time_decay&half_life=2h",
		"attribution?conversion=purchase&models=time_decay,linear&half_life=90d", "attribution?conversion=signup&models=linear,last_non_direct&group_by=campaign",
		"attribution?conversion=purchase&models=data_driven,position&include_bots=true", "attribution?conversion=$pageview&models=last&lookback=1h&count=last",
		`funnel?steps=[{"event":"$pageview"},{"event":"signup"}]&breakdown=first_touch.source`,
		`funnel?steps=[{"event":"$pageview"},{"event":"add_to_cart"},{"event":"purchase"}]&breakdown=first_touch.medium`,
	}
	for step := range steps {
		g.step()
		source := g.source()
		middle := g.all[g.came/2].Time
		for i, question := range questions {
			days := "&from=2026-01-01&to=2027-01-01"
			switch (step + i) % 3 {
			case 1:
				days = "&from=2026-01-01&to=" + middle.Std().Format("2006-01-02T15:04:05Z")
			case 2:
				days += fmt.Sprintf("&as_of=%d", g.came-g.random.IntN(g.came/2))
			}
			q, err := parse(question + days)
			if err != nil {
				t.Fatal(err)
			}
			_, want := answerWith(t, source, q, nil, nil)
			if _, have := answerWith(t, source, q, memo, workers); want != have {
				t.Fatalf("seed %d, step %d, %d segments: %s\nkept %s\nwant %s", seed, step, len(g.pieces), question+days, have, want)
			}
		}
	}
}

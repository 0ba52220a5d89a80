package querytest

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// stored returns the events as a store has them, which is in one of its stages.
func stored(t *testing.T, seed uint64, events []event.Event) query.Source {
	t.Helper()
	stage := enginetest.Stages[seed%uint64(len(enginetest.Stages))]
	t.Logf("seed %d, %s", seed, stage.Name)
	return sources(t, stage, enginetest.Load{Events: events})[0]
}

// lawsAt is when loads are sent, long after all of their events.
var lawsAt = eventtest.Start.Std().AddDate(0, 2, 0)

// sources makes a store of some loads, and returns each of them as it is then.
func sources(t *testing.T, stage enginetest.Stage, loads ...enginetest.Load) (list []query.Source) {
	t.Helper()
	e, err := stage.Make(loads, [enginetest.StageParts]time.Time{lawsAt, lawsAt, lawsAt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range loads {
		snapshot := e.Snapshot(event.Project(1 + i))
		t.Cleanup(snapshot.Release)
		list = append(list, snapshot)
	}
	return list
}

// Laws that need no model, so that histories may be longer: however events were sent, sealed and merged,
// whatever another project holds, and whether what is over was ever sent, the answers are the same.
func TestProofHowEventsCameDoesNotShow(t *testing.T) {
	seed := enginetest.Seed(t)
	asked, differences := 0, 0
	for round := range enginetest.Figure(t, 2, 30, 300) {
		// The stores of a round are closed before the next: all of them would take more memory than a machine has.
		held := t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(round)))
			k := kinds[round%len(kinds)]
			newLaw(t, r, k).hold(t, k, r, &asked)
		})
		if !held {
			differences++
			t.Errorf("seed %d, round %d", seed, round)
			break
		}
	}
	enginetest.Say(t, "laws of batching, of other projects and of what is over", "seed=%d comparisons=%d differences=%d", seed, asked, differences)
}

// hold asks random questions of a history in all its ways, and counts them.
func (l law) hold(t *testing.T, k kind, r *rand.Rand, asked *int) {
	const questions = 40
	for range questions {
		question := k.ask(r, 0)
		q, err := parse(question)
		if err != nil {
			t.Fatalf("%s: %v", readable(question), err)
		}
		q.Settings().Explain, q.Settings().Replay = false, false
		want := placeless(answer(l.plain, q))
		for name, source := range l.others {
			*asked++
			if got := placeless(answer(source, q)); got != want {
				t.Fatalf("%s\n%s: %s\nplain: %s", readable(question), name, got, want)
			}
		}
		if want := placeless(answer(l.young, q)); placeless(answer(l.aged, q)) != want {
			t.Fatalf("%s\nexpired: %s\nnever sent: %s", readable(question), placeless(answer(l.aged, q)), want)
		}
	}
}

// law is one history in many ways.
type law struct {
	plain  query.Source // live
	others map[string]query.Source
	aged   query.Source // a history of which a part is over
	young  query.Source // one without that part
}

func newLaw(t *testing.T, r *rand.Rand, k kind) law {
	t.Helper()
	var events, noise []event.Event
	for range 5 {
		events = append(events, k.history(r)...)
		noise = append(noise, k.history(r)...)
	}
	for i := range events {
		events[i].ID, events[i].Seq = "", event.Seq(i+1)
	}
	stages := enginetest.Stages
	l := law{plain: sources(t, stages[0], enginetest.Load{Events: events})[0], others: map[string]query.Source{}}
	for _, stage := range stages {
		l.others[stage.Name] = sources(t, stage, enginetest.Load{Events: events})[0]
		l.others[stage.Name+", beside others"] = sources(t, stage, enginetest.Load{Events: noise, Days: r.IntN(99)}, enginetest.Load{Events: events}, enginetest.Load{Events: noise})[1]
	}
	const day = 24 * 3600_000
	stage := stages[r.IntN(len(stages))]
	oldest, today := event.Time(0), event.TimeOf(lawsAt)/day
	if len(events) > 0 {
		oldest = events[r.IntN(len(events))].Time / day
	}
	days := max(1, int(today-oldest))
	kept := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Time < (today-event.Time(days))*day })
	both := sources(t, stage, enginetest.Load{Events: events, Days: days}, enginetest.Load{Events: kept})
	l.aged, l.young = both[0], both[1]
	return l
}

// placeless leaves out of an answer what speaks of positions, as cursors do.
func placeless(answer string) string {
	return positions.ReplaceAllString(strings.TrimSpace(answer), "")
}

var positions = regexp.MustCompile(`,?"(as_of":"[0-9]*|next":"[^"]*)"`)

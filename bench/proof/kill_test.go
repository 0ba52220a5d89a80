package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

const (
	killClients = 4
	// killFolder is how many rounds share a folder: it grows, and starts take longer.
	killFolder = 25
)

// killer kills the server under load, time and again.
type killer struct {
	t      *testing.T
	random *rand.Rand
	data   string
	keys   keys
	server *server

	kills   int
	sends   int
	found   tally
	ready   []time.Duration
	windows int
	base    time.Time
	ledgers []*ledger // of the folder
}

func newKiller(t *testing.T, seed uint64) *killer {
	return &killer{t: t, random: rand.New(rand.NewPCG(seed, 0x6b696c6c)), base: time.Now().Truncate(time.Minute)}
}

// open begins a new folder.
func (k *killer) open() {
	k.t.Helper()
	k.data, k.ledgers = filepath.Join(k.t.TempDir(), "data"), nil
	k.keys = initFolder(k.t, k.data)
	k.start()
}

func (k *killer) start() {
	k.t.Helper()
	k.server = start(k.t, k.data, "--min-free", "0")
	k.ready = append(k.ready, k.server.readyIn)
}

// round sends until the server is killed, starts it again, and compares. Then the clients send again
// what they don't know the outcome of, as any client would, and all must be there once.
func (k *killer) round(noIDs bool) {
	k.t.Helper()
	k.windows++
	l := newLedger(k.base.Add(-time.Duration(k.windows) * time.Minute))
	l.noIDs = noIDs
	k.ledgers = append(k.ledgers, l)
	var stop atomic.Bool
	var clients sync.WaitGroup
	for range killClients {
		random := rand.New(rand.NewPCG(k.random.Uint64(), 1))
		clients.Go(func() { load(k.server, k.keys.SK, l, random, &stop) })
	}
	time.Sleep(time.Duration(k.random.IntN(400)) * time.Millisecond)
	k.server.kill()
	stop.Store(true)
	clients.Wait()
	k.kills++
	if k.random.IntN(8) == 0 { // and once more while it starts
		half, _ := serve(k.t, k.data, "--min-free", "0")
		time.Sleep(time.Duration(k.random.IntN(60)) * time.Millisecond)
		half.kill()
		k.kills++
	}
	k.start()
	k.compare(l)
	for _, events := range l.pending {
		for range 1 + k.random.IntN(3) {
			if !l.send(k.server, k.keys.SK, events) {
				k.t.Errorf("sending again what a kill left open fails: %s", k.server.said())
			}
		}
	}
	if len(l.acked) > 0 && k.random.IntN(2) == 0 { // also what was acknowledged before the kill
		events := l.batch(k.random, 1)
		l.send(k.server, k.keys.SK, events)
		l.send(k.server, k.keys.SK, again(events))
	}
	k.found.acked += k.compare(l).acked
	k.sends += l.sends
}

// compare holds what the server shows of a window against the ledger, and adds what is wrong.
func (k *killer) compare(l *ledger) tally {
	k.t.Helper()
	rows, err := k.server.rows(k.keys.RK, l.from, l.to)
	if err != nil {
		k.t.Fatal(err)
	}
	found := l.compare(rows)
	if found.lost != 0 || found.double != 0 || found.strange != 0 {
		k.t.Logf("after kill %d: %+v", k.kills, found)
	}
	k.found.lost += found.lost
	k.found.double += found.double
	k.found.strange += found.strange
	k.found.unacked += found.unacked
	return found
}

// close counts the whole folder, stops the server politely and checks the folder.
func (k *killer) close() {
	k.t.Helper()
	want := 0
	for _, l := range k.ledgers {
		want += len(l.acked)
	}
	for _, metric := range []string{"count", "uniques"} {
		if got, err := k.server.count(k.keys.RK, metric); err != nil || got != want {
			k.t.Errorf("%s: %d, %v; the ledgers say %d", metric, got, err, want)
		}
	}
	if code, took := k.server.stop(); code != 0 || took > 10*time.Second {
		k.t.Errorf("SIGTERM: exit %d after %v", code, took)
	}
	check(k.t, k.data)
}

// load is one client: it sends new events, and some of its old ones up to four times more, at times
// in the same request, at times in two requests at once.
func load(s *server, key string, l *ledger, random *rand.Rand, stop *atomic.Bool) {
	var old [][]sent
	for !stop.Load() {
		n := 1
		if random.IntN(3) > 0 {
			n += random.IntN(60)
		}
		events := l.batch(random, n)
		request := events
		if len(old) > 0 && random.IntN(3) == 0 {
			request = append(slices.Clone(events), again(old[random.IntN(len(old))])...)
		}
		if random.IntN(10) == 0 {
			twin := make(chan bool, 1)
			go func() { twin <- l.send(s, key, request) }()
			first, second := l.send(s, key, request), <-twin
			if !first && !second {
				l.leave(events)
				return
			}
		} else if !l.send(s, key, request) {
			l.leave(events)
			return
		}
		if random.IntN(4) == 0 {
			old = append(old, events)
		}
		for len(old) > 0 && random.IntN(3) == 0 {
			l.send(s, key, again(old[random.IntN(len(old))]))
		}
	}
}

func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func (k *killer) say(promise string, seed uint64, begin time.Time) {
	k.t.Helper()
	enginetest.Say(k.t, promise, "seed=%d points=%d sent=%d acked=%d lost=%d dup=%d strange=%d unacked=%d starts=%d ready_ms_p50=%d ready_ms_p99=%d points/s=%.1f",
		seed, k.kills, k.sends, k.found.acked, k.found.lost, k.found.double, k.found.strange, k.found.unacked,
		len(k.ready), percentile(k.ready, 50).Milliseconds(), percentile(k.ready, 99).Milliseconds(), float64(k.kills)/time.Since(begin).Seconds())
}

func TestProofKilledServersLoseNothingAndCountNothingTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills the program")
	}
	seed, begin := enginetest.Seed(t), time.Now()
	k := newKiller(t, seed)
	for kills := enginetest.Figure(t, 5, 30, 500); k.kills < kills; {
		k.open()
		for n := 0; n < killFolder && k.kills < kills; n++ {
			k.round(false)
		}
		k.close()
	}
	k.say("R3 R4 R12", seed, begin)
	if k.found.lost != 0 || k.found.double != 0 || k.found.strange != 0 {
		t.Errorf("seed=%d: %+v", seed, k.found)
	}
	if k.found.acked == 0 || k.sends < 2*k.kills {
		t.Error("nothing was sent")
	}
}

// Without an event_id a repeat is an event of its own: the ledger must see that.
func TestProofRepeatsWithoutAnIDAreSeenTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills the program")
	}
	seed, begin := enginetest.Seed(t), time.Now()
	k := newKiller(t, seed)
	k.open()
	for range 3 {
		k.round(true)
	}
	k.say("R4 control: events without an event_id", seed, begin)
	if k.found.double == 0 {
		t.Error("repeats weren't kept apart and nobody saw it: the ledger is blind")
	}
}

func TestALedgerSeesWhatIsLostDoubleOrStrange(t *testing.T) {
	l := newLedger(time.Unix(0, 0))
	events := l.batch(rand.New(rand.NewPCG(1, 1)), 4)
	for _, e := range events[:3] {
		l.acked[e.ID] = true
	}
	l.acked[events[3].ID] = false
	shown := func(e sent) row {
		return row{Name: e.Event, ID: e.ID, AnonymousID: e.AnonymousID, Properties: fmt.Sprintf(`{"id":%q}`, e.ID)}
	}
	changed := shown(events[1])
	changed.Name = "again"
	got := l.compare([]row{shown(events[0]), shown(events[0]), changed, shown(events[3]), {ID: "?"}})
	if want := (tally{acked: 3, lost: 1, double: 1, strange: 2, unacked: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

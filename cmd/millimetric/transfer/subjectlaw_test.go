package transfer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
	"millimetric/query/api"
)

// household is a store of a few people who share devices, beside a plain one that got the same.
type household struct {
	t     *testing.T
	what  string // for failures
	r     *rand.Rand
	gen   *eventtest.Gen
	now   atomic.Int64 // ms
	days  int          // of the retention window; 0 for ever
	e     *engine.Engine
	door  *api.Door
	plain *plain
	taken []event.Event // of erased persons
	cases int
}

// People and devices have odd names, and some the same.
var (
	householdUsers   = []string{"u0", "u1", `ann "<ü>" ` + "\u2028"}
	householdDevices = []string{"v0", "v1", "v2", "tablet\t/é", "u1", "v3"}
)

func newHousehold(t *testing.T, seed uint64, i int) *household {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	h := &household{t: t, what: fmt.Sprintf("seed %d, history %d", seed, i), r: r, gen: eventtest.New(r.Uint64(), 5, 1000)}
	h.plain = &plain{late: map[plainWho]event.Time{}}
	start := int64(eventtest.Start)
	h.now.Store(start)
	var err error
	h.e, err = engine.Open("store", engine.Options{
		FS: vfs.NewMem(), CipherKey: enginetest.CipherKey, SegmentRows: r.IntN(2), MemTableBytes: 64 << 10,
		Now:          func() time.Time { return time.UnixMilli(h.now.Load()) },
		Elapsed:      func() time.Duration { return time.Duration(h.now.Load()-start) * time.Millisecond },
		FreeBytesMin: -1, FreePercentMin: -1, CommitWait: time.Minute,
		Fatal: func(reason string) { panic(reason) },
	})
	h.must(err)
	h.door = &api.Door{Snapshot: func(p event.Project) query.Source { return h.e.Snapshot(p) }, Now: time.Now}
	return h
}

func (h *household) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%s: %v", h.what, err)
	}
}

// events makes some: most of the last days, a few that were or will be, those right at the edge of the window
// among them, and such as were erased before.
func (h *household) events(n int) []event.Event {
	all := h.gen.Events(n)
	now := event.Time(h.now.Load())
	for i := range all {
		e := &all[i]
		e.Time = now - 1 - event.Time(h.r.IntN(3600_000))
		switch h.r.IntN(12) {
		case 0, 1, 2:
			e.Time -= event.Time(h.r.IntN(6 * dayMillis))
		case 3:
			e.Time = max(e.Time-7*dayMillis, h.plain.floor+event.Time(h.r.IntN(3))-1)
		case 4:
			e.Time = now + 60_000 + event.Time(h.r.IntN(20*3600_000))
		}
		e.AnonymousID, e.UserID = householdDevices[h.r.IntN(len(householdDevices))], ""
		if h.r.IntN(3) == 0 {
			e.UserID = householdUsers[h.r.IntN(len(householdUsers))]
		}
		if len(h.taken) > 0 && h.r.IntN(10) == 0 {
			*e = h.taken[h.r.IntN(len(h.taken))] // whether the id of a later one is known isn't promised
			if e.Seq = 0; h.plain.isLate(e) {
				continue
			}
			e.ID = ""
		}
	}
	return all
}

// live lets some time pass with events, and at times seals, merges or shortens the window.
func (h *household) live() {
	h.t.Helper()
	for range 1 + h.r.IntN(4) {
		h.now.Add(h.r.Int64N(10 * 3600_000))
		h.e.Snapshot(1).Release() // so that time doesn't pass at once
		// A longer one wouldn't bring back for certain what is over.
		if days := 3 + h.r.IntN(4); h.r.IntN(4) == 0 && (h.days == 0 || h.days > days) {
			h.days = days
			h.must(h.e.SetRetention(context.Background(), 1, h.days))
		}
		h.look()
		events := h.events(1 + h.r.IntN(25))
		h.plain.append(events)
		h.must(h.e.Append(context.Background(), 1, slices.Clone(events)))
		if h.r.IntN(3) == 0 {
			h.must(h.e.Compact(context.Background()))
		}
	}
}

// look tells the plain store where the window begins: so many whole days before this one.
func (h *household) look() {
	if h.days > 0 {
		h.plain.floor = event.Time(h.now.Load()/dayMillis-int64(h.days)) * dayMillis
	}
}

// people are all that can be asked about.
func (h *household) people() (all []engine.Person) {
	for _, id := range append([]string{"nobody"}, householdUsers...) {
		all = append(all, engine.Person{UserID: id})
	}
	for _, id := range append([]string{"nobody"}, householdDevices...) {
		all = append(all, engine.Person{AnonymousID: id})
	}
	return all
}

// subject is what the store answers about somebody.
func (h *household) subject(who engine.Person, format query.Format) string {
	h.t.Helper()
	name, id := "anonymous_id", who.AnonymousID
	if who.UserID != "" {
		name, id = "user_id", who.UserID
	}
	form, err := query.FormOfParams(func(yield func(name, value string) bool) { yield(name, id) })
	h.must(err)
	subject, err := query.ParseSubject(form)
	h.must(err)
	s := subjectStream(h.door.All(context.Background(), 1, subject), subject, format)
	if len(h.plain.events) > 0 { // small ones, so that there are several
		s.batch = 1 + h.r.IntN(40)
	}
	s.patience, s.failed = func(time.Duration) {}, func(err error) { h.must(err) }
	h.must(s.begin())
	var out bytes.Buffer
	_, err = s.WriteTo(&out)
	h.must(err)
	return out.String()
}

// agree holds what the store answers about everybody against the plain one, and returns it.
func (h *household) agree(when string) map[engine.Person]string {
	h.t.Helper()
	all := map[engine.Person]string{}
	for _, who := range h.people() {
		all[who] = h.subject(who, query.FormatNDJSON)
		if want := h.plain.subject(h.t, who); all[who] != want {
			h.t.Fatalf("%s: %s, of %+v: %s", h.what, when, who, firstDifference(all[who], want))
		}
		h.cases++
	}
	return all
}

// erase erases somebody, and looks at what that has done.
func (h *household) erase() {
	h.t.Helper()
	before := h.agree("before")
	people := h.people()
	who := people[h.r.IntN(len(people))]
	shown := h.plain.of(who)
	x, err := h.e.Erase(context.Background(), 1, who)
	h.must(err)
	if x.Events != len(shown) {
		h.t.Fatalf("%s: the receipt says %d events of %+v, the subject showed %d", h.what, x.Events, who, len(shown))
	}
	h.plain.erase(who, x.Before, h.e.LastErasure(1))
	h.taken = append(h.taken, shown...)
	after := h.agree("erased")
	empty := fmt.Sprintf(`{"kind":"end","as_of":"%d","events":0,"links":0,"devices":0,"visits":0,"sums_whole":true}`+"\n", h.plain.last)
	if after[who] != empty {
		h.t.Fatalf("%s: %+v was erased, and is shown:\n%s", h.what, who, after[who])
	}
	for other, answer := range before {
		// Users share devices, but no events; so do visitors share users. A device's first link may be with another
		// user now, but which events are whose stays.
		if got, want := eventsOf(after[other]), eventsOf(answer); (other.UserID == "") == (who.UserID == "") && other != who && got != want {
			h.t.Fatalf("%s: %+v was erased, and the answer about %+v changed: %s", h.what, who, other, firstDifference(got, want))
		}
	}
	h.gone(x.Receipt, len(shown))
}

// eventsOf are the lines of events.
func eventsOf(answer string) string {
	events, _, _ := strings.Cut(answer, `{"kind":"link"`)
	events, _, _ = strings.Cut(events, `{"kind":"device"`)
	return events
}

// firstDifference are the first lines in which two answers differ.
func firstDifference(got, want string) string {
	lines, others := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range lines {
		if i >= len(others) || lines[i] != others[i] {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i+1, lines[i], strings.Join(others[min(i, len(others)):min(i+1, len(others))], ""))
		}
	}
	return fmt.Sprintf("it ends after %d lines", len(lines))
}

// gone has the bytes leave the disk, at times, which changes no answer.
func (h *household) gone(receipt string, events int) {
	h.t.Helper()
	if h.r.IntN(2) == 0 {
		return
	}
	left := 1
	for tries := 0; left > 0 && tries < 1000; tries++ { // the store's own goroutines may be at it, too
		var err error
		left, err = h.e.FinishErasures(context.Background())
		h.must(err)
		time.Sleep(time.Duration(tries) * time.Millisecond)
	}
	x, err := h.e.Erasure(receipt)
	h.must(err)
	if left > 0 || x.Gone == 0 || x.Residue != 0 || x.Events != events {
		h.t.Fatalf("%s: %d erasures are left; %+v", h.what, left, x)
	}
	h.agree("gone")
}

// What subject shows of somebody is what an erasure takes, and neither is about anybody else.
func TestProofWhatSubjectShowsIsWhatForgetTakes(t *testing.T) {
	seed, cases, erased, begin := enginetest.Seed(t), 0, 0, time.Now()
	histories := enginetest.Figure(t, 4, 20, 400)
	for i := range histories {
		h := newHousehold(t, seed, i)
		for range 1 + h.r.IntN(4) {
			h.live()
			h.erase()
			erased++
		}
		h.live()
		h.agree("later")
		cases += h.cases
		h.must(h.e.Close())
	}
	enginetest.Say(t, "P6", "seed=%d histories=%d erased=%d subjects equal to a scan, byte by byte=%d mismatches=0 took=%v", seed, histories, erased, cases, time.Since(begin).Round(time.Millisecond))
	if cases < 20*histories {
		t.Errorf("seed %d: only %d cases", seed, cases)
	}
}

// subjectMax is what all that is kept on a person of ten thousand events may take.
const subjectMax = 10 * time.Second

func TestProofASubjectOfTenThousandEventsTakesLittleTime(t *testing.T) {
	const own, devices = 10_000, 3
	seed := enginetest.Seed(t)
	others := enginetest.Figure(t, 10_000, 40_000, 400_000)
	h := newHousehold(t, seed, 0)
	for sent, each := 0, 10_000; sent < others; sent += each {
		h.must(h.e.Append(context.Background(), 1, h.gen.Events(each)))
		if sent%(4*each) == 0 {
			h.must(h.e.Compact(context.Background())) // as it would be in the course of months
		}
	}
	events := h.gen.Events(own)
	for i := range events {
		events[i].AnonymousID, events[i].UserID = fmt.Sprint("her device ", i%devices), ""
		if i%2 == 0 {
			events[i].UserID = "she"
		}
	}
	h.must(h.e.Append(context.Background(), 1, events))
	h.must(h.e.Compact(context.Background()))
	begin := time.Now()
	answer := h.subject(engine.Person{UserID: "she"}, query.FormatNDJSON)
	took := time.Since(begin)
	h.must(h.e.Close())
	if got := strings.Count(answer, "\n"+`{"kind":"event"`) + 1; got != own || took > subjectMax {
		t.Errorf("seed %d: %d events in %v", seed, got, took)
	}
	enginetest.Say(t, "P6", "seed=%d a subject of %d events among %d took=%v", seed, own, own+others, took.Round(time.Millisecond))
}

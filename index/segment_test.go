package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// rowsOf numbers the visitors of events in the order in which they come.
func rowsOf(events []event.Event) []Row {
	ordinals := map[string]uint32{}
	rows := make([]Row, len(events))
	for i := range events {
		id := events[i].AnonymousID
		if _, ok := ordinals[id]; !ok {
			ordinals[id] = uint32(len(ordinals))
		}
		events[i].Seq = event.Seq(i + 1)
		rows[i] = Row{&events[i], ordinals[id]}
	}
	return rows
}

// hostile puts values into events that no door lets through: the segment must not depend on them.
func hostile(r *rand.Rand, events []event.Event) {
	values := []string{"", "\x00", "\xff\xfe", strings.Repeat("ü", 1500), "\"\n", "https://", "://x", "/a?b#c", "0190163d8694739baea5966c26f8ad91", "-", "{}", `{"a":1,"a":2}`, `{"a" 1}`}
	for i := range events {
		e := &events[i]
		fields := []*string{
			&e.Name, &e.ID, &e.UserID, &e.SessionID, &e.URL, &e.Path, &e.Referrer, &e.Source, &e.Medium, &e.Campaign,
			&e.SourceConfidence, &e.SourceRule, &e.Country, &e.Device, &e.Browser, &e.OS, &e.IPHash, &e.Bot, &e.Properties,
		}
		for range r.IntN(6) {
			*fields[r.IntN(len(fields))] = values[r.IntN(len(values))]
		}
		if r.IntN(5) == 0 {
			e.Path = "/a"
			e.URL = values[r.IntN(len(values))] + "/a?q"
			e.SessionDerived = !e.SessionDerived
		}
		if r.IntN(20) == 0 {
			e.Time = event.Time(r.Int64N(int64(event.TimeMax)))
		}
	}
}

// cases are lists of events of every shape that a segment may have.
func cases() map[string][]Row {
	all := map[string][]Row{}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		events := eventtest.New(seed, 1+r.IntN(400), 1+r.IntN(60000)).Events(1 + r.IntN(3000))
		if seed%2 == 0 {
			hostile(r, events)
		}
		all[fmt.Sprint("random, seed ", seed)] = rowsOf(events)
	}
	all["one row"] = rowsOf(eventtest.New(1, 1, 1).Events(1))
	all["nothing but a position"] = rowsOf(make([]event.Event, 1))
	empty := make([]event.Event, 700)
	all["empty everything"] = rowsOf(empty)
	all["one visitor"] = rowsOf(eventtest.New(2, 1, 5000).Events(2500))
	unique := eventtest.New(3, 5, 1000).Events(4000)
	for i := range unique {
		e := &unique[i]
		n := fmt.Sprint(i)
		e.AnonymousID, e.Name, e.UserID, e.SessionID, e.URL, e.Path, e.Referrer = "a"+n, "n"+n, "u"+n, "s"+n, "https://x.y/"+n+"?"+n, "/"+n, "r"+n
		e.Source, e.Medium, e.Campaign, e.Country, e.Browser, e.Bot, e.ID, e.IPHash = n, n, n, n, n, n, n, n
		e.Properties = `{"n":` + n + `,"t":"` + n + `","k` + n + `":true}`
	}
	all["all unique"] = rowsOf(unique)
	spread := rowsOf(eventtest.New(4, 900, 1000).Events(2000))
	for i := range spread {
		spread[i].Ordinal *= 4_000_000
	}
	all["ordinals far apart"] = spread
	all["traffic"] = newTraffic(5, 1000).day(6000, true)
	return all
}

// sorted returns rows as a segment has them, in memory of their own.
func sorted(rows []Row) []Row {
	var s sorter
	return s.sorted(rows)
}

func sameEvents(t *testing.T, name string, s *Segment, rows []Row) {
	t.Helper()
	want := sorted(rows)
	reader, err := s.Reader()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i := range want {
		got, ordinal, err := reader.Event(uint32(i))
		if err != nil {
			t.Fatalf("%s: row %d: %v", name, i, err)
		}
		if got != *want[i].Event || ordinal != want[i].Ordinal {
			t.Fatalf("%s: row %d is\n%+v of %d, want\n%+v of %d", name, i, got, ordinal, *want[i].Event, want[i].Ordinal)
		}
	}
}

func TestEventsComeBackAsTheyWere(t *testing.T) {
	all := cases()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		rows := all[name]
		built := Build(rows, BuildOptions{})
		s, err := Open(built)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Rows() != len(rows) {
			t.Fatalf("%s: %d rows of %d", name, s.Rows(), len(rows))
		}
		sameEvents(t, name, s, rows)
		if err := s.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestManyRowsComeBackAsTheyWere(t *testing.T) {
	rows := newTraffic(9, 20000).day(200_000, false)
	built := Build(rows, BuildOptions{})
	s, err := Open(built)
	if err != nil {
		t.Fatal(err)
	}
	sameEvents(t, "200k", s, rows)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for i, section := range built.Sections {
		total += len(section)
		if len(section) > 256<<10+1024 {
			t.Errorf("section %d has %d bytes", i, len(section))
		}
	}
	sent := 0
	for _, r := range rows {
		sent += len(asSent(t, r.Event))
	}
	t.Logf("%d rows of %d visitors, %d sections, %.2f bytes per event (%d of JSON)", s.Rows(), s.Visitors(), len(built.Sections), float64(total)/float64(s.Rows()), sent/s.Rows())
	if total > 27*s.Rows() {
		t.Errorf("%d bytes for %d events: a change made segments grow", total, s.Rows())
	}
	for _, kind := range slices.Sorted(maps.Keys(built.Sizes)) {
		t.Logf("%8.3f  %s", float64(built.Sizes[kind])/float64(s.Rows()), kind)
	}
}

// asSent is an event as a client would have sent it.
func asSent(t *testing.T, e *event.Event) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"event_name": e.Name, "anonymous_id": e.AnonymousID, "session_id": e.SessionID, "url": e.URL, "referrer": e.Referrer,
		"timestamp": e.Time.Std(), "properties": json.RawMessage(e.Properties),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheSameRowsInAnyOrderMakeTheSameBytes(t *testing.T) {
	rows := newTraffic(3, 100).day(3000, true)
	first := Build(rows, BuildOptions{})
	r := rand.New(rand.NewPCG(8, 8))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	second := Build(rows, BuildOptions{})
	if !slices.EqualFunc(first.Sections, second.Sections, slices.Equal[[]byte]) {
		t.Error("the order of the rows given shows")
	}
}

func TestABuilderForgetsWhatItHasBuilt(t *testing.T) {
	all := cases()
	var again Builder
	for range 2 {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			opt := BuildOptions{TypedMax: len(name) % 4}
			got, want := again.Build(all[name], opt), Build(all[name], opt)
			if !slices.EqualFunc(got.Sections, want.Sections, slices.Equal[[]byte]) || !maps.Equal(got.Sizes, want.Sizes) {
				t.Fatalf("%s: the segment shows what was built before", name)
			}
		}
		mistake := []Row{all["traffic"][0], all["traffic"][0]}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a row twice was built")
				}
			}()
			again.Build(mistake, BuildOptions{})
		}()
	}
}

// answersLikeEvents compares everything that is read without making events with the events.
func TestColumnsSayWhatTheEventsSay(t *testing.T) {
	rows := sorted(newTraffic(4, 500).day(ChunkRows+5000, false))
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	columns := []event.Column{event.ColumnName, event.ColumnUserID, event.ColumnPath, event.ColumnReferrer, event.ColumnCountry, event.ColumnDevice, event.ColumnSource, event.ColumnCampaign, event.ColumnSourceRule}
	var codes []uint32
	var times []event.Time
	var seqs []event.Seq
	for chunk := range s.Chunks() {
		from, to := s.ChunkBounds(chunk)
		if times, err = s.Times(chunk, times); err != nil {
			t.Fatal(err)
		}
		if seqs, err = s.Seqs(chunk, seqs); err != nil {
			t.Fatal(err)
		}
		for row := from; row < to; row++ {
			if e := rows[row].Event; times[row-from] != e.Time || seqs[row-from] != e.Seq {
				t.Fatalf("row %d is of %d and %d", row, times[row-from], seqs[row-from])
			}
		}
		for _, c := range columns {
			d := s.Dict(c)
			if codes, err = s.Codes(c, runs, chunk, codes); err != nil {
				t.Fatal(err)
			}
			for row := from; row < to; row++ {
				want, _ := rows[row].Event.Text(c)
				if got, err := d.At(codes[row-from]); err != nil || got != want {
					t.Fatalf("row %d, column %s: %q, %v", row, c, got, err)
				}
				if row%1000 == 0 {
					if code, found, err := d.Find(want); err != nil || !found || code != codes[row-from] || !s.MayHold(c, want) {
						t.Fatalf("%q isn't found in column %s: %v", want, c, err)
					}
				}
			}
		}
	}
	for _, c := range columns {
		if _, found, err := s.Dict(c).Find("no such value"); found || err != nil {
			t.Errorf("column %s has what it hasn't: %v", c, err)
		}
	}
	if s.MayHold(event.ColumnName, "zzz") || s.MayHold(event.ColumnCountry, "??") {
		t.Error("the header doesn't rule out what no row has")
	}
}

func TestSessionsHaveOneNumberEach(t *testing.T) {
	events := eventtest.New(6, 40, 200_000).Events(3000)
	rows := sorted(rowsOf(events))
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	codes, err := s.SessionCodes(runs, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	byID, byCode := map[string]uint32{}, map[uint32]string{}
	for i, r := range rows {
		id := r.Event.AnonymousID + "\x00" + r.Event.SessionID
		code, known := byID[id]
		if other, taken := byCode[codes[i]]; known && code != codes[i] || taken && other != id {
			t.Fatalf("row %d: session %q has number %d", i, id, codes[i])
		}
		byID[id], byCode[codes[i]] = codes[i], id
	}
}

func TestCommonPropertiesBecomeColumns(t *testing.T) {
	rows := sorted(newTraffic(4, 500).day(5000, false))
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	amount, load, screen := s.Property("amount_cents"), s.Property("load_ms"), s.Property("screen")
	if amount == nil || load == nil || screen == nil || amount.Kind != PropertyNumbers || screen.Kind != PropertyValues || screen.Count != len(rows) {
		t.Fatalf("columns are %v", s.PropertyNames())
	}
	if price := s.Property("price"); price == nil || price.Kind != PropertyNumbers || price.Scale != 2 {
		t.Errorf("price is %+v", price)
	}
	numbers, err := load.Numbers()
	if err != nil {
		t.Fatal(err)
	}
	set, err := load.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range set.Numbers() {
		if want := fmt.Sprintf(`"load_ms":%d}`, numbers[i]); !strings.HasSuffix(rows[row].Event.Properties, want) {
			t.Fatalf("row %d: %d, %s", row, numbers[i], rows[row].Event.Properties)
		}
	}
	if none, err := Open(Build(rows, BuildOptions{TypedMax: -1})); err != nil || len(none.PropertyNames()) != 0 {
		t.Errorf("columns nobody asked for: %v", err)
	}
}

func TestMembersOfObjectsAreTakenAsTheyStand(t *testing.T) {
	for object, want := range map[string]string{
		`{}`: "", `{"a":1}`: "a=1;", `{"a":"x\"}","b":[1,{"c":"]"}],"":null}`: `a="x\"}";b=[1,{"c":"]"}];=null;`,
		`{"\u0061":true,"a.b":-1.5e3}`: "a=true;a.b=-1.5e3;",
	} {
		var got strings.Builder
		if !walkObject(object, func(name string, start, end int) bool {
			got.WriteString(name + "=" + object[start:end] + ";")
			return true
		}) || got.String() != want {
			t.Errorf("%s: %s", object, got.String())
		}
	}
	for _, bad := range []string{"", "{", "[]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 }`, `{a:1}`, `{"a":"x}`, `{"a":[1}`, `{"a":tru}`, "\xff", `{,}`} {
		if walkObject(bad, func(string, int, int) bool { return true }) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestNumbersAreKeptWhereThatIsExact(t *testing.T) {
	for text, want := range map[string][2]int64{
		"0": {0, 0}, "-0": {0, 0}, "12": {12, 0}, "-1.50": {-150, 2}, "0.000000001": {1, 9}, "1000000000000000000": {1e18, 0},
	} {
		if n, places, ok := parseNumber(text); !ok || n != want[0] || int64(places) != want[1] {
			t.Errorf("%s: %d, %d, %v", text, n, places, ok)
		}
	}
	for _, text := range []string{"", "-", "1e3", "0.0000000001", "9999999999999999999", `"1"`, "true", "1.", "1.2.3"} {
		if _, _, ok := parseNumber(text); ok {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestMistakesOfTheCallerPanic(t *testing.T) {
	e, f := event.Event{Seq: 1, AnonymousID: "a"}, event.Event{Seq: 2, AnonymousID: "b"}
	for name, rows := range map[string][]Row{"no rows": nil, "two visitors": {{&e, 1}, {&f, 1}}, "a row twice": {{&e, 1}, {&e, 1}}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was built")
				}
			}()
			Build(rows, BuildOptions{})
		})
	}
}

func TestASectionThatCantBeReadIsNoDamage(t *testing.T) {
	lost := errors.New("disk gone")
	if _, err := Open(failing{lost}); !errors.Is(err, lost) || errors.Is(err, event.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Section(SectionID) ([]byte, error) { return nil, f.err }

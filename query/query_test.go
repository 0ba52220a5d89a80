package query

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"millimetric/index"
	"millimetric/index/event"
)

func TestDecimalsCompareAsTheNumbersTheyAre(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 100_000 {
		a, b := randomNumber(r), randomNumber(r)
		if got, want := compared(a, b), rational(a).Cmp(rational(b)); got != want {
			t.Fatalf("seed %d: %s and %s: got %d, want %d", seed, a, b, got, want)
		}
	}
}

func compared(a, b string) int {
	var x, y decimal
	x.read(a)
	y.read(b)
	return max(-1, min(1, x.compare(&y)))
}

func rational(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no number: " + text)
	}
	return n
}

// randomNumber makes short numbers, so that equal ones in different writing are common.
func randomNumber(r *rand.Rand) string {
	text := ""
	if r.IntN(2) == 0 {
		text = "-"
	}
	text += fmt.Sprint(r.IntN(3) * []int{1, 10, 100}[r.IntN(3)])
	if r.IntN(2) == 0 {
		text += fmt.Sprintf(".%0*d", 1+r.IntN(3), r.IntN(10))
	}
	if r.IntN(2) == 0 {
		text += fmt.Sprintf("%c%s%02d", "eE"[r.IntN(2)], []string{"", "+", "-"}[r.IntN(3)], r.IntN(4))
	}
	return text
}

func TestExponentsOfAnySizeCompareAtOnce(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1e999999999", "1e999999998", 1}, {"-1e999999999", "1", -1}, {"1e-999999999", "0", 1}, {"0e999999999999999999999", "0", 0},
		{"1e99999999999999999999999999", "9e999999999", 1}, {"1e-99999999999999999999999999", "1e-999999999", -1}, {"10e999999998", "1e999999999", 0},
	} {
		if got := compared(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Buckets must follow each other without gaps or overlaps, whatever the clocks do, and must not
// depend on the order in which moments are asked for.
func TestBucketsFollowEachOtherWithoutGaps(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Pyongyang", "America/Caracas"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for interval, years := range map[Interval]int{IntervalHour: 1, IntervalDay: 12, IntervalWeek: 12, IntervalMonth: 12} {
			c := newCalendar(interval, zone)
			first := event.TimeOf(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC))
			if interval == IntervalHour {
				first = event.TimeOf(time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC))
			}
			last := first + event.Time(years)*365*24*3600_000
			for at := first; at < last; {
				start, end := c.bounds(at)
				if start > at || end <= at || at != first && start != at {
					t.Fatalf("%s %s: the bucket at %v is %v to %v", name, interval, at.Std(), start.Std(), end.Std())
				}
				for _, within := range []event.Time{end - 1, min(start+60_000, end-1), (start + end) / 2} {
					if again, _ := c.bounds(within); again != start {
						t.Fatalf("%s %s: %v lies in buckets that begin at %v and at %v", name, interval, within.Std(), start.Std(), again.Std())
					}
				}
				at = end
			}
		}
	}
}

func TestBucketsAreNumberedAlikeInAnyOrder(t *testing.T) {
	c := newCalendar(IntervalHour, time.UTC)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		at := event.Time(r.IntN(300 * 3600_000))
		if start := c.starts[c.number(at)]; start != at-at%3600_000 {
			t.Fatalf("seed %d: %v falls into the hour of %v", seed, at.Std(), start.Std())
		}
	}
	if len(c.starts) > 300 {
		t.Errorf("seed %d: 300 hours got %d numbers", seed, len(c.starts))
	}
}

func TestPropertiesAreFoundHoweverTheirNamesAreSpelt(t *testing.T) {
	for _, c := range []struct{ object, name, want string }{
		{`{}`, "a", ``},
		{`{"b":{"a":1},"a":2}`, "a", `2`},
		{`{"b":"a","c":1}`, "a", ``},
		{`{"\u0061":"x"}`, "a", `"x"`},
		{`{"a\"b":1}`, `a"b`, `1`},
		{`{"":1}`, "", `1`},
		{`{"a":{"":{"b":[1,{"c":2}]}}}`, "a..b", `[1,{"c":2}]`},
		{`{"a":{"b":null}}`, "a.b", `null`},
		{`{"a":{"\u0062":3}}`, "a.b", `3`},
		{`{"ü":{"ß":1e5}}`, "ü.ß", `1e5`},
		{`{"a":1}`, "a.b", ``},
	} {
		if got := newPropertyReader(c.name).find(c.object); got != c.want {
			t.Errorf("%s in %s: got %s, want %s", c.name, c.object, got, c.want)
		}
	}
}

func TestFindingAPropertyMakesNoGarbage(t *testing.T) {
	test := newPropertyTest(Filter{Property: "nested.deep", Op: OpEq, Values: []Literal{{Kind: LiteralNumber, Text: "3"}}})
	object := `{"tags":["a","b"],"nested":{"deep":3.0},"more":"text"}`
	allocs := testing.AllocsPerRun(100, func() {
		if !test.equals(test.reader.find(object)) {
			t.Fatal("not found")
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per event", allocs)
	}
}

func TestAQuestionThatNeedsTooMuchMemoryIsRefused(t *testing.T) {
	r := &run{ctx: context.Background()}
	if err := r.overBudget(entriesMax); err != nil {
		t.Errorf("within the budget: %v", err)
	}
	var e *event.Error
	if err := r.overBudget(entriesMax + 1); !errors.As(err, &e) || e.Code != "query_too_large" || !errors.Is(err, event.ErrLimit) {
		t.Errorf("over the budget: %v", err)
	}
}

// heavy yields events with as many properties as one may have.
type heavy struct{ left int }

func (h *heavy) AsOf() event.Seq { return 1 }

func (h *heavy) Floor() event.Time { return event.TimeMin }

func (h *heavy) Segments(_, _ event.Time) []*index.Segment { return nil }

func (h *heavy) Live(_, _ event.Time, yield func(*event.Event, uint32) bool) error {
	e := event.Event{Seq: 1, Properties: `{"x":"` + strings.Repeat("y", 8000) + `"}`}
	for h.left > 0 && yield(&e, 0) {
		h.left--
	}
	return nil
}

func (h *heavy) Visitors() uint32 { return 1 }

func (h *heavy) Links(func(event.Link) bool) error { return nil }

// With many filters a few events are as much work as many otherwise: a hundred must not go by
// without a look at the time.
func TestManyFiltersOverLargePropertiesEndWithTheBudgetToo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	var some []Filter
	for range filtersMax - 1 {
		some = append(some, Filter{Property: "x", Op: OpContains, Values: []Literal{{Kind: LiteralText, Text: "z"}}})
	}
	question := &Stats{Common: Common{To: 1, Zone: time.UTC, Filters: []Filter{{Join: JoinOr, Of: some}}}, Metric: MetricCount, Limit: 1}
	source := &heavy{left: 100}
	var e *event.Error
	if _, err := Run(ctx, source, question); !errors.As(err, &e) || e.Code != codeTooLarge || source.left < 90 {
		t.Errorf("%d of 100 events were left: %v", source.left, err)
	}
}

func TestACancelledQuestionIsNoClientsError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (&run{ctx: ctx}).overBudget(0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestZonesAreNamesAndNotFiles(t *testing.T) {
	for name, want := range map[string]bool{
		"UTC": true, "Europe/Berlin": true, "America/Argentina/Buenos_Aires": true, "Etc/GMT+5": true, "EST5EDT": true, "America/Port-au-Prince": true,
		"Local": false, "": false, "/etc/localtime": false, "posixrules": false, "right/UTC": false, "Europe/../UTC": false, "Europe//Berlin": false, "Factory": false,
	} {
		if got := isZoneName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

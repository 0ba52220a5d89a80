package querytest

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"millimetric/index"
	"millimetric/index/event"
	"millimetric/query"
)

// The questions that the project holds itself against, over segments by day as a store makes them: ninety
// days of traffic, of which the last thirty are asked about. Segments are read from memory, which is what a
// warm store does too.
//
//	go test ./query/querytest -run - -bench Speed -speed-rows 3000000

var (
	speedRows   = flag.Int("speed-rows", 900_000, "how many events BenchmarkSpeed has, of ninety days")
	speedBefore = flag.Int("speed-before", 2, "how often BenchmarkSpeed asks each question before it measures: some things are kept from the second time on")
	speedParts  = flag.Int("speed-parts", 1, "how many segments each day has, of which each also holds late events of those before")
)

const (
	speedDays = 90
	dayLength = 24 * 3600 * 1000
)

const (
	usOnly   = `filters=[{"field":"country","op":"eq","value":"US"}]`
	usMobile = `filters=[{"field":"country","op":"eq","value":"US"},{"field":"device_type","op":"eq","value":"mobile"}]`
)

// speedQuestions are asked about the last thirty of the days.
var speedQuestions = []struct{ name, question string }{
	{"Q1 events by day", "stats?interval=day"},
	{"Q2 uniques", "stats?metric=uniques"},
	{"Q2f uniques of a country", "stats?metric=uniques&" + usOnly},
	{"Q3 uniques by day", "stats?metric=uniques&interval=day"},
	{"Q4 source by medium", "sources?"},
	{"Q5 paths of a country and device", "stats?metric=uniques&group_by=path&limit=100&" + usMobile},
	{"Q6 funnel of 3", "funnel?window=7d&step=$pageview&step=add_to_cart&step=purchase"},
	{"Q7 funnel of 5 by first touch", "funnel?breakdown=first_touch.source&step=$pageview&step=view_item&step=add_to_cart&step=checkout&step=purchase"},
	{"Q8 first touch ever", "attribution?lookback=0&models=first&value=properties.amount_cents&conversion=purchase"},
	{"Q9 last non-direct", "attribution?models=last_non_direct&value=properties.amount_cents&conversion=purchase"},
	{"Q10 linear", "attribution?models=linear&value=properties.amount_cents&conversion=purchase"},
	{"Q10a all models but one", "attribution?models=first,last,last_non_direct,linear,position,time_decay,participation&value=properties.amount_cents&conversion=purchase"},
	{"Q10d data driven", "attribution?models=data_driven&value=properties.amount_cents&conversion=purchase"},
	{"Q11 weekly retention", "retention?birth=$pageview&return=$pageview&period=week"},
	{"Q12 events of a user", "query?limit=100&user_id=u400"},
	{"Q12b events of a regular", "query?limit=100&user_id=u100"},
}

func BenchmarkSpeed(b *testing.B) {
	source := speedSource(*speedRows)
	days := fmt.Sprintf("&from=%s&to=%s", event.Time(60*dayLength+speedStart).Std().Format("2006-01-02"), event.Time(speedDays*dayLength+speedStart).Std().Format("2006-01-02"))
	for _, c := range speedQuestions {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			cost := explained(b, source, c.question+days)
			memo := query.NewMemo(32 << 20)
			ask := func() {
				q, err := parse(c.question + days)
				if err != nil {
					b.Fatal(err)
				}
				q.Settings().Memo = memo
				if _, err := query.Run(b.Context(), source, q); err != nil {
					b.Fatal(err)
				}
			}
			for range *speedBefore {
				ask()
			}
			start := cpu()
			for b.Loop() {
				ask()
			}
			b.ReportMetric(float64(cost.Scanned), "scanned")
			b.ReportMetric(float64(cost.BytesRead), "read-bytes")
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/1e6, "cpu-ms/op")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*speedRows/3), "ns/row")
		})
	}
}

func explained(b *testing.B, source query.Source, question string) query.Cost {
	b.Helper()
	q, err := parse(question)
	if err != nil {
		b.Fatal(err)
	}
	q.Settings().Explain = true
	answer, err := query.Run(b.Context(), source, q)
	if err != nil {
		b.Fatal(err)
	}
	return answer.Explain.Cost
}

const speedStart event.Time = 1767225600000 // 2026-01-01

// speedSource makes a source with that many events, one segment for each day.
func speedSource(rows int) *Sealed {
	s := &Sealed{Least: event.TimeMin, ordinals: map[string]uint32{}}
	t := newTraffic(rows / 12)
	perDay := rows / speedDays
	parts := *speedParts
	segments := make([]*index.Segment, speedDays*parts)
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.NumCPU())
	var cut [][]index.Row
	for i := range segments {
		if i%parts == 0 {
			all := t.day(speedStart+event.Time(i/parts)*dayLength, perDay)
			s.last = all[len(all)-1].Event.Seq
			cut = lateParts(all, parts)
		}
		list := cut[i%parts]
		room <- struct{}{}
		wait.Go(func() {
			segment, err := index.Open(index.Build(list, index.BuildOptions{}))
			if err != nil {
				panic("querytest: open what was built: " + err.Error())
			}
			segments[i] = segment
			<-room
		})
	}
	wait.Wait()
	s.segments = segments
	runtime.GC()
	return s
}

// lateParts cuts a day in parts, by time but for each hundredth event, which comes in the last one.
func lateParts(rows []index.Row, parts int) [][]index.Row {
	cut := make([][]index.Row, parts)
	for i, row := range rows {
		part := i * parts / len(rows)
		if i%100 == 0 {
			part = parts - 1
		}
		cut[part] = append(cut[part], row)
	}
	return cut
}

// traffic makes visits day by day: few names and sources, thousands of paths, and one new visitor in twelve
// events, of whom few come back often.
type traffic struct {
	random    *rand.Rand
	paths     *rand.Zipf
	met, most int // visitors
	seq       event.Seq
}

func newTraffic(visitors int) *traffic {
	r := rand.New(rand.NewPCG(7, 0x73706565))
	return &traffic{random: r, paths: rand.NewZipf(r, 1.2, 4, 4999), most: visitors}
}

// regular is a visitor who comes so many times a day, however many others there are, and is logged in.
const (
	regular       = 700
	regularVisits = 2
)

// day makes the rows of a day, in the order of their arrival.
func (t *traffic) day(start event.Time, rows int) []index.Row {
	list, came := make([]index.Row, 0, rows), 0
	for len(list) < rows {
		at := start + event.Time(len(list))*dayLength/event.Time(rows)
		visitor := t.met
		switch {
		case t.met > regular && len(list)*regularVisits/rows >= came:
			visitor = regular
			came++
		case t.met > 0 && (t.met >= t.most || t.random.Float64() > 0.38):
			visitor = int(float64(t.met) * (1 - math.Pow(t.random.Float64(), 3)))
		default:
			t.met++
		}
		list = t.visit(list, uint32(visitor), at, start+dayLength-1, rows)
	}
	return list
}

func (t *traffic) visit(list []index.Row, visitor uint32, at, end event.Time, rows int) []index.Row {
	r := t.random
	touch := trafficTouches[min(r.IntN(len(trafficTouches)), r.IntN(len(trafficTouches)))]
	who := "visitor-" + strconv.Itoa(int(visitor)*7919)
	session := who[8:] + "-" + strconv.FormatInt(int64(at)/1000, 36)
	derived := r.IntN(3) > 0
	for n := 0; len(list) < rows && (n == 0 || r.Float64() < 0.78); n++ {
		t.seq++
		e := &event.Event{Seq: t.seq, Time: min(at, end), AnonymousID: who, SessionID: session, SessionDerived: derived,
			Source: touch[0], Medium: touch[1], Campaign: touch[2], SourceConfidence: "high", SourceRule: touch[3]}
		e.Country, e.Device = trafficCountries[skew(visitor, 1, len(trafficCountries))], trafficDevices[skew(visitor, 2, len(trafficDevices))]
		e.Browser, e.OS = trafficBrowsers[skew(visitor, 3, len(trafficBrowsers))], trafficSystems[skew(visitor, 4, len(trafficSystems))]
		if visitor%7 == 0 {
			e.UserID = "u" + strconv.Itoa(int(visitor)/7)
		}
		if visitor%50 == 49 {
			e.Bot = "crawler"
		}
		t.act(e)
		list = append(list, index.Row{Event: e, Ordinal: visitor})
		at += event.Time(1000 + r.IntN(120_000))
	}
	return list
}

// act fills in what the visitor does.
func (t *traffic) act(e *event.Event) {
	r := t.random
	e.Name, e.Properties = event.EventPageview, "{}"
	switch n := r.IntN(1000); {
	case n < 4:
		e.Name, e.Properties = "purchase", fmt.Sprintf(`{"amount_cents":%d,"currency":"EUR"}`, 500+r.IntN(20000))
	case n < 13:
		e.Name = "checkout"
	case n < 40:
		e.Name, e.Properties = "add_to_cart", fmt.Sprintf(`{"sku":"sku-%d","quantity":%d}`, r.IntN(500), 1+r.IntN(3))
	case n < 150:
		e.Name, e.Properties = "view_item", fmt.Sprintf(`{"sku":"sku-%d"}`, r.IntN(500))
	case n < 310:
		e.Name = "event_" + strconv.Itoa(r.IntN(15))
	}
	e.Path = "/p/" + strconv.FormatUint(t.paths.Uint64(), 10)
	e.URL = "https://shop.example" + e.Path
	if e.Source != "direct" {
		e.Referrer = "https://" + e.Source + "/"
	}
}

// skew picks the least numbers most often.
func skew(visitor uint32, salt, n int) int {
	r := rand.New(rand.NewPCG(uint64(visitor), uint64(salt)))
	return min(r.IntN(n), r.IntN(n), r.IntN(n))
}

var (
	trafficCountries = []string{"US", "DE", "IN", "BR", "GB", "FR", "JP", "CA", "AU", "NL", "ES", "IT", "MX", "SE", "PL"}
	trafficDevices   = []string{"mobile", "desktop", "tablet"}
	trafficBrowsers  = []string{"chrome", "safari", "firefox", "edge", "samsung"}
	trafficSystems   = []string{"android", "ios", "windows", "macos", "linux"}
	trafficTouches   = touchesOfTraffic()
)

func touchesOfTraffic() (all [][4]string) {
	all = [][4]string{{"direct", "direct", "", "direct"}, {"google", "organic", "", "ref_search"}, {"google", "paid", "brand", "gclid"}}
	for i := range 60 {
		site := "site" + strconv.Itoa(i) + ".example"
		all = append(all, [4]string{site, "referral", "", "referral"})
		if i%3 == 0 {
			all = append(all, [4]string{site, "social", "", "ref_social"}, [4]string{site, "paid", "c" + strconv.Itoa(i), "utm"})
		}
	}
	return all
}

package querytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// TestModelAndQueriesAgree asks random questions about random histories.
func TestModelAndQueriesAgree(t *testing.T) {
	histories := 1500
	if testing.Short() {
		histories = 60
	}
	agreeOnRows(t, histories, history, randomQuestion)
}

// agreeOnRows asks both twins eight random questions about each of some random histories. A failure
// prints the seed, the history and the question.
func agreeOnRows(t *testing.T, histories int, live func(*rand.Rand) []event.Event, ask func(*rand.Rand, int) string) {
	t.Helper()
	const questions = 8
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d questions", seed, histories*questions)
	walk := NewWalk()
	answered := 0
	for i := range histories {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := live(r)
		model := Model{Events: events, Walk: walk}
		sources := sourcesOf(r, &model)
		for range questions {
			question := ask(r, len(events))
			q, err := parse(question)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, readable(question), err)
			}
			want := model.Answer(q)
			for name, source := range sources {
				if got := unexplained(answer(source, q)); got != want {
					t.Fatalf("seed %d, history %d, floor %d: %s\nquery, %s: %s\nmodel: %s", seed, i, model.Floor, readable(question), name, got, want)
				}
			}
			if got := want; strings.Contains(got, `"rows":[{`) {
				answered++
			}
		}
	}
	// Questions that are about nothing prove nothing. About half are about something; two fifths leave
	// room for chance where few are asked.
	if all := histories * questions; answered < all*2/5 {
		t.Errorf("seed %d: only %d of %d answers have rows", seed, answered, all)
	}
}

// sourcesOf makes the sources that must answer as the model does. Of some, the oldest events are too old
// to be shown.
func sourcesOf(r *rand.Rand, model *Model) map[string]query.Source {
	sealed := NewSealed(model.Events, r.Uint64())
	sources := map[string]query.Source{"live": Slice(model.Events), "sealed": sealed, "sealed, with a finder": finder{sealed}}
	hidden := sealed
	if r.IntN(3) == 0 {
		hidden = NewHidden(model.Events, r.Uint64())
		sources["sealed, others hidden"] = finder{hidden}
	}
	if len(model.Events) == 0 || r.IntN(6) > 0 {
		return sources
	}
	// The earlier of two events is the last that isn't shown, or the first that is.
	some := func() event.Time { return model.Events[r.IntN(len(model.Events))].Time }
	model.Floor = min(some(), some()) + event.Time(r.IntN(2))
	sealed.Least, hidden.Least = model.Floor, model.Floor
	sources["live"] = floored{Slice(model.Events), model.Floor}
	return sources
}

// finder is a source that knows the ordinals of visitors without looking for them.
type finder struct{ *Sealed }

func (f finder) Ordinal(anonymousID string) (ordinal uint32, known bool, err error) {
	ordinal, known = f.ordinals[anonymousID]
	return ordinal, known, nil
}

// floored is a source whose oldest events are too old.
type floored struct {
	Slice
	floor event.Time
}

func (f floored) Floor() event.Time { return f.floor }

// unexplained cuts out what explains an answer: its settings and its cost.
func unexplained(answer string) string {
	return explanation.ReplaceAllString(answer, "}")
}

var explanation = regexp.MustCompile(`,"exact":true,"settings":\{.*$`)

func readable(question string) string {
	text, err := url.QueryUnescape(question)
	if err != nil {
		return question
	}
	return text
}

// history makes up to 60 events of a few visitors, with properties that are close to each other.
func history(r *rand.Rand) []event.Event {
	gen := eventtest.New(r.Uint64(), 1+r.IntN(12), 1+r.IntN(6*3600*1000))
	events := gen.Events(r.IntN(60))
	if r.IntN(2) == 0 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for i := range events {
		e := &events[i]
		e.Seq = event.Seq(i + 1)
		switch r.IntN(12) {
		case 0, 1, 2:
			e.Properties = `{"x":` + oddValue(r) + `}`
		case 3:
			e.Properties = `{"a.b":` + oddValue(r) + `,"a":{"b":` + oddValue(r) + `}}`
		case 4:
			e.Properties = `{"a":{"b":[` + oddValue(r) + `,` + oddValue(r) + `]}}`
		case 5:
			e.Source, e.Medium = "", ""
		case 6:
			e.AnonymousID = "u" + strconv.Itoa(r.IntN(3)) // named like a user
		}
	}
	return events
}

var oddValues = []string{
	`0`, `-0`, `1`, `1.0`, `10e-1`, `0.1e1`, `1e0`, `-1`, `1.5`, `15E-1`, `100`, `1e2`, `0.001`, `1e-3`, `1e300`, `9007199254740993`,
	`9007199254740992`, `""`, `"a"`, `"A"`, `"ab"`, `"b"`, `"1"`, `"\u0061"`, `"a\"b"`, `"ü"`, `"true"`, `true`, `false`, `null`,
	`[]`, `["a",1]`, `[null,true]`, `[["a"]]`, `{"b":1}`, `{}`,
}

func oddValue(r *rand.Rand) string { return one(r, oddValues) }

func one[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Pacific/Chatham", "Africa/Casablanca"}

func randomQuestion(r *rand.Rand, events int) string {
	from := eventtest.Start + event.Time(r.IntN(12*24)-3*24)*3600_000
	to := from + event.Time(1+r.IntN(30*24))*3600_000
	if r.IntN(3) == 0 {
		from, to = 0, event.TimeMax
	}
	params := url.Values{"from": {from.Std().Format(time.RFC3339Nano)}, "to": {to.Std().Format(time.RFC3339Nano)}}
	sometimes := func(name string, values ...string) {
		if r.IntN(2) == 0 {
			params.Set(name, one(r, values))
		}
	}
	sometimes("tz", zones...)
	sometimes("include_bots", "true", "false")
	sometimes("actor", "visitor", "user", "person", "session")
	if r.IntN(3) == 0 {
		params.Set("as_of", strconv.Itoa(r.IntN(events+1)))
	}
	if r.IntN(2) == 0 {
		params.Set("filters", randomFilters(r, 0))
	}
	sometimes("explain", "true", "false")
	name := one(r, []string{"query", "stats", "stats", "stats", "sources"})
	switch name {
	case "query":
		sometimes("limit", "1", "3", "20", "1000")
		sometimes("source", "google", "direct")
	case "stats":
		sometimes("limit", "1", "2", "5", "1000")
		sometimes("metric", "count", "uniques", "uniques", "sum(x)", "avg(x)", "min(x)", "max(x)", "p50(x)", "p90(properties.a.b)", "p95(x)", "p99(seats)", "sum(amount_cents)", "avg(amount_cents)")
		sometimes("interval", "hour", "day", "week", "month")
		sometimes("group_by", "source", "medium,source", "campaign", "country,event_name", "path", "device_type,browser,os", "os,country,campaign",
			"host", "referrer_host,properties.plan", "session_id", "user_id", "properties.x", "properties.a.b,source", "properties.tags", "properties.nested")
		sometimes("event", "$pageview", "signup")
		compared(r, params)
	case "sources":
		compared(r, params)
		sometimes("limit", "1", "2", "200")
		sometimes("breakdown", "source", "source_medium")
	}
	return name + "?" + params.Encode()
}

// compared asks for the previous period at times, and for filled buckets. Both list all buckets of a
// range, so the range becomes one of a few days, or of whole months.
func compared(r *rand.Rand, params url.Values) {
	if r.IntN(3) > 0 {
		return
	}
	from := eventtest.Start + event.Time(r.IntN(6*24)-2*24)*3600_000
	to := from + event.Time(1+r.IntN(3*24))*3600_000
	params.Set("from", from.Std().Format(time.RFC3339Nano))
	params.Set("to", to.Std().Format(time.RFC3339Nano))
	if params.Get("interval") != "hour" && r.IntN(2) == 0 {
		month := 3 + r.IntN(3)
		params.Set("from", fmt.Sprintf("2026-%02d-01", month))
		params.Set("to", fmt.Sprintf("2026-%02d-01", month+1+r.IntN(2)))
	}
	if r.IntN(3) > 0 {
		params.Set("compare", "previous_period")
	}
	if params.Has("interval") && r.IntN(2) == 0 {
		params.Set("fill", "zero")
	}
}

func randomFilters(r *rand.Rand, depth int) string {
	filters := make([]string, r.IntN(3))
	for i := range filters {
		filters[i] = randomFilter(r, depth)
	}
	return "[" + strings.Join(filters, ",") + "]"
}

func randomFilter(r *rand.Rand, depth int) string {
	if depth < 3 && r.IntN(3) == 0 {
		switch r.IntN(3) {
		case 0:
			return `{"not":` + randomFilter(r, depth+1) + `}`
		case 1:
			return `{"or":` + randomFilters(r, depth+1) + `}`
		}
		return `{"and":` + randomFilters(r, depth+1) + `}`
	}
	if r.IntN(2) == 0 {
		return columnFilter(r)
	}
	return propertyFilter(r)
}

func columnFilter(r *rand.Rand) string {
	column := one(r, []string{"event_name", "anonymous_id", "user_id", "session_id", "source", "campaign", "referrer", "path", "country", "os", "event_id", "timestamp"})
	op := one(r, []string{"eq", "ne", "in", "not_in", "contains", "prefix", "exists", "gt", "gte", "lt", "lte"})
	values := []string{`""`, `"$pageview"`, `"v1"`, `"u1"`, `"google"`, `"direct"`, `"c1"`, `"/"`, `"/docs"`, `"DE"`, `"ios"`, `"s1"`, `"e"`}
	if column == "timestamp" {
		op = one(r, []string{"eq", "ne", "in", "not_in", "exists", "gt", "gte", "lt", "lte"})
		values = []string{`"2026-03-29"`, `"2026-03-28T06:00"`, `"2026-03-30T00:00:00Z"`}
	}
	return filter(r, column, op, values)
}

func propertyFilter(r *rand.Rand) string {
	name := one(r, []string{"x", "x", "a", "a.b", "amount_cents", "plan", "seats", "trial", "tags", "nested.deep", "nothing", "missing"})
	var texts, ordered, scalars []string
	for _, v := range append(oddValues, `"pro"`, `"b1"`, `3`, `3.5`, `5000`) {
		switch v[0] {
		case '"':
			texts, ordered, scalars = append(texts, v), append(ordered, v), append(scalars, v)
		case 't', 'f':
			scalars = append(scalars, v)
		case '[', '{', 'n':
		default:
			ordered, scalars = append(ordered, v), append(scalars, v)
		}
	}
	op := one(r, []string{"eq", "ne", "in", "not_in", "contains", "prefix", "exists", "gt", "gte", "lt", "lte"})
	values := scalars
	switch op {
	case "contains", "prefix":
		values = texts
	case "gt", "gte", "lt", "lte":
		values = ordered
	}
	return filter(r, "properties."+name, op, values)
}

func filter(r *rand.Rand, field, op string, values []string) string {
	value := one(r, values)
	switch op {
	case "exists":
		value = one(r, []string{"true", "false"})
	case "in", "not_in":
		several := make([]string, r.IntN(4))
		for i := range several {
			several[i] = one(r, values)
		}
		value = "[" + strings.Join(several, ",") + "]"
	}
	return fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, field, op, value)
}

// TestPagesAreThePartsOfTheWhole follows cursors: the pages of an answer are the rows that it has
// without a limit, and each page's model says so too.
func TestPagesAreThePartsOfTheWhole(t *testing.T) {
	histories := 300
	if testing.Short() {
		histories = 20
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	walk := NewWalk()
	turned := 0
	for i := range histories {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := history(r)
		source := NewSealed(events, r.Uint64())
		name, params, _ := strings.Cut(randomQuestion(r, len(events)), "?")
		values, err := url.ParseQuery(params)
		if err != nil {
			t.Fatal(err)
		}
		values.Del("interval")
		values.Del("fill")
		values.Del("as_of")
		if !values.Has("compare") {
			values.Set("from", "2026-01-01")
			values.Set("to", "2027-01-01")
		}
		if r.IntN(3) > 0 {
			values.Del("filters")
		}
		values.Set("explain", "true")
		values.Set("limit", "200")
		whole := rowsOf(t, answerTo(t, events, name+"?"+values.Encode()))
		values.Set("limit", strconv.Itoa(1+r.IntN(3)))
		var rows []string
		for question := name + "?" + values.Encode(); question != ""; {
			q, err := parse(question)
			if err != nil {
				t.Fatalf("seed %d, history %d: %v", seed, i, err)
			}
			got := unexplained(answer(source, q))
			if want := (Model{Events: events, Walk: walk}).Answer(q); got != want {
				t.Fatalf("seed %d, history %d: %s\nquery: %s\nmodel: %s", seed, i, readable(question), got, want)
			}
			rows = append(rows, rowsOf(t, got)...)
			question = ""
			if next := nextOf(got); next != "" {
				question = name + "?cursor=" + next
				turned++
				// A cursor holds its as_of: what comes in meanwhile is on no later page.
				late := events[r.IntN(len(events))]
				late.Seq = event.Seq(len(events) + 1)
				events = append(events, late)
			}
		}
		if fmt.Sprint(rows) != fmt.Sprint(whole) {
			t.Fatalf("seed %d, history %d: %s?%s\npages: %s\nwhole: %s", seed, i, name, readable(values.Encode()), rows, whole)
		}
	}
	if turned < histories/2 {
		t.Errorf("seed %d: only %d pages were turned", seed, turned)
	}
}

func answerTo(t *testing.T, events []event.Event, question string) string {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatalf("%s: %v", readable(question), err)
	}
	return answer(NewSealed(events, 1), q)
}

func rowsOf(t *testing.T, answer string) []string {
	t.Helper()
	var whole struct{ Rows []json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &whole); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	var rows []string
	for _, row := range whole.Rows {
		rows = append(rows, string(row))
	}
	return rows
}

func nextOf(answer string) string {
	var whole struct{ Next string }
	if json.Unmarshal([]byte(answer), &whole) != nil {
		return ""
	}
	return whole.Next
}

// TestAnswersObeyTheLaws holds query against itself where no model is needed.
func TestAnswersObeyTheLaws(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	events := numbered(eventtest.New(seed, 300, 60_000).Events(10_000))
	const whole = "from=2026-03-20&to=2026-04-20&limit=1000"
	source := stored(t, seed, events)
	count := func(params string) int64 { return sum(t, source, "stats?"+whole+"&"+params) }
	for range 50 {
		f := randomFilter(r, 0)
		with := count("filters=" + url.QueryEscape("["+f+"]"))
		without := count("filters=" + url.QueryEscape(`[{"not":`+f+`}]`))
		if with+without != count("") {
			t.Errorf("seed %d: %s holds for %d and fails for %d of %d", seed, f, with, without, count(""))
		}
	}
	for _, params := range []string{"group_by=path", "group_by=source,medium,campaign", "interval=hour&tz=Europe/Berlin", "interval=week&group_by=os"} {
		if parts := count(params); parts != count("") {
			t.Errorf("seed %d: %s adds up to %d of %d", seed, params, parts, count(""))
		}
	}
	for _, actor := range []string{"visitor", "user", "person", "session"} {
		distinct := count("metric=uniques&actor=" + actor)
		if days := count("metric=uniques&interval=day&actor=" + actor); days < distinct || distinct == 0 {
			t.Errorf("seed %d: %d %ss, but their days have %d", seed, distinct, actor, days)
		}
	}
	if persons, visitors := count("metric=uniques&actor=person"), count("metric=uniques"); persons == visitors {
		t.Errorf("seed %d: persons are visitors, so the test tells them not apart", seed)
	}
}

// sum adds up the last column of an answer.
func sum(t *testing.T, source query.Source, question string) int64 {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatalf("%s: %v", readable(question), err)
	}
	a, err := query.Run(t.Context(), source, q)
	if err != nil {
		t.Fatalf("%s: %v", readable(question), err)
	}
	var total int64
	for _, row := range a.Rows {
		n, err := strconv.ParseInt(string(row[len(row)-1].AppendJSON(nil)), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

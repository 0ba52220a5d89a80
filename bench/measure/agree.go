package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"millimetric/bench/history"
	"millimetric/bench/peers"
	"millimetric/index/event"
)

// agree puts many questions to the server and to both databases, and fails if any answers differ.
func agree(ctx context.Context, s settings) (err error) {
	st, err := s.prepare(ctx, s.events[0], []peers.Layout{peers.ByVisitor, peers.ByArrival})
	defer func() { err = errors.Join(err, st.close()) }()
	if err != nil {
		return err
	}
	questions := variety(st.shape, rand.New(rand.NewPCG(s.seed, 1)), s.each)
	s.say("ask %d questions", len(questions))
	rows, differ, kinds := 0, 0, map[string]int{}
	for i := range questions {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		q := &questions[i]
		n, differences, err := compare(st, q)
		if err != nil {
			return err
		}
		kind, _, _ := strings.Cut(q.ID, " ")
		kinds[kind]++
		rows += n
		for _, d := range differences {
			differ++
			s.say("%s", d)
		}
	}
	fmt.Fprintf(s.out, "%d events, seed %d: %d questions of %d kinds to the server, ClickHouse and DuckDB, %d rows: %d answers differ\n",
		st.shape.Events, s.seed, len(questions), len(kinds), rows, differ)
	if differ > 0 {
		return fmt.Errorf("%d answers differ", differ)
	}
	return nil
}

// compare asks everybody one question.
func compare(st *stage, q *peers.Question) (rows int, differences []string, err error) {
	request, err := q.Request()
	if err != nil {
		return 0, nil, err
	}
	answer, _, err := st.server.call(st.server.keys.RK, q.Path, request)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w\n%s", q.ID, err, request)
	}
	ours, err := q.Table(answer)
	if err != nil {
		return 0, nil, err
	}
	for _, t := range st.tables {
		sql := q.SQL(t.Layout, st.base())
		reply, err := t.peer.Ask(sql, 1)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", q.ID, err)
		}
		if d := peers.Same(ours, peers.Cut(ours, reply.Rows)); d != "" {
			differences = append(differences, fmt.Sprintf("%s: the server against %s: %s\n  %s %s\n  %s", q.ID, t.Kind, d, q.Path, request, sql))
		}
	}
	return len(ours), differences, nil
}

// base is the moment from which order keys count.
func (st *stage) base() event.Time { return st.shape.To() - event.Time(st.shape.Days)*dayMS }

const dayMS = event.Time(24 * 60 * 60 * 1000)

// filters are conditions on columns and on a property, alone and nested.
var filters = []peers.Filter{
	{},
	{},
	{JSON: []any{is("country", "eq", "US")}, SQL: "country = 'US'"},
	{JSON: []any{is("device_type", "in", []string{"mobile", "tablet"})}, SQL: "device_type IN ('mobile', 'tablet')"},
	{JSON: []any{is("path", "prefix", "/blog/")}, SQL: "path LIKE '/blog/%'"},
	{JSON: []any{is("country", "ne", "US"), is("browser", "eq", "chrome")}, SQL: "country <> 'US' AND browser = 'chrome'"},
	{JSON: []any{map[string]any{"or": []any{is("source", "eq", "google"), is("medium", "eq", "paid")}}}, SQL: "source = 'google' OR medium = 'paid'"},
	{JSON: []any{map[string]any{"not": is("os", "in", []string{"ios", "android"})}}, SQL: "NOT os IN ('ios', 'android')"},
	{JSON: []any{is("user_id", "exists", true)}, SQL: "user_id <> ''"},
	// A property compares as what it is; this one is a text wherever it is.
	{JSON: []any{is("properties.lang", "eq", "de-DE")}, SQL: `properties LIKE '%"lang":"de-DE"%'`},
	{JSON: []any{is("properties.amount_cents", "gte", 20_000)}, SQL: "amount_cents >= 20000"},
}

func is(field, op string, value any) map[string]any {
	return map[string]any{"field": field, "op": op, "value": value}
}

// variety is questions of all kinds, each within another scope.
func variety(shape history.Shape, random *rand.Rand, each int) []peers.Question {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	scope := func() peers.Scope {
		from := shape.To() - event.Time(5+random.IntN(shape.Days-5))*dayMS + event.Time(random.IntN(3))*3*dayMS/24
		s := peers.Scope{From: from, To: from + event.Time(2+random.IntN(40))*dayMS}
		s.Zone = pick("", "", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham")
		s.Actor = pick("", "", "", "user", "person", "session")
		s.Bots = random.IntN(4) == 0
		s.Filter = filters[random.IntN(len(filters))]
		return s
	}
	window := func() time.Duration {
		return []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}[random.IntN(3)]
	}
	shop := []string{"$pageview", "view_item", "add_to_cart", "checkout", "purchase"}
	kinds := []struct {
		name string
		make func() peers.Question
	}{
		{"events", func() peers.Question { return peers.Events(scope(), pick("hour", "day", "week", "month")) }},
		{"uniques", func() peers.Question { return peers.Uniques(scope()) }},
		{"uniques-by", func() peers.Question { return peers.UniquesBy(scope(), pick("hour", "day", "week", "month")) }},
		{"sources", func() peers.Question { return peers.Sources(scope(), 1+random.IntN(100)) }},
		{"top", func() peers.Question {
			by := [][]string{{"path"}, {"country", "browser"}, {"event_name"}, {"os", "device_type"}, {"campaign"}}
			return peers.Top(scope(), pick("count", "uniques"), by[random.IntN(len(by))], 1+random.IntN(200))
		}},
		{"amounts", func() peers.Question {
			return peers.Amounts(scope(), pick("purchase", "add_to_cart"), pick("sum", "min", "max", "avg", "p50", "p90", "p99"))
		}},
		{"funnel", func() peers.Question {
			n := 2 + random.IntN(len(shop)-1)
			return peers.Funnel(scope(), peers.Steps{Names: shop[len(shop)-n:], Window: window()})
		}},
		{"funnel-by-touch", func() peers.Question {
			s := scope()
			s.Filter, s.Actor = peers.Filter{}, pick("", "person", "session")
			return peers.Funnel(s, peers.Steps{Names: shop[:2+random.IntN(4)], Window: window(), ByTouch: true})
		}},
		{"funnel-strict", func() peers.Question {
			s := scope()
			s.Filter = peers.Filter{}
			return peers.Funnel(s, peers.Steps{Names: shop[:2+random.IntN(2)], Window: window(), Strict: true})
		}},
		{"attribution", func() peers.Question {
			s := scope()
			lookback := []time.Duration{0, 24 * time.Hour, 30 * 24 * time.Hour}[random.IntN(3)]
			models := peers.SimpleModels
			if lookback != 0 {
				models = models[random.IntN(len(models)):]
			}
			return peers.Attribution(s, peers.Credit{Conversion: pick("purchase", "add_to_cart"), Models: models, Lookback: lookback, ByValue: random.IntN(2) == 0})
		}},
		{"retention", func() peers.Question {
			return peers.Retention(scope(), peers.Return{Birth: pick("$pageview", "view_item"), Return: pick("$pageview", "add_to_cart"), Unit: pick("day", "week", "month"), Periods: 1 + random.IntN(12), Unbounded: random.IntN(2) == 0})
		}},
		{"retention-weekly", func() peers.Question {
			s := scope()
			s.To = shape.To() + 10*dayMS // what comes after the range counts, and the short way doesn't look there
			return peers.Weekly(s, "$pageview", 8)
		}},
		{"visits", func() peers.Question { return peers.Visits(scope()) }},
		{"paths", func() peers.Question { return peers.Paths(scope(), pick("/", "/blog/chairs-1")) }},
		{"latest", func() peers.Question {
			return peers.Latest(scope(), fmt.Sprintf("user-%d", 8*random.IntN(200)), 1+random.IntN(100))
		}},
	}
	var all []peers.Question
	for _, k := range kinds {
		for i := range each {
			q := k.make()
			q.ID = fmt.Sprintf("%s %d", k.name, i)
			all = append(all, q)
		}
	}
	return all
}

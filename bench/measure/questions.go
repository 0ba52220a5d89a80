package main

import (
	"fmt"
	"time"

	"millimetric/bench/history"
	"millimetric/bench/peers"
)

// target is one row of the table of questions.
type target struct {
	question peers.Question
	times    float64       // how many times quicker than the quicker database it must be; 0: no such target
	warm     time.Duration // what it may take at most, whatever the others take; 0: no such target
	cold     time.Duration
	alone    bool // it isn't put to the databases
}

// The window of the funnels and the lookback of the credits.
const (
	week  = 7 * 24 * time.Hour
	month = 30 * 24 * time.Hour
)

// targets returns the questions about the last 30 days of a history.
func targets(shape history.Shape, user string) []target {
	s := peers.Scope{From: shape.To() - 30*dayMS, To: shape.To()}
	us, phones := s, s
	us.Filter = peers.Filter{JSON: []any{is("country", "eq", "US")}, SQL: "country = 'US'"}
	phones.Filter = peers.Filter{JSON: []any{is("country", "eq", "US"), is("device_type", "eq", "mobile")}, SQL: "country = 'US' AND device_type = 'mobile'"}
	credit := func(lookback time.Duration, models ...string) peers.Question {
		return peers.Attribution(s, peers.Credit{Conversion: "purchase", Models: models, Lookback: lookback, ByValue: true})
	}
	all := []target{
		{question: named("Q1", "events by day", peers.Events(s, "day")), times: 50},
		{question: named("Q2", "unique visitors", peers.Uniques(s)), times: 100},
		{question: named("Q2f", "unique visitors, country US", peers.Uniques(us)), times: 8},
		{question: named("Q3", "unique visitors by day", peers.UniquesBy(s, "day")), times: 100},
		{question: named("Q4", "source × medium: events, uniques, paid share, top 50", peers.Sources(s, 50)), times: 12},
		{question: named("Q5", "top 100 paths by uniques, country US and device mobile", peers.Top(phones, "uniques", []string{"path"}, 100)), times: 6},
		{question: named("Q6", "3-step funnel, 7-day window", peers.Funnel(s, peers.Steps{Names: []string{"$pageview", "add_to_cart", "purchase"}, Window: week})), times: 20},
		{question: named("Q7", "5-step funnel by first-touch source", peers.Funnel(s, peers.Steps{
			Names: []string{"$pageview", "view_item", "add_to_cart", "checkout", "purchase"}, Window: week, ByTouch: true,
		})), times: 20},
		{question: named("Q8", "first-touch revenue by source and medium", credit(0, "first")), times: 100},
		{question: named("Q9", "last non-direct touch, 30-day lookback", credit(month, "last_non_direct")), times: 30},
		{question: named("Q10", "linear over visits, 30-day lookback", credit(month, "linear")), times: 8},
		{question: named("Q10s", "all models but data_driven at once", credit(month, peers.SimpleModels...)), alone: true},
		{question: named("Q10d", "data_driven", credit(month, "data_driven")), alone: true},
		{question: named("Q11", "weekly retention", peers.Weekly(s, "$pageview", 8)), times: 200},
		{question: named("Q12", "last 100 raw events of one user", peers.Latest(s, user, 100)), warm: 3 * time.Millisecond, cold: 10 * time.Millisecond},
	}
	return all
}

func named(id, text string, q peers.Question) peers.Question {
	q.ID, q.Text = id, text
	return q
}

// busiest finds the user with most events in the last 30 days, for whom Q12 has most to choose from.
func (st *stage) busiest() (string, error) {
	for _, t := range st.tables {
		if t.Kind != peers.DuckDB {
			continue
		}
		reply, err := t.peer.Ask(fmt.Sprintf("SELECT user_id FROM %s WHERE user_id <> '' AND NOT bot AND ts >= TIMESTAMP '%s' GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 1",
			t.Table, (st.shape.To()-30*dayMS).Std().Format("2006-01-02 15:04:05")), 1)
		if err != nil || len(reply.Rows) != 1 {
			return "", fmt.Errorf("find a user: %d rows, %w", len(reply.Rows), err)
		}
		return reply.Rows[0][0].(string), nil
	}
	return "", fmt.Errorf("find a user: DuckDB isn't there")
}

// Package metrics counts what the server does and writes the figures for Prometheus.
//
// Figures name routes, questions, codes and parts of the store, all of which are fixed when the program
// is built, and nothing that anybody sent: no project, no URL, no key. It starts no goroutines and writes
// no files.
package metrics

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/ingest"
	"millimetric/query"
)

const prefix = "millimetric_"

// latencies are the bounds of histograms, in seconds: from what a question of a memory takes to the budget
// of one.
var latencies = []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Set is the figures of one server. It is safe for concurrent use.
type Set struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec   // by route and status
	durings  *prometheus.HistogramVec // by route

	events   prometheus.Counter
	appends  prometheus.Histogram
	waiting  prometheus.Gauge
	failures *prometheus.CounterVec // by code

	work *prometheus.CounterVec // of the store, by kind of work

	questions *prometheus.HistogramVec // seconds by question
	cost      *prometheus.CounterVec   // by question and kind
}

// New returns a set without any figures of a store; see Watch.
func New() *Set {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: latencies}, labels)
	}
	s := &Set{
		registry:  prometheus.NewRegistry(),
		requests:  counter("requests_total", "Requests answered, by route and status.", "route", "status"),
		durings:   histogram("request_seconds", "Time from a request's last byte to its answer, by route.", "route"),
		events:    prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "events_total", Help: "Events acknowledged, repeats included."}),
		appends:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + "append_seconds", Help: "Time until the events of a request are on disk and in every answer: queue and commit.", Buckets: latencies}),
		waiting:   prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "appends_waiting", Help: "Requests whose events wait to be committed."}),
		failures:  counter("append_failures_total", "Requests whose events were not acknowledged, by code.", "code"),
		work:      counter("store_work_total", "What the store did: seals, merges, and the events and segments in them; stalls, slow disks, damage.", "work"),
		questions: histogram("question_seconds", "Time that questions took, by question.", "question"),
		cost:      counter("question_cost_total", "What questions cost: segments, rows and bytes.", "question", "cost"),
	}
	s.registry.MustRegister(s.requests, s.durings, s.events, s.appends, s.waiting, s.failures, s.work, s.questions, s.cost,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Watch has the set read the store whenever it is asked for its figures. ready is nil while events are
// taken.
func (s *Set) Watch(e *engine.Engine, ready func() error) {
	s.registry.MustRegister(&store{engine: e, ready: ready})
}

// WatchCache has the set count what a cache was asked for. Its name is fixed when the program is built.
func (s *Set) WatchCache(name string, counts func() (hits, misses uint64)) {
	for result, pick := range map[string]func() float64{
		"hit":  func() float64 { hits, _ := counts(); return float64(hits) },
		"miss": func() float64 { _, misses := counts(); return float64(misses) },
	} {
		s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + "cache_reads_total",
			Help:        "What caches were asked for: the memo of questions, and pieces of segments (columns, dictionaries), decrypted.",
			ConstLabels: prometheus.Labels{"cache": name, "result": result}}, pick))
	}
}

// WatchGauge has the set show what is now.
func (s *Set) WatchGauge(name, help string, now func() float64) {
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, now))
}

// Route is the figures of one route, found once: labels that are looked up for each request cost more than
// counting it does.
type Route struct {
	during   prometheus.Observer
	statuses [statusMost + 1]atomic.Pointer[prometheus.Counter]
	requests *prometheus.CounterVec
	name     string
}

const statusMost = 599

// Route returns the figures of a route. Each name is that of a row of the route table.
func (s *Set) Route(name string) *Route {
	return &Route{during: s.durings.WithLabelValues(name), requests: s.requests, name: name}
}

// Answered counts a request.
func (r *Route) Answered(status int, took time.Duration) {
	r.during.Observe(took.Seconds())
	if status < 0 || status > statusMost {
		return
	}
	found := r.statuses[status].Load()
	if found == nil {
		c := r.requests.WithLabelValues(r.name, strconv.Itoa(status))
		r.statuses[status].Store(&c)
		found = &c
	}
	(*found).Inc()
}

// Asked counts a question that was answered.
func (s *Set) Asked(question string, cost query.Cost, took time.Duration) {
	s.questions.WithLabelValues(question).Observe(took.Seconds())
	for kind, n := range map[string]int64{
		"segments": int64(cost.Segments), "segments_skipped": int64(cost.Skipped), "rows_scanned": int64(cost.Scanned),
		"rows_matched": int64(cost.Matched), "bytes_read": cost.BytesRead, "raw_blocks": int64(cost.RawBlocks),
	} {
		s.cost.WithLabelValues(question, kind).Add(float64(n))
	}
}

// Notice counts what the store tells.
func (s *Set) Notice(n engine.Notice) {
	add := func(work string, n float64) { s.work.WithLabelValues(work).Add(n) }
	switch n := n.(type) {
	case engine.Sealed:
		add("seals", 1)
		add("events_sealed", float64(n.Events))
	case engine.Merged:
		add("merges", 1)
		add("segments_merged", float64(n.Segments))
	case engine.Retained:
		add("events_expired", float64(n.Events))
	case engine.Stalled:
		add("stalls", 1)
	case engine.DiskSlow:
		add("slow_operations", 1)
	case engine.Damaged, engine.Broken:
		add("damages", 1)
	case engine.Background:
		add("background_failures", 1)
	}
}

// Timed returns an appender that counts what another does.
func (s *Set) Timed(next ingest.Appender, now func() time.Time) ingest.Appender {
	return &timed{s, next, now}
}

type timed struct {
	set  *Set
	next ingest.Appender
	now  func() time.Time
}

func (t *timed) Append(ctx context.Context, project event.Project, events []event.Event) error {
	n, began := len(events), t.now()
	t.set.waiting.Inc()
	err := t.next.Append(ctx, project, events)
	t.set.waiting.Dec()
	t.set.appends.Observe(t.now().Sub(began).Seconds())
	if err == nil {
		t.set.events.Add(float64(n))
		return nil
	}
	t.set.failures.WithLabelValues(event.AsError(err).Code).Inc()
	return err
}

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// fakeServer counts the events that it takes, by id.
type fakeServer struct {
	mu     sync.Mutex // guards what follows
	ids    map[string]bool
	loses  bool // forgets one event
	denies bool
}

func (s *fakeServer) handle(ctx *fasthttp.RequestCtx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(string(ctx.Path()), "/v1/stats") {
		count := len(s.ids)
		if s.loses {
			count--
		}
		fmt.Fprintf(ctx, `{"metric":"count","rows":[{"value":%d}],"as_of":"1"}`, count)
		return
	}
	if s.denies {
		ctx.Error(`{"error":"overloaded"}`, fasthttp.StatusServiceUnavailable)
		return
	}
	type loaded struct {
		ID        string    `json:"event_id"`
		Visitor   string    `json:"anonymous_id"`
		Timestamp time.Time `json:"timestamp"`
	}
	var one loaded
	body := struct{ Events []loaded }{}
	err := json.Unmarshal(ctx.PostBody(), &body)
	if string(ctx.Path()) == "/v1/track" {
		err = json.Unmarshal(ctx.PostBody(), &one)
		body.Events = []loaded{one}
	}
	if err != nil || string(ctx.Request.Header.Peek("Authorization")) != "Bearer sk" {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	for _, e := range body.Events {
		if s.ids[e.ID] || e.Visitor == "" || time.Since(e.Timestamp).Abs() > time.Minute {
			ctx.Error("an event is sent twice or has no visitor or time", fasthttp.StatusBadRequest)
			return
		}
		s.ids[e.ID] = true
	}
	ctx.SetStatusCode(fasthttp.StatusAccepted)
}

// serve starts fake as each round's server.
func (s *fakeServer) serve(context.Context) (Target, error) {
	s.ids = map[string]bool{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Target{}, err
	}
	server := &fasthttp.Server{Handler: s.handle, CloseOnShutdown: true}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return Target{URL: "http://" + listener.Addr().String(), Key: "sk", Read: "rk", Stop: func() error {
		if err := server.Shutdown(); err != nil {
			return err
		}
		return <-served
	}}, nil
}

func serveEmpty(ctx context.Context) (Target, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Target{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- ServeEmpty(ctx, listener) }()
	return Target{URL: "http://" + listener.Addr().String(), Key: "none", Stop: func() error {
		stop()
		return <-served
	}}, nil
}

func shortConfig(server *fakeServer) Config {
	return Config{
		Server: server.serve, Empty: serveEmpty, Duration: 30 * time.Millisecond, Rounds: 3,
		Points: []Point{{Batch: 0, Connections: 4}, {Batch: 100, Connections: 2}},
	}
}

func TestEveryEventOfALoadIsSentOnceAndCounted(t *testing.T) {
	results, err := Load(t.Context(), shortConfig(&fakeServer{}))
	if err != nil || len(results) != 2 {
		t.Fatalf("%+v, %v", results, err)
	}
	for _, r := range results {
		if r.Server.Failed+r.Empty.Failed != 0 || r.Rounds != 3 || len(r.Server.Rates) != 3 || r.Server.EventsPerSecond <= 0 || r.Empty.EventsPerSecond <= 0 {
			t.Errorf("%+v", r)
		}
		if r.Server.P50 <= 0 || r.Server.P99 < r.Server.P50 || r.Ratio <= 0 {
			t.Errorf("%+v", r)
		}
		if each := r.BodyBytes / max(r.Batch, 1); each < 320 || each > 400 {
			t.Errorf("%s: %d bytes per event, want about 350", r.Name, each)
		}
	}
}

func TestALoadThatTheServerLostFails(t *testing.T) {
	if _, err := Load(t.Context(), shortConfig(&fakeServer{loses: true})); err == nil || !strings.Contains(err.Error(), "acknowledged") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(t.Context(), shortConfig(&fakeServer{denies: true})); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
}

func TestPercentilesAreNearestRankAndMediansTheMiddle(t *testing.T) {
	times := make([]time.Duration, 100)
	for i := range times {
		times[i] = time.Duration(i + 1)
	}
	if p50, p99, one := percentile(times, 50), percentile(times, 99), percentile(times[:1], 99); p50 != 50 || p99 != 99 || one != 1 {
		t.Errorf("p50 %d, p99 %d, of one %d", p50, p99, one)
	}
	if odd, even := median([]float64{9, 1, 5}), median([]float64{4, 1, 9, 2}); odd != 5 || even != 3 {
		t.Errorf("medians %v and %v", odd, even)
	}
}

func TestAReportReplacesTheOneBeforeAndNothingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "RESULTS.md")
	report := Report{Taken: "2026-05-04", Seconds: 5, Results: []Result{{
		Name: "batches of 100", Batch: 100, Connections: 8, Rounds: 3, BodyBytes: 35_000, Ratio: 0.5,
		Server: Figures{EventsPerSecond: 50_000, Rates: []float64{40_000, 50_000, 60_000}, P50: 1.5, P99: 9.25, Failed: 1, Failure: "503 `x`"},
		Empty:  Figures{EventsPerSecond: 100_000, P99: 4.5},
	}}}
	if err := report.Write(file); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	row := "| batches of 100 | 8 | 34 KiB | 3 | 50000 | 40000 – 60000 | 1.50 ms | 9.25 ms | 1 | 100000 | 4.50 ms | 50.0 % |\n"
	if !strings.Contains(string(first), row) {
		t.Errorf("no row\n%s\nin\n%s", row, first)
	}
	if err := os.WriteFile(file, []byte("before\n"+string(first)+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report.Taken = "2026-05-05"
	if err := report.Write(file); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(file)
	if want := "before\n" + strings.Replace(string(first), "05-04", "05-05", 1) + "after\n"; err != nil || string(second) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, second, want)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(file); err == nil {
		t.Error("a file without marks was overwritten")
	}
}

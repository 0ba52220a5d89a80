package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/engine/enginetest"
)

// storm is clients that send batches as fast as they are answered, whatever they are told.
type storm struct {
	t   *testing.T
	url string
	key string

	mu       sync.Mutex
	statuses map[int]int
	events   int // of batches that were acknowledged
	unknown  int // of those whose outcome is unknown
}

const stormBatch = 20 // events

func (s *storm) run(clients int, length time.Duration) (acknowledged int) {
	before := s.events
	var all sync.WaitGroup
	end := time.Now().Add(length)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	body := `{"events":[` + strings.Repeat(`{"event":"x","properties":{"text":"`+strings.Repeat("y", 200)+`"}},`, stormBatch-1) + `{"event":"x"}]}`
	for range clients {
		all.Go(func() {
			for time.Now().Before(end) {
				s.send(&client, body)
			}
		})
	}
	all.Wait()
	return s.events - before
}

// send sends one batch; whatever isn't taken must be refused in a way that a client can act on.
func (s *storm) send(client *http.Client, body string) {
	req, err := http.NewRequest("POST", s.url+"/v1/batch", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header = bearer(s.key)
	res, err := client.Do(req)
	if err != nil {
		s.t.Errorf("no answer: %v", err)
		return
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[res.StatusCode]++
	wait, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	switch {
	case res.StatusCode == 202:
		s.events += stormBatch
	case res.StatusCode != 429 && res.StatusCode != 503 || wait < 1:
		s.t.Errorf("refused with %d, Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), text)
	case strings.Contains(string(text), "outcome_unknown"):
		s.unknown += stormBatch
	}
}

// stored counts the events that there are.
func stored(t *testing.T, url, key string) int {
	t.Helper()
	req, err := http.NewRequest("GET", url+"/v1/stats?from=2020-01-01&to=2040-01-01&metric=count&event=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = bearer(key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Rows []struct{ Value int }
	}
	text, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(text, &answer); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s %v", res.StatusCode, text, err)
	}
	sum := 0
	for _, row := range answer.Rows {
		sum += row.Value
	}
	return sum
}

func (s *storm) checkStored(url, key string) {
	s.t.Helper()
	if n := stored(s.t, url, key); n < s.events || n > s.events+s.unknown {
		s.t.Errorf("%d events are stored; %d were acknowledged and %d may be", n, s.events, s.unknown)
	}
}

// The queue of the store takes one request at a time here, so that clients together are many times too much.
func TestOverloadIsShedWithATimeToComeAgainAndLosesNothing(t *testing.T) {
	r := startServerWith(t, engine.Options{QueueBytes: 1}, func(s *server) { s.jitter = func(n int) int { return n } })
	s := &storm{t: t, url: r.url, key: r.words["sk"], statuses: map[int]int{}}
	for range 40 {
		if s.run(40, 200*time.Millisecond); s.statuses[503] > 0 && s.events > 0 {
			break
		}
	}
	if s.statuses[503] == 0 || s.events == 0 {
		t.Errorf("%v: nothing was shed, or all", s.statuses)
	}
	if res, text := r.call("POST", "/v1/track", bearer(r.words["sk"]), strings.NewReader(`{"event":"y"}`)); res.StatusCode != 202 {
		t.Errorf("after the storm: %d %s", res.StatusCode, text)
	}
	s.checkStored(r.url, r.words["rk"])
	t.Logf("statuses=%v events=%d", maps.Clone(s.statuses), s.events)
}

// peakMemory is the most memory that a process had so far, in bytes; 0 where the system doesn't tell.
func peakMemory(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

// Ten times the clients that a server is good for: it must go on at nearly the same pace, in the memory that it
// was given.
func TestProofTenTimesTheLoadIsShedInTheMemoryThatWasGiven(t *testing.T) {
	const memory = 256 << 20
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	d := startDaemon(t, "--data", dir, "--memory", "256MiB")
	s := &storm{t: t, url: d.url, key: made.SK, statuses: map[int]int{}}
	length := time.Duration(enginetest.Figure(t, 200, 500, 20_000)) * time.Millisecond
	const clients = 16
	s.run(clients, length/4) // caches and pools fill
	alone := s.run(clients, length)
	tenfold := s.run(10*clients, length)
	s.checkStored(d.url, made.RK)
	peak := peakMemory(d.Process.Pid)
	if peak > memory*11/10 {
		t.Errorf("%d MiB were needed of %d", peak>>20, memory>>20)
	}
	ratio := float64(tenfold) / float64(max(alone, 1))
	if enginetest.Full() && ratio < .8 {
		t.Errorf("under ten times the clients, the pace is %.2f of what it was", ratio)
	}
	enginetest.Say(t, "R10, ten times the load", "seconds=%.1f clients=%d acknowledged=%d tenfold=%d ratio=%.2f statuses=%v peak_mib=%d of=%d",
		length.Seconds(), clients, alone, tenfold, ratio, s.statuses, peak>>20, memory>>20)
}

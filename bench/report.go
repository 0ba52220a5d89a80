package bench

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Result is what all rounds of a point saw.
type Result struct {
	Name        string  `json:"name"`
	Batch       int     `json:"batch"` // events per request; 0 for single events
	Connections int     `json:"connections"`
	Rounds      int     `json:"rounds"`
	BodyBytes   int     `json:"body_bytes"` // of one request, on average
	Server      Figures `json:"server"`
	Empty       Figures `json:"empty"` // the handler that only reads the body
	Ratio       float64 `json:"ratio"` // server's rate over the empty handler's
}

// Figures are the medians over the rounds of one side.
type Figures struct {
	EventsPerSecond   float64   `json:"events_per_s"` // acknowledged
	RequestsPerSecond float64   `json:"requests_per_s"`
	P50               float64   `json:"p50_ms"` // of a request's time, as its client sees it
	P99               float64   `json:"p99_ms"`
	Rates             []float64 `json:"events_per_s_by_round"`
	Requests          int       `json:"requests"` // acknowledged, in all rounds
	Failed            int       `json:"failed"`
	Failure           string    `json:"failure,omitempty"` // the first one
}

func resultOf(point Point, server, empty []round) Result {
	r := Result{
		Name: point.Name(), Batch: point.Batch, Connections: point.Connections, Rounds: len(server),
		Server: figuresOf(server), Empty: figuresOf(empty),
	}
	if server[0].requests > 0 {
		r.BodyBytes = server[0].bytes / server[0].requests
	}
	if r.Empty.EventsPerSecond > 0 {
		r.Ratio = r.Server.EventsPerSecond / r.Empty.EventsPerSecond
	}
	return r
}

func figuresOf(rounds []round) Figures {
	var f Figures
	var requests, p50, p99 []float64
	for _, r := range rounds {
		seconds := r.elapsed.Seconds()
		f.Rates = append(f.Rates, float64(r.events)/seconds)
		requests = append(requests, float64(r.requests)/seconds)
		p50 = append(p50, milliseconds(percentile(r.latencies, 50)))
		p99 = append(p99, milliseconds(percentile(r.latencies, 99)))
		f.Requests += r.requests
		f.Failed += r.failed
		f.Failure = cmp.Or(f.Failure, r.failure)
	}
	f.EventsPerSecond, f.RequestsPerSecond, f.P50, f.P99 = median(f.Rates), median(requests), median(p50), median(p99)
	return f
}

// percentile is the nearest-rank value of sorted times.
func percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median is the mean of the two middle values where their number is even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Machine is where figures were taken. Without it they mean nothing.
type Machine struct {
	Processor  string  `json:"processor"`
	Cores      int     `json:"cores"`
	Go         string  `json:"go"`
	Commit     string  `json:"commit"`
	FileSystem string  `json:"file_system"` // of the data folder
	SyncMs     float64 `json:"sync_ms"`     // median time to write 4 KiB there and sync them
}

// MachineOf describes this machine; dir is where data folders are made.
func MachineOf(dir string) (Machine, error) {
	m := Machine{Processor: processor(), Cores: runtime.NumCPU(), Go: runtime.Version(), Commit: commit()}
	var err error
	if m.FileSystem, err = fileSystem(dir); err != nil {
		return m, fmt.Errorf("look at %s: %w", dir, err)
	}
	took, err := SyncTime(dir, 50)
	m.SyncMs = milliseconds(took)
	return m, err
}

// SyncTime is the median time that writing 4 KiB and syncing them takes in dir, over n tries. No
// acknowledged request can be faster than the disk; where this is near zero, nothing is made safe.
func SyncTime(dir string, n int) (took time.Duration, err error) {
	file, err := os.CreateTemp(dir, "sync-*")
	if err != nil {
		return 0, fmt.Errorf("measure syncs: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close() // its content doesn't matter
	page := make([]byte, 4<<10)
	var times []time.Duration
	for range n {
		start := time.Now()
		if _, err := file.Write(page); err != nil {
			return 0, fmt.Errorf("measure syncs: %w", err)
		}
		if err := file.Sync(); err != nil {
			return 0, fmt.Errorf("measure syncs: %w", err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return percentile(times, 50), nil
}

func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close() // it was only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// commit is the one that this program was built from.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, changed := "unknown", ""
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", with changes"
		}
	}
	return revision + changed
}

// Report is a whole run.
type Report struct {
	Taken   string   `json:"taken"` // the day
	Machine Machine  `json:"machine"`
	Seconds float64  `json:"seconds_per_round"`
	Results []Result `json:"results"`
}

// Markdown is the report as a table with what is needed to read it.
func (r Report) Markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Taken %s on %s, %d cores, %s, commit %s. Client and server share the machine.\n", r.Taken, m.Processor, m.Cores, m.Go, m.Commit)
	fmt.Fprintf(&b, "The data folder lies on %s, where writing and syncing 4 KiB takes %.2f ms (median of 50).\n", m.FileSystem, m.SyncMs)
	fmt.Fprintf(&b, "Rounds of %g s each, against the server and the empty handler in turn; the figures are medians over the rounds.\n", r.Seconds)
	b.WriteString("Every round starts with an empty folder, and after it the server's own count of events is held against what it acknowledged.\n")
	b.WriteString("\n| load | connections | body | rounds (n) | events/s | slowest to fastest round | p50 | p99 | failed | empty handler, events/s | its p99 | share of it |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, p := range r.Results {
		fmt.Fprintf(&b, "| %s | %d | %s | %d | %.0f | %.0f – %.0f | %.2f ms | %.2f ms | %d | %.0f | %.2f ms | %.1f %% |\n",
			p.Name, p.Connections, size(p.BodyBytes), p.Rounds, p.Server.EventsPerSecond, slices.Min(p.Server.Rates), slices.Max(p.Server.Rates),
			p.Server.P50, p.Server.P99, p.Server.Failed, p.Empty.EventsPerSecond, p.Empty.P99, 100*p.Ratio)
	}
	for _, p := range r.Results {
		if p.Server.Failed > 0 {
			fmt.Fprintf(&b, "\n%s: the first failure was `%s`.\n", p.Name, strings.Map(plainRune, p.Server.Failure))
		}
	}
	return b.String()
}

func plainRune(r rune) rune {
	if r < ' ' || r == '`' {
		return ' '
	}
	return r
}

func size(bytes int) string {
	if bytes < 10_000 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// The marks between which Write puts a report. The rest of the file is people's.
const (
	markBegin = "<!-- load: begin -->\n"
	markEnd   = "<!-- load: end -->\n"
)

// Write puts the report between the marks of a file, which it makes where it is missing.
func (r Report) Write(file string) error {
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write report: %w", err)
	}
	text := string(old)
	if text == "" {
		text = "# Results\n\n## Load over HTTP\n\n" + markBegin + markEnd
	}
	before, rest, begun := strings.Cut(text, markBegin)
	_, after, ended := strings.Cut(rest, markEnd)
	if !begun || !ended {
		return fmt.Errorf("write report: %s has no place for it between %q and %q", file, strings.TrimSpace(markBegin), strings.TrimSpace(markEnd))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(file, []byte(before+markBegin+r.Markdown()+markEnd+after), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

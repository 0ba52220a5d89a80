package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/bench/history"
)

// build builds the real program once per test that needs it; the build cache makes that cheap.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	program := filepath.Join(t.TempDir(), "millimetric")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/millimetric").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// measured takes figures, checks that each text stands in the report, and that the file has what was printed.
func measured(t *testing.T, args, wants []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "RESULTS.md")
	var out bytes.Buffer
	args = append(args, "-program", build(t), "-dir", t.TempDir(), "-events", "20000", "-cold", "0", "-write", file)
	if err := run(t.Context(), args, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, want := range wants {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "NaN") {
		t.Errorf("a figure is missing in\n%s", &out)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), out.String()) {
		t.Errorf("%v: the file differs from what was printed", err)
	}
}

func TestTheEngineIsMeasuredFromEndToEnd(t *testing.T) {
	measured(t, []string{"engine", "-duration", "400ms", "-calm", "100ms", "-peers=false", "-source", ""},
		[]string{"| single events", "| batches of 100,", "| batches of 1000,", "clients ask without a pause", "space of an event's id", "after kill -9", "idle and empty", "| dictionaries |"})
}

func TestTrustIsMeasuredFromEndToEnd(t *testing.T) {
	measured(t, []string{"trust", "-persons", "1", "-duration", "2s"}, []string{"| all that is kept on a person of 10000 events |", "| forget until it answers",
		"| residue that the searches found | 0, in", "| restore of the newest position", "| the last ", "after kill -9 |"})
}

// needDatabases skips where the databases' packages aren't installed: only the benchmarks need them.
func needDatabases(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("../peers/node/node_modules/chdb"); err != nil {
		t.Skip("ClickHouse and DuckDB aren't installed: npm install in bench/peers/node")
	}
}

func TestTheQuestionsAgreeAndAreTimed(t *testing.T) {
	program := build(t)
	needDatabases(t)
	common := []string{"-program", program, "-script", "../peers/node/peer.mjs", "-events", "20000", "-keep", t.TempDir()}
	var out bytes.Buffer
	// The first one keeps the history, for all: also in the layout that it has no use for.
	if err := run(t.Context(), append([]string{"agree", "-each", "2"}, common...), &out, t.Output()); err != nil || !strings.Contains(out.String(), ": 0 answers differ") {
		t.Fatalf("%v: %s", err, &out)
	}
	if err := run(t.Context(), append([]string{"prepare"}, common...), &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := run(t.Context(), append([]string{"peers", "-cold", "0", "-runs", "1"}, common...), &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| Q1 |", "| Q12 |", "Most memory", "### Processor time", "clickhouse by_day |", "clickhouse by_visitor |", "duckdb events |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestRequestsFromAFileAreThoseThatAreMade(t *testing.T) {
	shape := history.Shape{Seed: 5, Events: 3500}
	h, err := history.New(shape)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	in, err := fileBodies(h, folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := history.New(shape)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for made := (madeBodies{history.Batches(again)}); ; {
		b, err := made.next(nil)
		if err != nil {
			t.Fatal(err)
		}
		want, n := b.text, b.events
		got, err := in.next(nil)
		if err != nil || got.events != n || n > 0 && !bytes.Equal(got.text, want) {
			t.Fatalf("%d events, want %d, %v", got.events, n, err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	if total != shape.Events {
		t.Errorf("%d events", total)
	}
	if err := in.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestTimesAreShownWithThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "–", 123 * time.Microsecond: "0.123", 1234 * time.Microsecond: "1.23", 56 * time.Millisecond: "56.0", 12345 * time.Millisecond: "12345"} {
		if got := ms(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
	}
}

func TestAQuestionIsHeldAgainstTheQuickerDatabase(t *testing.T) {
	z := size{}
	l := line{server: timing{median: time.Millisecond}, tables: []timing{{median: 300 * time.Millisecond}, {}, {median: 60 * time.Millisecond}}}
	l.times = 50
	if ratio, _, met := z.verdict(&l); ratio != "60.0 ×" || met != "met" {
		t.Errorf("%s, %s", ratio, met)
	}
	l.times = 100
	if _, _, met := z.verdict(&l); met == "met" {
		t.Error("60 times is not 100 times")
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"trust", "-persons", "0"}, {"peers", "-events", "many"}, {"peers", "-days", "10"}, {"agree", "-runs", "0"}, {"prepare"}, {"engine", "-keep", t.TempDir()}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, t.Output()); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestTheEncryptionsShareIsRead(t *testing.T) {
	e, err := readEncryption("goos: linux\nBenchmarkEncryption-2   \t  9\t  0 ns/op\t  2.500 %-at-most\t  -3.000 %-at-least\t  -1.250 %-of-encryption\t 2900 clear-cpu-ns/event\t  2864 cpu-ns/event\nPASS\n")
	if err != nil || e != (encryption{with: 2864, without: 2900, share: -1.25, least: -3, most: 2.5}) {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"", "PASS\n", "BenchmarkEncryption-2 9 0 ns/op\n"} {
		if _, err := readEncryption(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

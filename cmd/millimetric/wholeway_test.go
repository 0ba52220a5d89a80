package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wholeWay is a server over a data folder of its own, started and stopped as an operator would.
type wholeWay struct {
	t    *testing.T
	data string
	keys madeProject
	*daemon
}

func newWholeWay(t *testing.T) *wholeWay {
	t.Helper()
	if testing.Short() {
		t.Skip("imports a whole log")
	}
	w := &wholeWay{t: t, data: filepath.Join(t.TempDir(), "data")}
	w.keys = initFolder(t, w.data)
	w.start()
	return w
}

func (w *wholeWay) start() { w.daemon = startDaemon(w.t, "--data", w.data) }

// stop ends the server politely and returns its exit status.
func (w *wholeWay) stop() int {
	_ = w.Process.Signal(syscall.SIGTERM)
	_ = w.Wait()
	return w.ProcessState.ExitCode()
}

// kill ends the server as a crash would.
func (w *wholeWay) kill() {
	_ = w.Process.Kill()
	_ = w.Wait()
}

// rows asks for statistics over all time, bots included.
func (w *wholeWay) rows(params ...string) []map[string]any {
	w.t.Helper()
	query := url.Values{"from": {"2000-01-01"}, "to": {"2100-01-01"}, "limit": {"1000"}, "include_bots": {"true"}}
	for i := 0; i+1 < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	request, err := http.NewRequestWithContext(w.t.Context(), "GET", w.url+"/v1/stats?"+query.Encode(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = bearer(w.keys.RK)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var decoded struct{ Rows []map[string]any }
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(body, &decoded) != nil {
		w.t.Fatalf("%d %s %v", answer.StatusCode, body, err)
	}
	return decoded.Rows
}

func (w *wholeWay) count() int { return int(w.rows()[0]["value"].(float64)) }

// totals are the figures by which two imports are compared. They hold no visitor ids: those differ
// from folder to folder.
func (w *wholeWay) totals() string {
	w.t.Helper()
	return fmt.Sprintln(w.rows(), w.rows("metric", "uniques"), w.rows("metric", "uniques", "interval", "day"),
		w.rows("group_by", "path,country,browser"), w.rows("metric", "uniques", "group_by", "source,medium"))
}

// importer makes the command that imports a log; "-" is standard input.
func (w *wholeWay) importer(log string) *exec.Cmd {
	cmd := child(w.t, "import", "--server", w.url, "--format", "combined", "--site", "https://shop.example", "--json", log)
	cmd.Env = append(cmd.Env, "MILLIMETRIC_KEY="+w.keys.SK)
	return cmd
}

func (w *wholeWay) importAll(log string) {
	w.t.Helper()
	var errs bytes.Buffer
	cmd := w.importer(log)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || !json.Valid(out) {
		w.t.Fatalf("import: %v\n%s\n%s", err, out, errs.String())
	}
}

// logs are the logs to import: the project's own sample, and a real web server's log where it lies
// beside the project.
func logs(t *testing.T) []string {
	t.Helper()
	sample, err := filepath.Abs("../../bench/testdata/sample.log")
	if err != nil {
		t.Fatal(err)
	}
	found := []string{sample}
	if real, err := filepath.Abs("../../../shared/data/access-2015-05.log.gz"); err == nil && exists(real) {
		found = append(found, real)
	}
	return found
}

// shell runs a one-liner: the count that knows nothing of our code.
func shell(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// pageviews is a pipeline that prints the lines of a log that are page views. Lines whose last
// quoted field has no end are cut off.
func pageviews(log string) string {
	return "gzip -cdf '" + log + `' | awk '/"$/ && $6=="\"GET" && ($9 ~ /^2[0-9][0-9]$/ || $9=="304") {
		path=$7; sub(/[?#].*/, "", path); parts=split(path, segment, "/"); last=tolower(segment[parts])
		if (last !~ /\./ || last ~ /\.(html|htm|php)$/) print }'`
}

func TestImportedTotalsEqualAnIndependentCount(t *testing.T) {
	for _, log := range logs(t) {
		w := newWholeWay(t)
		w.importAll(log)
		if got, want := fmt.Sprint(w.count()), shell(t, pageviews(log)+" | wc -l"); got != want {
			t.Errorf("%s: %s page views, the one-liner counts %s", log, got, want)
		}
		// Visitors of the day: address and agent within one UTC day. Both logs stay inside one month,
		// and their zones are whole hours at or ahead of UTC.
		want := shell(t, pageviews(log)+` | awk -F '"' '{ split($1, at, " "); day=substr(at[4], 2, 2)
			if (substr(at[4], 14, 2) < substr(at[5], 2, 2)) day--
			print day+0, at[1], $(NF-1) }' | sort -u | cut -d' ' -f1 | uniq -c | awk '{ print $1 }' | sort -n | tr '\n' ' '`)
		var days []int
		for _, row := range w.rows("metric", "uniques", "interval", "day") {
			days = append(days, int(row["value"].(float64)))
		}
		slices.Sort(days)
		if got := strings.Trim(fmt.Sprint(days), "[]"); got != want {
			t.Errorf("%s: visitors by day, sorted: %s; the one-liner counts %s", log, got, want)
		}

		first := w.totals()
		w.importAll(log)
		if w.totals() != first {
			t.Errorf("%s: imported twice, the totals changed", log)
		}
		if code := w.stop(); code != 0 {
			t.Errorf("SIGTERM: exit %d\n%s", code, w.errs.String())
		}
		w.start()
		if w.totals() != first {
			t.Errorf("%s: started again, the totals changed", log)
		}
	}
}

func TestKilledDuringAnImportAndRunAgainGivesTheSameTotals(t *testing.T) {
	log := logs(t)[len(logs(t))-1]
	undisturbed := newWholeWay(t)
	undisturbed.importAll(log)
	want, all := undisturbed.totals(), undisturbed.count()

	w := newWholeWay(t)
	text := shell(t, "gzip -cdf '"+log+"'")
	// The importer's input stays open half-way, so that it is surely at work when the server dies.
	importer := w.importer("-")
	pipe, err := importer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := importer.Start(); err != nil {
		t.Fatal(err)
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = io.WriteString(pipe, text[:len(text)*3/4])
	}()
	for deadline := time.Now().Add(10 * time.Second); w.count() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	t.Logf("killed when %d of %d page views were visible", w.count(), all)
	w.kill()
	_ = importer.Process.Kill()
	_ = importer.Wait()
	<-fed

	w.start()
	if cut := w.count(); cut >= all {
		t.Errorf("the kill cut nothing off: %d of %d", cut, all)
	}
	w.importAll(log)
	if got := w.totals(); got != want {
		t.Errorf("after the kill and a second run:\n%s\nwant\n%s", got, want)
	}
}

func TestServersAreNoBots(t *testing.T) {
	w := newWholeWay(t)
	for _, agent := range []string{"curl/8.5.0", "Go-http-client/1.1", "python-requests/2.32.0", ""} {
		request, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/track", strings.NewReader(`{"event":"order"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = bearer(w.keys.SK)
		request.Header.Set("User-Agent", agent)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: %d", agent, answer.StatusCode)
		}
	}
	if rows := w.rows("include_bots", "false"); rows[0]["value"] != 4.0 {
		t.Errorf("%v; want all 4 events of servers", rows)
	}
}

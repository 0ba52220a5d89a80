package ask

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected output in the case file from what the code does now")

// A case of testdata/cases.txt is a title, a command line, the server's answer, and after ---- what
// the server was asked and what the command printed.
type askCase struct {
	title, line, want string
	status            int
	answer            string
}

func readCases(t *testing.T, file string) []askCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []askCase
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		head, want, ok := strings.Cut(block+"\n", "----\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		if !ok || len(lines) != 3 {
			t.Fatalf("not a case:\n%s", block)
		}
		var c askCase
		c.title, c.want = lines[0], strings.TrimSuffix(want, "\n")
		c.line = strings.TrimPrefix(lines[1], "ask ")
		status, answer, _ := strings.Cut(strings.TrimPrefix(lines[2], "answer "), " ")
		if c.status, err = strconv.Atoi(status); err != nil {
			t.Fatal(err)
		}
		c.answer = answer
		cases = append(cases, c)
	}
	return cases
}

func (c askCase) String() string {
	return strings.TrimRight(fmt.Sprintf("%s\nask %s\nanswer %d %s\n----\n%s", c.title, c.line, c.status, c.answer, c.want), "\n")
}

// split parts a command line at spaces outside single quotes.
func split(line string) []string {
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// run runs a command and returns what it printed, its error and the status of the process.
func run(t *testing.T, args ...string) (string, error, int) {
	t.Helper()
	root := &cobra.Command{Use: "millimetric", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(commands(func() time.Time { return time.Date(2026, 5, 4, 22, 30, 0, 0, time.UTC) })...)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	var chosen interface{ ExitCode() int }
	switch {
	case errors.As(err, &chosen):
		return out.String(), err, chosen.ExitCode()
	case err != nil:
		return out.String(), err, 1
	}
	return out.String(), nil, 0
}

func TestCommandsAskAndPrintAsTheCasesSay(t *testing.T) {
	const file = "testdata/cases.txt"
	t.Setenv(keyVariable, "rk_live_01234567_secret")
	cases := readCases(t, file)
	for i, c := range cases {
		asked := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query, _ := url.QueryUnescape(r.URL.RawQuery)
			asked = r.Method + " " + r.URL.Path + " " + strings.ReplaceAll(query, "&", " ") + "\n"
			if r.Header.Get("Authorization") != "Bearer rk_live_01234567_secret" {
				t.Errorf("%s: the key isn't sent", c.title)
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.answer)
		}))
		out, err, code := run(t, append(split(c.line), "--server", server.URL)...)
		server.Close()
		got := asked + out
		if err != nil {
			got += fmt.Sprintf("status %d: %v\n", code, err)
		}
		if got = strings.TrimRight(got, "\n"); got != strings.TrimRight(c.want, "\n") && !*rewrite {
			t.Errorf("%s\n got:\n%s\nwant:\n%s", c.title, got, c.want)
		}
		cases[i].want = got
	}
	if *rewrite {
		var text []string
		for _, c := range cases {
			text = append(text, c.String())
		}
		if err := os.WriteFile(file, []byte(strings.Join(text, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTablesAndPicturesAreSavedAsTheyCome asks a server that answers by Accept, as ours does.
func TestTablesAndPicturesAreSavedAsTheyCome(t *testing.T) {
	t.Setenv(keyVariable, "rk_live_01234567_secret")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := r.Header.Get("Accept")
		if kind == mediaSVG && r.URL.Path == "/v1/query" {
			kind = mediaJSON
		}
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		w.Header().Set("Millimetric-Next", "abc")
		fmt.Fprintf(w, "%s of %s\n", kind, r.URL.Path)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "picture.svg")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"stats", "--csv"}, "text/csv of /v1/stats\nnext: abc\n"},
		{[]string{"funnel", "--step", "a", "--step", "b", "--svg", "-"}, "image/svg+xml of /v1/funnel\nnext: abc\n"},
		{[]string{"paths", "--start", "a", "--svg", file}, "next: abc\n"},
	} {
		if out, err, _ := run(t, append(c.args, "--server", server.URL)...); err != nil || out != c.want {
			t.Errorf("%v: %q, %v", c.args, out, err)
		}
	}
	if saved, err := os.ReadFile(file); err != nil || string(saved) != "image/svg+xml of /v1/paths\n" {
		t.Errorf("saved %q, %v", saved, err)
	}
	if out, err, _ := run(t, "query", "--svg", file, "--server", server.URL); err == nil || out != "" {
		t.Errorf("a picture of single events: %q", out)
	}
}

func TestAServerThatIsNotThereIsSaidToBeStarted(t *testing.T) {
	t.Setenv(keyVariable, "rk_live_01234567_secret")
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err, code := run(t, "stats", "--server", server.URL)
	if code != 1 || !strings.Contains(err.Error(), "millimetric serve") || strings.Contains(err.Error(), "secret") {
		t.Errorf("status %d: %v", code, err)
	}
}

func TestAMissingKeyIsAMistakeOfTheCommandLine(t *testing.T) {
	t.Setenv(keyVariable, "")
	if _, err, code := run(t, "stats"); code != 2 || !strings.Contains(err.Error(), keyVariable) {
		t.Errorf("status %d: %v", code, err)
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	for _, cmd := range Commands() {
		out, err, _ := run(t, cmd.Name(), "--help")
		if err != nil || !strings.Contains(out, "Examples:") || !strings.Contains(out, "millimetric "+cmd.Name()) {
			t.Errorf("%s: %v\n%s", cmd.Name(), err, out)
		}
	}
}

func TestTheLongestBarFillsItsRoomAndTheShortestIsSeen(t *testing.T) {
	for _, c := range []struct {
		value float64
		want  string
	}{{0, ""}, {0.001, "▏"}, {0.5, "█████"}, {0.51, "█████▏"}, {0.99, "█████████▉"}, {1, "██████████"}} {
		if got := bar(c.value*1000, 1000, 10); got != c.want {
			t.Errorf("%v: got %q, want %q", c.value, got, c.want)
		}
	}
}

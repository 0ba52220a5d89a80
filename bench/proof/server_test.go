package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the real binary, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	if err := lookAtSources(); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(built, "millimetric"), "millimetric/cmd/millimetric").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return filepath.Join(built, "millimetric"), nil
})

// lookAtSources looks at every source of the project: what a test looks at, its kept result depends on.
// Without that, tests of a program that has changed would be held to have passed.
func lookAtSources() error {
	return filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") {
			_, err = os.Stat(name)
		}
		return err
	})
}

// top is where the project lies.
const top = "../.."

// built is the folder of the binary.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "millimetric-proof-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// command makes a command of the binary, which ends with the test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, args...)
	c.SysProcAttr = endsWithParent()
	return c
}

// keys are what init prints.
type keys struct {
	Project string `json:"project_id"`
	SK, RK  string
	PK, AK  string
}

func initFolder(t *testing.T, data string, args ...string) (k keys) {
	t.Helper()
	out, err := command(t, append([]string{"init", "--json", "--data", data}, args...)...).Output()
	if err != nil || json.Unmarshal(out, &k) != nil {
		t.Fatalf("init: %v: %s", err, out)
	}
	return k
}

// check verifies the folder of a server that is stopped.
func check(t *testing.T, data string) {
	t.Helper()
	if out, err := command(t, "check", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("check: %v: %s", err, out)
	}
}

// server is the binary, serving.
type server struct {
	*exec.Cmd
	url     string
	readyIn time.Duration // from its start to its first answer that it is ready
	ended   chan struct{} // closed once it is gone

	mu  sync.Mutex
	log bytes.Buffer
}

var urlPattern = regexp.MustCompile(`url=(http://\S+)`)

// serve starts the server without waiting for it.
func serve(t *testing.T, data string, args ...string) (s *server, listens chan string) {
	t.Helper()
	s = &server{Cmd: command(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)...), ended: make(chan struct{})}
	errs, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	listens = make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			s.mu.Lock()
			fmt.Fprintln(&s.log, lines.Text())
			s.mu.Unlock()
			if m := urlPattern.FindStringSubmatch(lines.Text()); m != nil {
				listens <- m[1]
			}
		}
		_ = s.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.kill)
	return s, listens
}

// start starts the server and waits until it is ready.
func start(t *testing.T, data string, args ...string) *server {
	t.Helper()
	begin := time.Now()
	s, listens := serve(t, data, args...)
	select {
	case s.url = <-listens:
	case <-s.ended:
		t.Fatalf("the server ended: %s", s.said())
	case <-time.After(60 * time.Second):
		t.Fatalf("the server doesn't listen: %s", s.said())
	}
	for s.status("/readyz") != http.StatusOK {
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("the server isn't ready: %s", s.said())
		}
		time.Sleep(time.Millisecond)
	}
	s.readyIn = time.Since(begin)
	return s
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// kill ends the server as a crash of the process would.
func (s *server) kill() {
	_ = s.Process.Kill()
	<-s.ended
}

// stop ends it politely, and returns its exit status and how long it took.
func (s *server) stop() (code int, took time.Duration) {
	begin := time.Now()
	_ = s.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		s.kill()
	}
	return s.ProcessState.ExitCode(), time.Since(begin)
}

// client bounds how long a request may take.
var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// answer is what came back; its status is 0 where nothing did.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *server) ask(method, path, key string, body any) (a answer) {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		return a
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := client.Do(request)
	if err != nil {
		return a
	}
	defer response.Body.Close()
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}
	}
	a.status, a.header = response.StatusCode, response.Header
	return a
}

func (s *server) status(path string) int { return s.ask("GET", path, "", nil).status }

// row is an event as the server shows it.
type row struct {
	Timestamp   string
	Name        string `json:"event_name"`
	ID          string `json:"event_id"`
	AnonymousID string `json:"anonymous_id"`
	Properties  string
}

// rows lists the events between two times, all pages of them.
func (s *server) rows(key string, from, to time.Time) (all []row, err error) {
	params := url.Values{
		"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)},
		"limit": {"1000"}, "explain": {"true"}, "include_bots": {"true"},
	}
	for {
		a := s.ask("GET", "/v1/query?"+params.Encode(), key, nil)
		var page struct {
			Rows []row
			Next string
		}
		if a.status != http.StatusOK || json.Unmarshal(a.body, &page) != nil {
			return nil, fmt.Errorf("query: %d %s", a.status, a.body)
		}
		all = append(all, page.Rows...)
		if page.Next == "" {
			return all, nil
		}
		params = url.Values{"cursor": {page.Next}}
	}
}

// count asks for a number over all time: of events, or of visitors.
func (s *server) count(key, metric string) (int, error) {
	a := s.ask("GET", "/v1/stats?from=2000-01-01&to=2100-01-01&include_bots=true&metric="+metric, key, nil)
	var stats struct{ Rows []struct{ Value int } }
	if a.status != http.StatusOK || json.Unmarshal(a.body, &stats) != nil {
		return 0, fmt.Errorf("stats: %d %s", a.status, strings.TrimSpace(string(a.body)))
	}
	if len(stats.Rows) == 0 {
		return 0, nil
	}
	return stats.Rows[0].Value, nil
}

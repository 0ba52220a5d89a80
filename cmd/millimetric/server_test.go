package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/engine"
)

// testNow is what the clock of a server under test shows.
var testNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// running is a real server on a loopback port over a folder of its own.
type running struct {
	t      *testing.T
	dir    string
	url    string
	addr   string
	server *server
	folder *folder
	logs   *lockedBuffer
	words  map[string]string // placeholders of case files
	stop   func()
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func startServer(t *testing.T, proxies ...netip.Prefix) *running {
	t.Helper()
	return startServerWith(t, engine.Options{}, func(s *server) { s.proxies = proxies })
}

// startServerWith starts a server with a store of one's own options, changed before it takes requests.
func startServerWith(t *testing.T, store engine.Options, change func(*server)) *running {
	t.Helper()
	store.FreeBytesMin, store.FreePercentMin = -1, -1
	r := &running{t: t, dir: filepath.Join(t.TempDir(), "data"), logs: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(r.logs, nil))
	now := func() time.Time { return testNow }
	f, err := openFolder(folderOptions{Dir: r.dir, Log: log, Now: now, Engine: store})
	if err != nil {
		t.Fatal(err)
	}
	r.folder = f
	r.makeWords()
	if r.server, err = newServer(f, nil, log, now); err != nil {
		t.Fatal(err)
	}
	r.server.jitter = func(int) int { return 0 }
	change(r.server)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	r.url = "http://" + r.addr
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.server.serve(ctx, ln, nil) }()
	r.stop = sync.OnceFunc(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := f.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// makeWords makes two projects of one account and one of another, and names all of their keys.
func (r *running) makeWords() {
	r.t.Helper()
	must := func(err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	ctx := r.t.Context()
	book := r.folder.book
	made, err := r.folder.addProject(ctx, auth.NewProject{Name: "shop", Origins: []string{"https://shop.example"}})
	must(err)
	second, err := r.folder.addProject(ctx, auth.NewProject{Name: "blog", Origins: []string{"https://blog.example"}})
	must(err)
	other, ak, err := book.CreateAccount(ctx, "other")
	must(err)
	theirs, keys, err := book.CreateProject(ctx, auth.NewProject{Account: other.ID, Name: "theirs"})
	must(err)
	own := book.Accounts()[0]
	past := testNow.Add(-time.Hour)
	expired, err := book.Mint(ctx, auth.NewKey{Kind: auth.KindSecret, Account: own.ID, Project: made.ProjectID, Expires: &past})
	must(err)
	revoked, err := book.Mint(ctx, auth.NewKey{Kind: auth.KindSecret, Account: own.ID, Project: made.ProjectID})
	must(err)
	_, err = book.Revoke(ctx, revoked.Prefix)
	must(err)
	r.words = map[string]string{
		"pk": made.PK, "sk": made.SK, "rk": made.RK, "ak": made.AK, "project": made.ProjectID,
		"blog": second.ProjectID, "blog_pk": second.PK, "blog_sk": second.SK, "blog_rk": second.RK,
		"their_ak": ak.Text, "theirs": theirs.ID, "their_rk": keys[2].Text,
		"sk_as_rk": "rk" + made.SK[2:], "expired": expired.Text, "revoked": revoked.Text,
	}
}

// fill puts the keys and ids of this run in the place of {words}.
func (r *running) fill(text string) string {
	for word, value := range r.words {
		text = strings.ReplaceAll(text, "{"+word+"}", value)
	}
	return text
}

// call sends a request with net/http and returns the answer and its body.
func (r *running) call(method, path string, header http.Header, body io.Reader) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(text)
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

func TestHealthNeedsNoKeyAndEndsWithTheServer(t *testing.T) {
	r := startServer(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		res, body := r.call("GET", path, nil, nil)
		if res.StatusCode != 200 || body != `{"ok":true}` {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	r.server.ended.Store(true)
	res, body := r.call("GET", "/healthz", nil, nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("while stopping: %d %s", res.StatusCode, body)
	}
}

func TestARequestUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	r := startServer(t)
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := `{"event":"late","event_id":"late-1"}`
	head := "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] + "\r\nContent-Length: 36\r\n\r\n"
	if _, err := io.WriteString(c, head+body[:10]); err != nil {
		t.Fatal(err)
	}
	// The server must have begun to read before it is told to stop; the answer to another request
	// on a later connection shows that it accepts in order.
	r.call("GET", "/healthz", nil, nil)
	ended := make(chan struct{})
	go func() { r.stop(); close(ended) }()
	for !r.server.ended.Load() {
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(c, body[10:]); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 202")) {
		t.Errorf("%v %s", err, answer)
	}
	<-ended
}

func TestNothingOfARequestIsLogged(t *testing.T) {
	r := startServer(t)
	sentinels := []string{"203.0.113.77", "sentinel-agent", r.words["sk"], "ann@mail.example", r.words["pk"]}
	header := bearer(r.words["sk"])
	header.Set("User-Agent", "sentinel-agent")
	header.Set("X-Forwarded-For", "203.0.113.77")
	for _, body := range []string{`{"event":"x","ip":"203.0.113.77","user_id":"ann@mail.example"}`, `{"event":`, ``} {
		r.call("POST", "/v1/track?email=ann@mail.example", header, strings.NewReader(body))
	}
	r.call("POST", "/v1/batch?key="+r.words["pk"], nil, strings.NewReader(`{"events":[]}`))
	for _, raw := range []string{"GET /v1/stats?email=ann@mail.example HTTP/1.1\r\nHost x: ann@mail.example\r\n\r\n",
		"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] + "\r\nContent-Length: -1\r\n\r\n"} {
		r.raw(raw)
	}
	r.stop()
	for _, sentinel := range append(sentinels, "127.0.0.1:") {
		if strings.Contains(r.logs.String(), sentinel) {
			t.Errorf("the log holds %q:\n%s", sentinel, r.logs)
		}
	}
	err := filepath.WalkDir(r.dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		for _, sentinel := range []string{"203.0.113.77", "sentinel-agent", r.words["sk"]} {
			if bytes.Contains(text, []byte(sentinel)) {
				t.Errorf("%s holds %q", name, sentinel)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPanicEndsOneRequestOnly(t *testing.T) {
	r := startServer(t)
	boom := route{methods: []string{"GET"}, path: "/boom", handle: func(*server, *fasthttp.RequestCtx, auth.Grant) error {
		panic("ann@mail.example")
	}}
	r.server.routes.whole["/boom"] = []route{boom}
	res, body := r.call("GET", "/boom?email=ann@mail.example", nil, nil)
	if res.StatusCode != 500 || body != `{"error":"internal_error"}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if log := r.logs.String(); !strings.Contains(log, "server_test.go") || strings.Contains(log, "ann@mail.example") {
		t.Errorf("the log should say where, and nothing that was sent: %s", log)
	}
	if res, _ := r.call("GET", "/healthz", nil, nil); res.StatusCode != 200 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

func TestKeysOutliveARestartAndRevokedOnesDoNot(t *testing.T) {
	r := startServer(t)
	if res, body := r.call("POST", "/v1/track", bearer(r.words["blog_sk"]), strings.NewReader(`{"event":"x"}`)); res.StatusCode != 202 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if _, err := r.folder.book.Revoke(t.Context(), r.words["blog_sk"][8:16]); err != nil {
		t.Fatal(err)
	}
	if res, _ := r.call("POST", "/v1/track", bearer(r.words["blog_sk"]), strings.NewReader(`{"event":"x"}`)); res.StatusCode != 401 {
		t.Errorf("a key that was just revoked: %d", res.StatusCode)
	}
	r.stop()
	f, err := openFolder(folderOptions{Dir: r.dir, Log: quietLog(io.Discard), Now: func() time.Time { return testNow }, Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for word, want := range map[string]bool{"sk": true, "blog_sk": false, "rk": true, "ak": true} {
		_, err := f.book.Check(auth.Claim{Key: r.words[word], Route: auth.Kinds()})
		if (err == nil) != want {
			t.Errorf("%s after a restart: %v", word, err)
		}
	}
}

// requestFrom is a request as the HTTP library would hand it over.
func requestFrom(t *testing.T, remote string, forward []string) *fasthttp.RequestCtx {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", remote)
	if err != nil {
		t.Fatal(err)
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, addr, nil)
	for _, value := range forward {
		ctx.Request.Header.Add("X-Forwarded-For", value)
	}
	return ctx
}

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/index/event"
)

func TestRoomForBodiesIsSharedOutAndComesBack(t *testing.T) {
	clock := time.Now()
	r := newRoom(0, func() time.Time { return clock })
	const each = event.BodyBytesMax
	headers := make([]fasthttp.RequestHeader, 8)
	for i, c := range []struct {
		project event.Project
		want    bool
	}{{1, true}, {1, true}, {1, false}, {2, true}, {2, true}, {3, false}} {
		if got := r.take(&headers[i], c.project, each); got != c.want || (r.has(&headers[i]) == 0) == c.want {
			t.Errorf("%d: project %d: %v", i, c.project, got)
		}
	}
	if used := r.used.Load(); used != r.most {
		t.Errorf("%d of %d are used", used, r.most)
	}
	r.give(&headers[0])
	r.give(&headers[0])
	if !r.take(&headers[6], 3, each) || r.take(&headers[7], 3, 1) {
		t.Error("what one gave back must be there for one other")
	}
	// A claim on top of one counts with it, and one that finds no room takes both back.
	if r.take(&headers[6], 3, each) || r.has(&headers[6]) != 0 || r.used.Load() != 3*each {
		t.Errorf("%d are used, %d by it", r.used.Load(), r.has(&headers[6]))
	}
	clock = clock.Add(heldMost + time.Second)
	if !r.take(&headers[7], 4, 2*each) {
		t.Error("claims that nobody gives back hold the room for ever")
	}
	for i := range headers {
		r.give(&headers[i])
	}
	if used := r.used.Load(); used != 0 {
		t.Errorf("%d are used after all was given back", used)
	}
}

// stall sends a request's beginning and leaves it at that.
func (r *running) stall(head string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, head); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *running) waitRoom(want int64) {
	r.t.Helper()
	for range 3000 {
		if r.server.room.used.Load() == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("%d bytes of the room are used, want %d", r.server.room.used.Load(), want)
}

// A publishable key is in every page, so that whoever has it must not keep the others out.
func TestUploadsThatStallKeepOutNeitherOtherProjectsNorSmallBodies(t *testing.T) {
	r := startServer(t)
	upload := func(key string, size int) string {
		return fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", key, size)
	}
	var stalled []net.Conn
	for range 2 {
		stalled = append(stalled, r.stall(upload(r.words["pk"], event.BodyBytesMax)))
	}
	r.waitRoom(2 * event.BodyBytesMax)
	c := r.stall(upload(r.words["sk"], 100_000))
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "overloaded") || !res.Close {
		t.Errorf("one more: %d %s %v", res.StatusCode, text, res.Header)
	}
	if res, text := r.call("POST", "/v1/track", bearer(r.words["sk"]), strings.NewReader(`{"event":"x"}`)); res.StatusCode != 202 {
		t.Errorf("a small body: %d %s", res.StatusCode, text)
	}
	large := `{"event":"x"}` + strings.Repeat(" ", 200_000)
	if res, text := r.call("POST", "/v1/track", bearer(r.words["blog_sk"]), strings.NewReader(large)); res.StatusCode != 202 {
		t.Errorf("another project's: %d %s", res.StatusCode, text)
	}
	for _, c := range stalled {
		_ = c.Close()
	}
	r.waitRoom(0)
	if res, text := r.call("POST", "/v1/track", bearer(r.words["sk"]), strings.NewReader(large)); res.StatusCode != 202 {
		t.Errorf("afterwards: %d %s", res.StatusCode, text)
	}
	r.waitRoom(0)
}

// A stranger claims a body and sends none of it: that must cost the server nothing but the answer.
func TestClaimsOfStrangersTakeNoMemory(t *testing.T) {
	r := startServer(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const strangers, each = 200, 1_000_000
	for i := range strangers {
		key := []string{"", "Authorization: Bearer sk_live_00000000_x\r\n", "Authorization: Bearer " + r.words["revoked"] + "\r\n"}[i%3]
		r.stall(fmt.Sprintf("POST /v1/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", []string{"track", "stats"}[i%2], key, each))
	}
	if res, _ := r.call("GET", "/healthz", nil, nil); res.StatusCode != 200 {
		t.Errorf("beside them: %d", res.StatusCode)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > strangers*each/4 {
		t.Errorf("%d strangers made the server allocate %d bytes", strangers, grown)
	}
	r.waitRoom(0)
}

// Who tries an administrator's call with a wrong key must not escape the audit log by a body that isn't read.
func TestARefusalOfALargeBodyIsInTheAuditLog(t *testing.T) {
	r := startServer(t)
	large := strings.Repeat(" ", 100_000)
	for key, rest := range map[string]string{"rk": "\r\n" + large, "sk": "Expect: 100-continue\r\n\r\n"} {
		status, text, closed := r.raw("POST /v1/admin/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words[key] +
			fmt.Sprintf("\r\nContent-Length: %d\r\n", len(large)) + rest)
		if status != 403 || !closed {
			t.Fatalf("%d %s", status, text)
		}
		rows, _, err := r.folder.audit.Read(audit.Question{Action: "projects.create", Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		if entry := string(rows[0].Entry); !strings.Contains(entry, `"insufficient_scope"`) || !strings.Contains(entry, `"kind":"`+key+`"`) {
			t.Errorf("%s: the answer was %s, and the audit log doesn't say so: %s", key, text, entry)
		}
	}
}

func TestManyBodiesThatGrowWhenUnpackedAreBoundedTogether(t *testing.T) {
	r := startServer(t)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = io.WriteString(writer, `{"event":"x"}`+strings.Repeat(" ", event.BodyBytesMax-100))
	_ = writer.Close()
	var most, refused, taken int64
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 12 {
		clients.Go(func() {
			header := bearer(r.words["sk"])
			header.Set("Content-Encoding", "gzip")
			res, text := r.call("POST", "/v1/track", header, bytes.NewReader(packed.Bytes()))
			mu.Lock()
			defer mu.Unlock()
			most = max(most, r.server.room.used.Load())
			switch {
			case res.StatusCode == 202:
				taken++
			case res.StatusCode == 503 && res.Header.Get("Retry-After") != "":
				refused++
			default:
				t.Errorf("%d %s", res.StatusCode, text)
			}
		})
	}
	clients.Wait()
	if most > r.server.room.most || taken == 0 {
		t.Errorf("taken=%d refused=%d most=%d of %d", taken, refused, most, r.server.room.most)
	}
	r.waitRoom(0)
}

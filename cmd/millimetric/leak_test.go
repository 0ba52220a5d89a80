package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

// What requests of the proof below carry, and what must be nowhere afterwards.
const (
	leakV4     = "203.0.113.77"
	leakV6     = "2001:db8:5e:7e::77"
	leakMapped = "::ffff:203.0.113.78"
	leakMail   = "leaking.ann@mail.example"
	leakAgent  = "LeakingAgent/7.7 (a whole user agent)"
	leakKey    = "sk_live_0123abcd_leakingleakingleakingleakingleaking0123456789ABCDEF"
)

// leaking makes requests that carry it all, in places where clients do put it.
type leaking struct {
	url  string
	keys madeProject
}

// request makes a request that HTTP allows; the server may refuse it.
func (l *leaking) request(r *rand.Rand) (*http.Request, error) {
	address := []string{leakV4, leakV6, leakMapped}[r.IntN(3)]
	event := fmt.Sprintf(`{"event":"view","event_id":"e%d","anonymous_id":"a%d","ip":%q,"user_agent":%q,`+
		`"url":"https://shop.example/p?email=%s&ip=%s","referrer":"https://mail.example/?to=%s","properties":{"n":1,"contact":%q,"from_ip":%q}}`,
		r.Uint64(), r.IntN(500), address, leakAgent, leakMail, address, leakMail, leakMail, address)
	method, path, body, key := "POST", "/v1/track", event, l.keys.SK
	switch r.IntN(10) {
	case 0:
		path, body = "/v1/batch", `{"events":[`+event+`,`+event+`]}`
	case 1:
		body = body[:r.IntN(len(body))] // cut
	case 2:
		body = strings.Replace(body, `"view"`, `7`, 1)
	case 3:
		key = leakKey
	case 4:
		path += "?email=" + leakMail + "&ip=" + address
	case 5:
		method, path, body, key = "GET", "/v1/stats?from=2020-01-01&to=2030-01-01&email="+leakMail, "", l.keys.RK
	case 6:
		path = "/v1/" + leakMail
	case 7:
		path, body, key = "/v1/track?key="+l.keys.PK, event, ""
	}
	req, err := http.NewRequest(method, l.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	req.Header.Set("X-Forwarded-For", address+", 127.0.0.1")
	req.Header.Set("User-Agent", leakAgent)
	req.Header.Set("Referer", "https://mail.example/?to="+leakMail)
	return req, nil
}

// raw makes bytes that aren't HTTP.
func (l *leaking) raw(r *rand.Rand) string {
	head := "POST /v1/track?email=" + leakMail + " HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + leakV4 + "\r\nAuthorization: Bearer " + l.keys.SK + "\r\n"
	switch r.IntN(4) {
	case 0:
		return head + "Content-Length: -1\r\n\r\n" + leakMail
	case 1:
		return head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + leakMail
	case 2:
		return strings.Replace(head, "Host: x", "Host x "+leakV6, 1) + "\r\n"
	}
	return head + "Content-Length: 500\r\n\r\n{\"event\":\"x\",\"ip\":\"" + leakV6 // and no more
}

// send sends so many requests, a tenth of them malformed, and counts the answers by status; 0 is none.
func (l *leaking) send(t *testing.T, seed uint64, requests int) map[int]int {
	t.Helper()
	r, client, statuses := rand.New(rand.NewPCG(seed, 7)), http.Client{Transport: &http.Transport{}}, map[int]int{}
	defer client.CloseIdleConnections()
	for range requests {
		if r.IntN(10) == 0 {
			c, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
			if err != nil {
				t.Error(err)
				return statuses
			}
			_, _ = io.WriteString(c, l.raw(r))
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			statuses[0]++
			continue
		}
		req, err := l.request(r)
		if err != nil {
			t.Error(err)
			return statuses
		}
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		statuses[res.StatusCode]++
	}
	return statuses
}

// Addresses, keys, whole agents and mail addresses of requests, good ones and malformed ones, are in nothing that the
// server has printed, in none of its files, in no event, and, five seconds after the last request, nowhere in its heap.
func TestProofNothingThatOnlyCameAlongIsLeft(t *testing.T) {
	seed, requests := enginetest.Seed(t), enginetest.Figure(t, 400, 4000, 100_000)
	heap, data := heapDumped(t), filepath.Join(t.TempDir(), "data")
	keys := initFolder(t, data)
	d := startDaemon(t, "--data", data, "--trusted-proxy", "127.0.0.0/8")
	l := &leaking{d.url, keys}
	const senders = 8
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range uint64(senders) {
		all.Go(func() {
			own := l.send(t, seed+i, requests/senders)
			mu.Lock()
			defer mu.Unlock()
			for status, n := range own {
				statuses[status] += n
			}
		})
	}
	all.Wait()
	time.Sleep(5 * time.Second)
	dump := d.heapDump(t, heap)
	_ = d.Process.Signal(syscall.SIGTERM)
	_ = d.Wait()
	secrets := []string{leakV4, leakV6, leakMapped, leakMail, leakAgent, leakKey, keys.SK, keys.PK, keys.RK}
	hits := 0
	search := func(place string, text []byte) {
		for _, secret := range secrets {
			if at := bytes.Index(text, []byte(secret)); at >= 0 {
				hits++
				t.Errorf("seed=%d: %s holds %q near %q", seed, place, secret, text[max(0, at-80):min(len(text), at+len(secret)+20)])
			}
		}
	}
	search("the heap", dump)
	search("the server's output", []byte(d.out.String()+d.errs.String()))
	stored := storedText(t, data)
	search("the stored events", stored)
	err := filepath.WalkDir(data, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		search("the file "+filepath.Base(name), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Say(t, "P7", "seed=%d requests=%d statuses=%v stored_bytes=%d hits=%d heap_bytes=%d", seed, requests, statuses, len(stored), hits, len(dump))
	if statuses[202] < requests/4 || statuses[400] == 0 || statuses[401] == 0 || statuses[0] == 0 || !bytes.Contains(dump, []byte("shop.example")) {
		t.Errorf("seed=%d: too little came to prove anything: %v", seed, statuses)
	}
}

// heapDump has the server write its heap.
func (d *daemon) heapDump(t *testing.T, name string) []byte {
	t.Helper()
	if err := d.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if exists(name) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	dump, err := os.ReadFile(name)
	if err != nil || len(dump) < 1<<20 {
		t.Fatalf("heap dump of %d bytes: %v", len(dump), err)
	}
	return dump
}

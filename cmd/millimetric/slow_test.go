package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/engine/enginetest"
)

// slowClient opens a connection and sends bytes of a request one by one, until it is cut; it returns after how
// long that was.
func slowClient(addr, request string, pause time.Duration) (time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	begin, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.SetReadDeadline(begin.Add(time.Minute))
		_, _ = io.Copy(io.Discard, c) // the answer, should there be one, and the end
	}()
	for i := 0; ; i++ {
		if i < len(request) {
			_, _ = c.Write([]byte{request[i]})
		}
		select {
		case <-ended:
			return time.Since(begin), nil
		case <-time.After(pause):
		}
	}
}

// goodTraffic sends events on kept connections and returns how long the answers took.
func goodTraffic(t *testing.T, r *running, stop <-chan struct{}) []time.Duration {
	t.Helper()
	var took []time.Duration
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-stop:
			return took
		case <-time.After(2 * time.Millisecond):
		}
		req, err := http.NewRequest("POST", r.url+"/v1/track", strings.NewReader(`{"event":"x"}`))
		if err != nil {
			t.Error(err)
			return took
		}
		req.Header = bearer(r.words["sk"])
		begin := time.Now()
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("good traffic: %v", err)
			return took
		}
		took = append(took, time.Since(begin))
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 202 {
			t.Errorf("good traffic: %d", res.StatusCode)
		}
	}
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// during measures good traffic while work runs.
func during(t *testing.T, r *running, work func()) time.Duration {
	t.Helper()
	stop := make(chan struct{})
	result := make(chan []time.Duration, 1)
	go func() { result <- goodTraffic(t, r, stop) }()
	work()
	close(stop)
	if took := <-result; len(took) > 0 {
		return p99(took)
	}
	t.Error("there was no good traffic")
	return 0
}

// Clients that send a byte now and then hold connections open. They must be cut in time, and whoever sends at
// a pace must not feel them.
func TestProofSlowClientsAreCutAndNobodyElseFeelsThem(t *testing.T) {
	slow := enginetest.Figure(t, 30, 150, 2000)
	timeout := readTimeout
	if !enginetest.Full() {
		timeout = time.Second
	}
	r := startServerWith(t, engine.Options{}, func(s *server) {
		s.fit(2 << 30)
		s.http.ReadTimeout = timeout
	})
	if r.server.connsMax < slow+64 {
		t.Skipf("NOT RUN: the system allows %d connections only", r.server.connsMax)
	}
	requests := []string{
		"",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: " + strings.Repeat("a", 4000),
		fmt.Sprintf("POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 9000\r\n\r\n%s", r.words["sk"], strings.Repeat(" ", 4000)),
	}
	alone := during(t, r, func() { time.Sleep(timeout / 2) })
	var longest atomic.Int64
	beside := during(t, r, func() {
		var all sync.WaitGroup
		for i := range slow {
			all.Go(func() {
				took, err := slowClient(r.addr, requests[i%len(requests)], timeout/5)
				if err != nil {
					t.Error(err)
				}
				for {
					old := longest.Load()
					if int64(took) <= old || longest.CompareAndSwap(old, int64(took)) {
						return
					}
				}
			})
		}
		all.Wait()
	})
	cut := time.Duration(longest.Load())
	// A machine that does other things, too, may notice late that the time is over.
	if late := 5 * time.Second; cut > timeout+late {
		t.Errorf("a slow client was cut after %v", cut)
	}
	if enginetest.Full() && beside > 2*alone+5*time.Millisecond {
		t.Errorf("good traffic took %v beside slow clients, %v without", beside, alone)
	}
	enginetest.Say(t, "S8, slow clients", "clients=%d cut_s=%.1f p99_alone_ms=%.1f p99_beside_ms=%.1f", slow, cut.Seconds(),
		alone.Seconds()*1000, beside.Seconds()*1000)
}

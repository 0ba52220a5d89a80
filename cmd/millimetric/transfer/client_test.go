package transfer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"millimetric/index/event"
)

// cutting serves an export, and cuts the connection in the middle of the third line of each answer.
type cutting struct {
	t     *testing.T
	lines []string
	asked []url.Values
}

func (c *cutting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	c.asked = append(c.asked, params)
	if len(c.asked) == 2 { // as while a server restarts
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":"overloaded"}`))
		return
	}
	from := 0
	if _, seq, ok := strings.Cut(params.Get("after"), ","); ok {
		from, _ = strconv.Atoi(seq)
	}
	w.Header().Set(headerAsOf, "99")
	for i, line := range c.lines[from:] {
		if i == 2 {
			_, _ = w.Write([]byte(line[:len(line)/2]))
			if err := http.NewResponseController(w).Flush(); err != nil {
				c.t.Error(err)
			}
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(line))
	}
}

func TestAnExportGoesOnWhereItsConnectionWasCut(t *testing.T) {
	events := someEvents(9, 9)
	for i := range events {
		events[i].Time = event.Time(1000 * i)
	}
	server := &cutting{t: t}
	for i := range events {
		row := rowOf(&events[i])
		server.lines = append(server.lines, string(append(appendRow([]byte{'{'}, &row), "}\n"...)))
	}
	listening := httptest.NewServer(server)
	defer listening.Close()
	c := &client{http: listening.Client(), server: listening.URL, key: "rk_x", pause: 1}
	var got []uint64
	rows, err := c.export(context.Background(), url.Values{"from": {"1970-01-01"}}, nil, func(r *Row) error {
		got = append(got, r.Seq)
		return nil
	})
	if err != nil || rows != len(events) {
		t.Fatalf("%d rows, %v", rows, err)
	}
	for i, seq := range got {
		if seq != uint64(i+1) {
			t.Fatalf("the rows are %v", got)
		}
	}
	for i, params := range server.asked[1:] {
		if params.Get("as_of") != "99" || params.Get("after") == "" {
			t.Errorf("request %d goes on with %v", i+2, params)
		}
	}
	// What asking again doesn't change is said at once.
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":"insufficient_scope"}`))
	}))
	defer refusing.Close()
	c = &client{http: refusing.Client(), server: refusing.URL, key: "rk_x", pause: 1}
	if _, err := c.export(context.Background(), url.Values{}, nil, func(*Row) error { return nil }); err == nil || !strings.Contains(err.Error(), "insufficient_scope") {
		t.Errorf("a refusal: %v", err)
	}
}

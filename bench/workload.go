package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// visitors is how many different ones the events come from: enough that no cache holds all.
	visitors = 100_000

	idDigits      = 16
	visitorDigits = 6
	stampLayout   = "2006-01-02T15:04:05.000Z"
)

// What the events differ in, besides their ids, visitors and times.
var (
	loadPaths     = []string{"/", "/products/lamp", "/products/chair?color=red", "/blog/how-to-choose", "/cart", "/checkout?step=2"}
	loadReferrers = []string{"https://www.google.com/", "https://t.co/x1", "https://shop.example/products/", "https://news.example.org/a"}
	loadAgents    = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1",
	}
)

// workload gives every event of a round an id of its own.
type workload struct {
	point Point
	last  atomic.Uint64
}

func newWorkload(point Point) *workload { return &workload{point: point} }

// sender is one connection's share. Its body is made once; for each request only what differs is
// written into it, so that the client costs little beside the server.
type sender struct {
	load     *workload
	path     string
	events   int
	body     []byte
	ids      []int // where the hexadecimal digits of each event's id begin
	visitors []int
	stamps   []int
}

func (w *workload) sender() *sender {
	s := &sender{load: w, path: "/v1/track", events: max(w.point.Batch, 1)}
	if w.point.Batch > 0 {
		s.path = "/v1/batch"
		s.body = append(s.body, `{"events":[`...)
	}
	for i := range s.events {
		if i > 0 {
			s.body = append(s.body, ',')
		}
		s.addEvent(i)
	}
	if w.point.Batch > 0 {
		s.body = append(s.body, `]}`...)
	}
	return s
}

// addEvent appends one event of about 350 bytes, and notes the places that change.
func (s *sender) addEvent(i int) {
	hole := func(text string, width int) int {
		s.body = append(s.body, text...)
		at := len(s.body)
		s.body = append(s.body, bytes.Repeat([]byte{'0'}, width)...)
		return at
	}
	s.ids = append(s.ids, hole(`{"event":"$pageview","event_id":"load-`, idDigits))
	s.visitors = append(s.visitors, hole(`","anonymous_id":"v`, visitorDigits))
	s.stamps = append(s.stamps, hole(`","timestamp":"`, len(stampLayout)))
	s.body = fmt.Appendf(s.body, `","url":"https://shop.example%s","referrer":%q,"ip":"198.51.100.%d","user_agent":%q,"properties":{"plan":"pro","n":%d}}`,
		loadPaths[i%len(loadPaths)], loadReferrers[i%len(loadReferrers)], i%250, loadAgents[i%len(loadAgents)], i)
}

// next makes the body of the next request, valid until the one after it is made.
func (s *sender) next(now time.Time) []byte {
	stamp := now.UTC().Format(stampLayout)
	last := s.load.last.Add(uint64(s.events))
	for i := range s.events {
		id := last - uint64(i)
		putHex(s.body[s.ids[i]:s.ids[i]+idDigits], id)
		// A multiplier without a factor in common spreads the visitors evenly.
		putHex(s.body[s.visitors[i]:s.visitors[i]+visitorDigits], id*7919%visitors)
		copy(s.body[s.stamps[i]:], stamp)
	}
	return s.body
}

func putHex(dst []byte, value uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[value&15]
		value >>= 4
	}
}

// countEvents asks the server how many events it has.
func countEvents(client *fasthttp.Client, target Target) (int, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(target.URL + "/v1/stats?from=2000-01-01&to=2100-01-01&include_bots=true")
	req.Header.Set("Authorization", "Bearer "+target.Read)
	if err := client.Do(req, resp); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	var answer struct {
		Rows []struct {
			Value json.Number `json:"value"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(resp.Body(), &answer); err != nil || resp.StatusCode() != fasthttp.StatusOK || len(answer.Rows) != 1 {
		return 0, fmt.Errorf("count events: %d %.200s", resp.StatusCode(), resp.Body())
	}
	count, err := strconv.Atoi(answer.Rows[0].Value.String())
	if err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return count, nil
}

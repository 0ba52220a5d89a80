package ingest

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"millimetric/index/event"
)

const (
	agentChrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	agentPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	agentCrawl  = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

	addrHome  = "81.2.69.142"
	addrOther = "2001:4860:4860::8888"
)

// testNow is the server's clock in every test.
var testNow = time.Date(2026, 5, 1, 12, 0, 0, 789e6, time.UTC)

// kept is an Appender that keeps what it is given.
type kept struct {
	events  []event.Event
	project event.Project
	ctx     context.Context
	calls   int
	err     error
}

func (k *kept) Append(ctx context.Context, project event.Project, events []event.Event) error {
	k.calls++
	k.ctx, k.project = ctx, project
	if k.err != nil {
		return k.err
	}
	k.events = append(k.events, events...)
	return nil
}

// nowhere is an Appender that keeps nothing.
type nowhere struct{}

func (nowhere) Append(context.Context, event.Project, []event.Event) error { return nil }

type saltCall struct {
	project event.Project
	day     int64
	lease   string
}

// fixedSalts gives every project, day and lease a salt of its own, and notes the calls.
type fixedSalts struct {
	calls []saltCall
	err   error
}

func (s *fixedSalts) Salt(project event.Project, day int64, lease string) ([32]byte, error) {
	s.calls = append(s.calls, saltCall{project, day, lease})
	return saltOf(project, day, lease), s.err
}

func saltOf(project event.Project, day int64, lease string) (salt [32]byte) {
	binary.BigEndian.PutUint32(salt[:], uint32(project))
	binary.BigEndian.PutUint64(salt[4:], uint64(day))
	copy(salt[12:], lease)
	return salt
}

// world is a pipeline and all that it touches.
type world struct {
	*Pipeline
	kept  *kept
	salts *fixedSalts
}

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{kept: &kept{}, salts: &fixedSalts{}}
	p, err := New(Options{Appender: w.kept, Salts: w.salts, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	w.Pipeline = p
	return w
}

func browser() Caller {
	return Caller{Site: Site{Project: 7, Key: [32]byte{7}}, Addr: netip.MustParseAddr(addrHome), Agent: agentChrome}
}

func server() Caller {
	c := browser()
	c.Server = true
	return c
}

// send calls the pipeline and then overwrites the body, as an HTTP server does with its buffers.
func (w world) send(caller Caller, verb, text string) (err error) {
	body := []byte(text)
	switch verb {
	case "track":
		_, err = w.Track(context.Background(), caller, body)
	case "batch":
		_, err = w.Batch(context.Background(), caller, body)
	case "identify":
		err = w.Identify(context.Background(), caller, body)
	default:
		panic("no such verb: " + verb)
	}
	for i := range body {
		body[i] = 0xff
	}
	return err
}

package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
	"millimetric/ingest/intake"
)

// The HTTP library makes room for a body before its first byte comes, and a packed body grows when it is
// unpacked. However many connections claim room at a time, what they get together is bounded here:
//
//  1. A body of up to bodyFree bytes is read by every connection, as its headers are; the number of
//     connections bounds these.
//  2. A larger one is for a key that holds, and counts from the headers on until its request is answered:
//     first with the length that is claimed, then with what it was unpacked to.
//  3. Half of the room is the most that one project gets: a publishable key is no secret.
//  4. What finds no room is refused with 503 before it is read.
const (
	bodyFree = 16 << 10
	// roomShare is the part of the memory that bodies may have, roomLeast what two of the largest need.
	roomShare = 16
	roomLeast = 4 * event.BodyBytesMax
	// heldMost is when a claim is dropped whose request was never answered, as its connection broke. All
	// that takes this long works on small bodies.
	heldMost = 5 * time.Minute
	// roomRetry is when to try again: most bodies are there for some milliseconds.
	roomRetry = time.Second
	// unpackWait is how long a packed body waits for its turn; one takes some milliseconds, the largest fifty.
	unpackWait = 2 * time.Second
)

// room is the memory for bodies. It is safe for concurrent use.
type room struct {
	most int64
	now  func() time.Time
	used atomic.Int64
	each sync.Map // event.Project → *atomic.Int64: what is used of it
	held sync.Map // *fasthttp.RequestHeader → *claim, of requests that aren't answered yet
}

// claim is what a request has of the room.
type claim struct {
	project event.Project
	bytes   int64 // 0 where there was no room
	since   time.Time
}

// newRoom makes the room that goes with so much memory.
func newRoom(memory int64, now func() time.Time) *room {
	return &room{most: max(roomLeast, memory/roomShare), now: now}
}

// take claims room for a request's body, on top of what it has. Without room, it has nothing afterwards.
func (r *room) take(header *fasthttp.RequestHeader, project event.Project, bytes int64) bool {
	c := &claim{project: project, bytes: bytes, since: r.now()}
	if old, ok := r.held.LoadAndDelete(header); ok {
		old := old.(*claim)
		r.count(old.project, -old.bytes)
		c.bytes += old.bytes
	}
	fits := r.fits(c)
	if !fits {
		r.sweep()
		fits = r.fits(c)
	}
	if !fits {
		c.bytes = 0
	}
	r.held.Store(header, c)
	return fits
}

// fits counts a claim, if there is room for it.
func (r *room) fits(c *claim) bool {
	if all, own := r.count(c.project, c.bytes); all <= r.most && own <= r.most/2 {
		return true
	}
	r.count(c.project, -c.bytes)
	return false
}

func (r *room) count(project event.Project, bytes int64) (all, own int64) {
	each, ok := r.each.Load(project)
	if !ok {
		each, _ = r.each.LoadOrStore(project, new(atomic.Int64))
	}
	return r.used.Add(bytes), each.(*atomic.Int64).Add(bytes)
}

// has tells what a request has of the room: 0 where there was none for it, -1 where it asked for none.
func (r *room) has(header *fasthttp.RequestHeader) int64 {
	if c, ok := r.held.Load(header); ok {
		return c.(*claim).bytes
	}
	return -1
}

// give ends what a request has.
func (r *room) give(header *fasthttp.RequestHeader) {
	if c, ok := r.held.LoadAndDelete(header); ok {
		c := c.(*claim)
		r.count(c.project, -c.bytes)
	}
}

// sweep ends claims of requests that nobody will answer.
func (r *room) sweep() {
	r.held.Range(func(header, c any) bool {
		if r.now().Sub(c.(*claim).since) > heldMost && r.held.CompareAndDelete(header, c) {
			c := c.(*claim)
			r.count(c.project, -c.bytes)
		}
		return true
	})
}

// unpack unpacks a packed body, as many of them at a time as there are processors, and counts what it has
// become. The places of those who wait are bounded by the number of connections.
func (s *server) unpack(ctx *fasthttp.RequestCtx, grant auth.Grant) error {
	if !intake.IsPacked(ctx) {
		return nil
	}
	giveUp := time.NewTimer(unpackWait)
	defer giveUp.Stop()
	select {
	case s.unpacking <- struct{}{}:
	case <-giveUp.C:
		return noRoom()
	}
	size, err := intake.Unpack(ctx)
	<-s.unpacking
	if err == nil && size > bodyFree && !s.room.take(&ctx.Request.Header, projectOfGrant(grant), int64(size)) {
		return noRoom()
	}
	return err
}

func noRoom() *event.Error {
	return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Too many large bodies are being read"}, RetryIn: roomRetry}
}

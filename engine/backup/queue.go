package backup

import (
	"sync"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// QueueBytes is what a queue holds where nothing else is said: some seconds of commits at full speed. While it is
// being copied, it is in memory twice.
const QueueBytes = 16 << 20

// Queue takes what the engine commits until it is copied. It never waits and never grows beyond its bound:
// where it would, it lets go of everything, and the backup reads the store instead.
type Queue struct {
	most int
	now  func() time.Time

	mu    sync.Mutex // guards what follows; it is held for the copying of one commit
	held  packet
	since time.Time // when the first that is held came
	lost  bool      // something came that isn't held any more, or came before the program began
}

// packet is commits on their way to the target.
type packet struct {
	body    []byte // their entries
	entries int
	ref     LogRef // but for its name and numbers
}

// NewQueue returns a queue of so many bytes. What was committed before it was there has to be read from the store.
func NewQueue(most int, now func() time.Time) *Queue {
	return &Queue{most: most, now: now, lost: true}
}

// Committed takes one commit: see engine.Options.
func (q *Queue) Committed(c engine.Commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := len(c.Group)
	for _, v := range c.Records {
		size += len(v.Key) + len(v.Value)
	}
	if len(q.held.body)+size > q.most && q.held.entries > 0 {
		q.held, q.lost = packet{}, true
	}
	if q.held.entries == 0 {
		q.since = q.now()
	}
	q.held.add(c)
}

func (p *packet) add(c engine.Commit) {
	p.body = appendCommit(p.body, c)
	p.note(c.Number, c.At)
}

func (p *packet) note(number uint64, at event.Time) {
	if p.entries == 0 {
		p.ref.Began = at
	}
	p.entries++
	p.ref.Commits = p.entries
	p.ref.Ended = max(p.ref.Ended, at)
	if number > 0 {
		if p.ref.From == 0 {
			p.ref.From = number
		}
		p.ref.To = number
	}
}

// take empties the queue. Where lost is true, commits before these are missing.
func (q *Queue) take() (p packet, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p, lost = q.held, q.lost
	q.held, q.lost, q.since = packet{}, false, time.Time{}
	return p, lost
}

// lose says that what was taken couldn't be copied and is held by nobody.
func (q *Queue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost = true
}

func (q *Queue) state() (bytes int, since time.Time, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held.body), q.since, q.lost
}

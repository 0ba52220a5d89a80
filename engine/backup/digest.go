package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"millimetric/engine"
	"millimetric/index/event"
)

// Digest is what a project holds, so that two stores can be compared: how many events, and a sum over the
// hashes of all, which doesn't depend on their order.
type Digest struct {
	Events uint64    `json:"events"`
	Sum    [4]uint64 `json:"sum"`
}

// DigestOf reads all events of a project up to a position, but for those before a time.
func DigestOf(e *engine.Engine, project event.Project, upTo event.Seq, floor event.Time) (d Digest, err error) {
	s := e.Snapshot(project)
	defer s.Release()
	floor = max(floor, s.Floor())
	for _, segment := range s.Segments(floor, event.TimeMax+1) {
		reader, err := segment.Reader()
		if err != nil {
			return d, err
		}
		hidden := segment.Hidden()
		for row := range uint32(segment.Rows()) {
			if hidden.Has(row) {
				continue // of somebody who was erased
			}
			ev, _, err := reader.Event(row)
			if err != nil {
				return d, fmt.Errorf("read an event of project %d: %w", project, err)
			}
			if ev.Time >= floor && ev.Seq <= upTo {
				d.add(&ev)
			}
		}
	}
	return d, s.Live(floor, event.TimeMax+1, func(ev *event.Event, _ uint32) bool {
		if ev.Seq <= upTo {
			d.add(ev)
		}
		return true
	})
}

func (d *Digest) add(ev *event.Event) {
	text, err := json.Marshal(ev)
	if err != nil {
		panic(fmt.Sprintf("backup: an event can't be written as JSON: %v", err)) // it has no such fields
	}
	hash := sha256.Sum256(text)
	d.Events++
	for i := range d.Sum {
		d.Sum[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
}

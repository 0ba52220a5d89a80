package importer

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

const (
	// batchEventsMax keeps an answer quick, and the work small that a refused batch does over.
	batchEventsMax = 500
	// batchBytesMax stays well below what a server takes in one body.
	batchBytesMax = 4<<20 - 64
)

// batch is the events of one request, in the order of the file.
type batch struct {
	lines  []int // their numbers, for what the server finds wrong
	events [][]byte
	bytes  int
}

func (b *batch) fits(event []byte) bool {
	return len(b.events) == 0 || len(b.events) < batchEventsMax && b.bytes+len(event) < batchBytesMax
}

func (b *batch) add(number int, event []byte) {
	b.lines = append(b.lines, number)
	b.events = append(b.events, event)
	b.bytes += len(event) + len(",")
}

// part is the events from from up to, not including, to.
func (b *batch) part(from, to int) batch {
	return batch{lines: b.lines[from:to], events: b.events[from:to]}
}

// without leaves out the events at some places.
func (b *batch) without(places map[int]string) batch {
	var rest batch
	for i, event := range b.events {
		if _, out := places[i]; !out {
			rest.add(b.lines[i], event)
		}
	}
	return rest
}

func (b *batch) body() []byte {
	out := append(make([]byte, 0, b.bytes+16), `{"events":[`...)
	out = append(out, bytes.Join(b.events, []byte{','})...)
	return append(out, `]}`...)
}

// handOver gives a batch that isn't empty to the sender.
func (b *batch) handOver(ctx context.Context, batches chan<- batch) error {
	if len(b.events) == 0 {
		return nil
	}
	select {
	case batches <- *b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sender sends batches one after the other.
type sender struct {
	post *client
	sum  *tally

	last  []byte // an event that the server has; nil before the first
	ended bool   // the server was told that the import ends
}

// sendAll sends until batches is closed, then takes from read what ended the reading. One batch is
// held back, because the last one has to say that it is the last.
func (s *sender) sendAll(ctx context.Context, batches <-chan batch, read <-chan error) error {
	var held batch
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case next, more := <-batches:
			if !more {
				return s.finish(ctx, held, <-read)
			}
			if err := s.deliver(ctx, held, false); err != nil {
				return err
			}
			held = next
		}
	}
}

// finish sends the last batch and with it the import's end, unless the reading failed: then the
// import is to be run again.
func (s *sender) finish(ctx context.Context, held batch, read error) error {
	if err := s.deliver(ctx, held, read == nil); err != nil || read != nil {
		return joinFirst(read, err)
	}
	if s.ended || s.last == nil {
		return nil
	}
	// The last batch was refused. An event that the server has already says the end as well: a
	// repeat is acknowledged and not stored again.
	repeat := batch{events: [][]byte{s.last}}
	refused, err := s.post.send(ctx, repeat.body(), true)
	if err == nil && refused != nil {
		err = fmt.Errorf("end the import: %s", refused)
	}
	return err
}

func joinFirst(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// deliver sends a batch. A server takes all of a batch or nothing, so the events that it names as
// wrong are counted as bad lines and the rest is sent again. Where it names none, the batch is
// halved until the culprit stands alone.
func (s *sender) deliver(ctx context.Context, b batch, ends bool) error {
	for len(b.events) > 0 {
		refused, err := s.post.send(ctx, b.body(), ends)
		if err != nil {
			return err
		}
		if refused == nil {
			s.sum.sent(len(b.events))
			s.last, s.ended = b.events[len(b.events)-1], ends
			return nil
		}
		named := refused.events(len(b.events))
		switch {
		case len(named) > 0:
			for i, number := range b.lines {
				if reason, ok := named[i]; ok {
					s.sum.bad(number, reason)
				}
			}
			b = b.without(named)
		case len(b.events) == 1:
			s.sum.bad(b.lines[0], "refused: "+refused.String())
			return nil
		default:
			half := len(b.events) / 2
			if err := s.deliver(ctx, b.part(0, half), false); err != nil {
				return err
			}
			b = b.part(half, len(b.events))
		}
	}
	return nil
}

// events returns what the server says about single events, by their place in the batch.
func (r *refusal) events(count int) map[int]string {
	named := map[int]string{}
	for _, field := range sortedKeys(r.Details.FieldErrors) {
		rest, ok := strings.CutPrefix(field, "events.")
		if !ok {
			continue
		}
		place, name, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(place)
		if err != nil || i < 0 || i >= count || named[i] != "" {
			continue
		}
		if name != "" {
			name += ": "
		}
		named[i] = "refused: " + name + strings.Join(r.Details.FieldErrors[field], ", ")
	}
	return named
}

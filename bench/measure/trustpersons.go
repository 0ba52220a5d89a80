package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"millimetric/index/event"
)

// personEvents is how many events each person has.
const personEvents = 10_000

// person is what was seen of one.
type person struct {
	subject time.Duration // until all that is kept on them was there
	bytes   int           // of that
	forget  time.Duration // until the erasure was acknowledged
	gone    time.Duration // from the request until the receipt said so
	receipt
}

type receipt struct {
	Receipt   string
	Status    string
	Events    int
	Segments  int    `json:"segments_rewritten"`
	Files     int    `json:"files_retired"`
	Scanned   uint64 `json:"bytes_scanned"`
	Residue   int
	ErasedAt  time.Time `json:"erased_at"`
	Requested time.Time `json:"requested_at"`
}

// Persons differ: every other one is known by a user id and has three devices, on which half of the events
// came without it; the others are visitors.
const personDevices = 3

// personID is what a person is named by, as forget and subject take it.
func personID(n int) (name, id string) {
	if n%2 == 0 {
		return "user_id", fmt.Sprintf("person-%d", n)
	}
	return "anonymous_id", fmt.Sprintf("device-%d-0", n)
}

// sendPersons sends the events of all persons, spread over the days of the history as it was: so they are in
// every segment, which is the dearest that an erasure can be.
func (f *trustFigures) sendPersons(_ context.Context, s settings, st *stage) error {
	s.say("send %d persons of %d events each", s.persons, personEvents)
	var body bytes.Buffer
	step := event.Time(st.shape.Days) * dayMS / personEvents
	const each = loadBatch / 2 // of all persons together
	for first := 0; first < personEvents; first += each / s.persons {
		body.Reset()
		body.WriteString(`{"events":[`)
		for i := first; i < min(first+each/s.persons, personEvents); i++ {
			for n := range s.persons {
				if body.Len() > len(`{"events":[`) {
					body.WriteByte(',')
				}
				at := st.base() + event.Time(i)*step + event.Time(n)*1000
				body.WriteString(personEvent(n, i, at.Std()))
			}
		}
		body.WriteString(`]}`)
		if _, _, err := st.server.call(st.server.keys.SK, "/v1/batch", body.Bytes()); err != nil {
			return err
		}
	}
	_, err := st.server.compact()
	return err
}

func personEvent(n, i int, at time.Time) string {
	who := ""
	if name, id := personID(n); name == "user_id" && (i%2 == 0 || i < personDevices) {
		who = fmt.Sprintf(`"user_id":%q,`, id)
	}
	device := 0
	if n%2 == 0 {
		device = i % personDevices
	}
	return fmt.Sprintf(`{"event":"$pageview","event_id":"person-%d-%d",%s"anonymous_id":"device-%d-%d","timestamp":%q,"url":"https://shop.example/items/%d?utm_source=mail","properties":{"n":%d,"plan":"pro"}}`,
		n, i, who, n, device, at.UTC().Format("2006-01-02T15:04:05.000Z"), i%200, i)
}

// measurePersons asks for what is kept on each person, and erases them, one after the other.
func (f *trustFigures) measurePersons(ctx context.Context, s settings, st *stage) error {
	for n := range s.persons {
		p, err := st.server.eraseOne(ctx, n)
		if err != nil {
			return fmt.Errorf("person %d: %w", n, err)
		}
		s.say("person %d: subject %v, forget %v, gone after %v: %d segments written anew, %d files removed",
			n, p.subject.Round(time.Millisecond), p.forget.Round(time.Millisecond), p.gone.Round(time.Millisecond), p.Segments, p.Files)
		f.persons = append(f.persons, p)
	}
	return nil
}

const (
	receiptEvery = 100 * time.Millisecond
	receiptMax   = 10 * time.Minute // far more than is promised: how long it took is the figure
)

func (v *server) eraseOne(ctx context.Context, n int) (p person, err error) {
	name, id := personID(n)
	text, took, err := v.call(v.keys.SK, "/v1/subject?"+name+"="+id, nil)
	if err != nil {
		return p, err
	}
	p.subject, p.bytes = took, len(text)
	if err := holdsAll(text); err != nil {
		return p, err
	}
	begin := time.Now()
	if text, p.forget, err = v.call(v.keys.SK, "/v1/forget", fmt.Appendf(nil, `{%q:%q}`, name, id)); err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p.receipt); err != nil {
		return p, fmt.Errorf("read what forget says: %w", err)
	}
	for p.Status != "erased" {
		if time.Since(begin) > receiptMax || ctx.Err() != nil {
			return p, fmt.Errorf("after %v, the receipt says %q", time.Since(begin), p.Status)
		}
		time.Sleep(receiptEvery)
		if text, _, err = v.call(v.keys.SK, "/v1/forget/"+p.Receipt, nil); err != nil {
			return p, err
		}
		if err := json.Unmarshal(text, &p.receipt); err != nil {
			return p, fmt.Errorf("read a receipt: %w", err)
		}
	}
	p.gone = time.Since(begin)
	if p.Events != personEvents {
		return p, fmt.Errorf("the receipt says that %d events were erased, of %d", p.Events, personEvents)
	}
	return p, nil
}

// holdsAll checks that an answer about a person is whole.
func holdsAll(text []byte) error {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var end struct {
		Kind   string
		Events int
	}
	if err := json.Unmarshal(lines[len(lines)-1], &end); err != nil || end.Kind != "end" || end.Events != personEvents {
		return fmt.Errorf("subject ends with %.200s", lines[len(lines)-1])
	}
	return nil
}

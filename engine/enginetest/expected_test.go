package enginetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"millimetric/engine"
	"millimetric/index/event"
)

// expected is what must be found in a sample. It is kept beside it: sample.json has all but the events,
// which are in a file for each project, one in a line.
type expected struct {
	At       event.Time // what the clock says when the sample is opened
	Report   engine.Report
	Records  []engine.Record
	Projects []*shown
}

// shown is what a store shows of a project.
type shown struct {
	Number   event.Project
	AsOf     event.Seq
	Days     int    // the retention window
	Visitors uint32 // bounds their ordinals
	Commits  []committed
	events   []event.Event
}

// committed is from which position on another commit time holds.
type committed struct {
	First event.Seq
	At    event.Time
}

// look takes down what an engine shows of a project.
func look(e *engine.Engine, number event.Project) (*shown, error) {
	s := e.Snapshot(number)
	defer s.Release()
	p := &shown{Number: number, AsOf: s.AsOf(), Days: e.Retention(number), Visitors: s.Visitors()}
	for position := event.Seq(1); position <= p.AsOf; position++ {
		at, _, err := s.CommittedAt(position) // 0 where it isn't known
		if err != nil {
			return nil, err
		}
		if n := len(p.Commits); n == 0 || p.Commits[n-1].At != at {
			p.Commits = append(p.Commits, committed{position, at})
		}
	}
	var err error
	p.events, err = s.Events()
	return p, err
}

// links returns those that are the earliest of their visitors, as the events say.
func (p *shown) links() []event.Link {
	return links(&ModelSnapshot{p.events})
}

// diff says how what an engine shows differs, "" where it doesn't.
func (p *shown) diff(e *engine.Engine) (string, error) {
	got, err := look(e, p.Number)
	if err != nil {
		return "", err
	}
	if d := diff("event", got.events, p.events); d != "" {
		return d, nil
	}
	s := e.Snapshot(p.Number)
	defer s.Release()
	if d := diff("link", links(s), p.links()); d != "" {
		return d, nil
	}
	if d := diff("commit time", got.Commits, p.Commits); d != "" {
		return d, nil
	}
	if got.AsOf != p.AsOf || got.Days != p.Days || got.Visitors != p.Visitors {
		return fmt.Sprintf("as of %d under a window of %d days, with ordinals below %d; want %d, %d, %d",
			got.AsOf, got.Days, got.Visitors, p.AsOf, p.Days, p.Visitors), nil
	}
	return "", nil
}

func eventsFile(dir string, number event.Project) string {
	return filepath.Join(dir, fmt.Sprintf("events-%d.jsonl", number))
}

// write puts it into a folder.
func (x *expected) write(dir string) error {
	text, err := json.MarshalIndent(x, "", "\t")
	if err != nil {
		return err
	}
	errs := []error{os.WriteFile(filepath.Join(dir, "sample.json"), append(text, '\n'), 0o644)}
	for _, p := range x.Projects {
		var lines bytes.Buffer
		for i := range p.events {
			if err := json.NewEncoder(&lines).Encode(setFields(p.events[i])); err != nil {
				return err
			}
		}
		errs = append(errs, os.WriteFile(eventsFile(dir, p.Number), lines.Bytes(), 0o644))
	}
	return errors.Join(errs...)
}

// setFields returns those fields of an event that aren't missing.
func setFields(e event.Event) map[string]any {
	set := map[string]any{}
	for field, v := range reflect.ValueOf(e).Fields() {
		if !v.IsZero() {
			set[field.Name] = v.Interface()
		}
	}
	return set
}

// readExpected reads what write has written.
func readExpected(dir string) (*expected, error) {
	text, err := os.ReadFile(filepath.Join(dir, "sample.json"))
	if err != nil {
		return nil, err
	}
	x := &expected{}
	if err := json.Unmarshal(text, x); err != nil {
		return nil, err
	}
	for _, p := range x.Projects {
		if p.events, err = readEvents(eventsFile(dir, p.Number)); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func readEvents(file string) (all []event.Event, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(bytes.NewReader(text))
	lines.DisallowUnknownFields()
	for {
		var e event.Event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, e)
	}
}

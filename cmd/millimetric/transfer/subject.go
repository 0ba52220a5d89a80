package transfer

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/api"
)

// Subject answers /v1/subject: all that is kept on one person. The audit log says that it was asked for,
// and not about whom: it outlives an erasure.
func (d *Door) Subject(ctx *fasthttp.RequestCtx, questions *api.Door, project event.Project, note *audit.Entry) error {
	lister, subject, err := questions.Subject(ctx, project)
	if err != nil {
		return err
	}
	by := "anonymous_id"
	if subject.UserID != "" {
		by = "user_id"
	}
	format := api.Choose(ctx, subject.Format, query.FormatNDJSON, query.FormatCSV)
	detail(note, map[string]any{"format": format, "by": by})
	return d.send(ctx, subjectStream(lister, subject, format), format, query.NameSubject, &subject.Common)
}

func subjectStream(from source, subject *query.Subject, format query.Format) *stream {
	out := &bytes.Buffer{}
	lines := newSubjectLines(format, out)
	return &stream{from: from, encoder: lines, out: out, finish: func() error { return lines.sum(subject) }}
}

// subjectThingsMax bounds how many links, devices and visits each are summed up: more of one person are a
// machine's, or an id that many share. The events have all there is in any case, and the last line says
// whether the sums are whole.
const subjectThingsMax = 1 << 18

// subjectLines writes the events of a person, and after them what they come to: the links between visitor
// and user, the devices, the visits, and a last line that tells that nothing is missing.
type subjectLines struct {
	lines *lineEncoder
	csv   *csvEncoder // in the place of lines
	w     io.Writer

	events  int
	links   map[linkKey]*thing
	devices map[string]*thing
	visits  map[visitKey]*thing
	missing bool // of some things there were too many
}

type linkKey struct{ anonymousID, userID string }

type visitKey struct{ anonymousID, sessionID string }

// thing is what several events come to.
type thing struct {
	first, last event.Time
	events      int
	entry       *Row // of a visit: what its first event says of where it came from
}

func newSubjectLines(format query.Format, w io.Writer) *subjectLines {
	s := &subjectLines{w: w, links: map[linkKey]*thing{}, devices: map[string]*thing{}, visits: map[visitKey]*thing{}}
	if format == query.FormatCSV {
		s.csv = &csvEncoder{w: csv.NewWriter(w)}
	} else {
		s.lines = &lineEncoder{w: w}
	}
	return s
}

// subjectExtras are the columns of CSV that events don't have.
var subjectExtras = []string{"kind", "first", "last", "events", "linked"}

func (s *subjectLines) write(events []*event.Event) error {
	for _, e := range events {
		s.add(e)
	}
	if s.csv == nil {
		line := s.lines.line[:0]
		for _, e := range events {
			r := rowOf(e)
			line = append(appendRow(append(line, `{"kind":"event",`...), &r), "}\n"...)
		}
		s.lines.line = line
		_, err := s.w.Write(line)
		return err
	}
	if err := s.csv.begin(slices.Clone(subjectExtras)); err != nil {
		return err
	}
	for _, e := range events {
		if err := s.csv.w.Write(append([]string{"event", "", "", "", ""}, cellsOf(e)...)); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	s.csv.w.Flush()
	return s.csv.w.Error()
}

func (s *subjectLines) add(e *event.Event) {
	s.events++
	count(s, s.devices, e.AnonymousID, e)
	if e.UserID != "" {
		count(s, s.links, linkKey{e.AnonymousID, e.UserID}, e)
	}
	if visit := count(s, s.visits, visitKey{e.AnonymousID, e.SessionID}, e); visit != nil && visit.entry == nil {
		r := rowOf(e)
		visit.entry = &Row{Source: r.Source, Medium: r.Medium, Campaign: r.Campaign, Country: r.Country, Device: r.Device, Browser: r.Browser, OS: r.OS, Path: r.Path}
	}
}

// count adds an event to what it belongs to. Events come in their order.
func count[K comparable](s *subjectLines, things map[K]*thing, key K, e *event.Event) *thing {
	t := things[key]
	if t == nil {
		if len(things) == subjectThingsMax {
			s.missing = true
			return nil
		}
		t = &thing{first: e.Time}
		things[key] = t
	}
	t.last = e.Time
	t.events++
	return t
}

// sum writes what comes after the events.
func (s *subjectLines) sum(subject *query.Subject) error {
	if s.csv != nil {
		if err := s.csv.begin(slices.Clone(subjectExtras)); err != nil { // there may have been no event
			return err
		}
	}
	for _, key := range sorted(s.links, func(k linkKey) string { return k.anonymousID + "\x00" + k.userID }) {
		if err := s.thing("link", s.links[key], &Row{AnonymousID: key.anonymousID, UserID: key.userID}, ""); err != nil {
			return err
		}
	}
	linked := subject.Devices()
	for _, device := range slices.Sorted(maps.Keys(s.devices)) {
		// By visitor, it is the one device that was asked about, whoever it is linked with.
		is := strconv.FormatBool(linked[device] || subject.AnonymousID != "")
		if err := s.thing("device", s.devices[device], &Row{AnonymousID: device}, is); err != nil {
			return err
		}
	}
	for _, key := range sorted(s.visits, func(k visitKey) string { return k.anonymousID + "\x00" + k.sessionID }) {
		row := *s.visits[key].entry
		row.AnonymousID, row.SessionID = key.anonymousID, key.sessionID
		if err := s.thing("visit", s.visits[key], &row, ""); err != nil {
			return err
		}
	}
	return s.last(subject)
}

func sorted[K comparable, V any](m map[K]V, text func(K) string) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return bytes.Compare([]byte(text(a)), []byte(text(b)))
	})
}

// thing writes a line of a kind, with those members of row that aren't empty.
func (s *subjectLines) thing(kind string, t *thing, row *Row, linked string) error {
	if s.csv != nil {
		cells := append([]string{kind, timeText(t.first), timeText(t.last), strconv.Itoa(t.events), linked}, make([]string, len(columns))...)
		for i, c := range columns {
			if c.field != nil {
				cells[len(subjectExtras)+i] = harmless(*c.field(row))
			}
		}
		return s.csv.w.Write(cells)
	}
	line := append(append([]byte(`{"kind":"`), kind...), '"')
	for _, c := range columns {
		if c.field != nil && *c.field(row) != "" {
			line = append(append(append(line, `,"`...), c.name...), `":`...)
			line = query.Text(*c.field(row)).AppendJSON(line)
		}
	}
	line = fmt.Appendf(line, `,"first":"%s","last":"%s","events":%d`, timeText(t.first), timeText(t.last), t.events)
	if linked != "" {
		line = append(append(line, `,"linked":`...), linked...)
	}
	_, err := s.w.Write(append(line, "}\n"...))
	return err
}

// last writes the line without which an answer was cut off.
func (s *subjectLines) last(subject *query.Subject) error {
	if s.csv != nil {
		cells := append([]string{"end", "", "", strconv.Itoa(s.events), ""}, make([]string, len(columns))...)
		cells[len(cells)-1] = strconv.FormatUint(uint64(subject.AsOf), 10)
		return s.csv.w.Write(cells)
	}
	_, err := fmt.Fprintf(s.w, `{"kind":"end","as_of":"%d","events":%d,"links":%d,"devices":%d,"visits":%d,"sums_whole":%t}`+"\n",
		subject.AsOf, s.events, len(s.links), len(s.devices), len(s.visits), !s.missing)
	return err
}

func (s *subjectLines) end() error {
	if s.csv != nil {
		return s.csv.end()
	}
	return nil
}

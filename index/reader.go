package index

import (
	"strings"

	"millimetric/index/event"
)

// Reader makes events of rows. It keeps the dictionaries and the chunk that it read last, so it is
// not safe for concurrent use, and is best asked for rows that rise.
type Reader struct {
	segment *Segment
	runs    *Runs // once a chunk is unpacked

	columns  [len(columnSpecs)]*Dict
	touches  [len(touchNames)]*Dict
	tables   [len(touchNames)][]uint32
	sessions *Dict
	visitors *Dict
	ids      *Dict
	rest     *restReader
	texts    arena

	point  *pointReader
	points int // rows of the chunk nearBy that point has read
	nearBy int

	chunk   int // that is unpacked; -1 before the first
	times   []event.Time
	seqs    []event.Seq
	codes   [len(columnSpecs)][]uint32
	touch   []uint32
	session []uint32
	derived []uint32
	inURL   []uint32

	run, from, to uint32 // the last row's visitor, and the rows of it
	ordinal       uint32
	half          int64 // of the derived session made last, for that visitor
	sessionID     string
}

// Reader returns a reader of events.
func (s *Segment) Reader() (r *Reader, err error) {
	r = &Reader{segment: s, chunk: -1, nearBy: -1, point: newPointReader(s)}
	for i, spec := range columnSpecs {
		r.columns[i] = s.dict(&s.columns[spec.name].store, false)
	}
	for i := range touchNames {
		r.touches[i] = s.dict(&s.touches.stores[i], false)
		if r.tables[i], err = s.touchTable(i); err != nil {
			return nil, err
		}
	}
	r.sessions = s.dict(&s.sessionT, false)
	r.visitors, r.ids = s.dict(&s.anonymous, true), s.dict(&s.ids, true)
	r.rest = s.restReader(r.point, &r.texts)
	return r, nil
}

// RowsOf returns the rows of a visitor: from inclusive, to exclusive. Both are 0 where it has none.
func (r *Reader) RowsOf(ordinal uint32) (from, to uint32, err error) {
	set, err := r.point.set()
	if err != nil || !set.Has(ordinal) {
		return 0, 0, err
	}
	run := set.Rank(ordinal)
	starts, err := r.point.visitorsFrom(run / visitorChunk)
	if err != nil {
		return 0, 0, err
	}
	return starts[run%visitorChunk], starts[run%visitorChunk+1], nil
}

func (r *Reader) load(chunk int) (err error) {
	if r.chunk == chunk {
		return nil
	}
	s := r.segment
	r.chunk = -1
	if r.runs == nil {
		if r.runs, err = s.Runs(); err != nil {
			return err
		}
	}
	if r.times, err = s.Times(chunk, r.times); err != nil {
		return err
	}
	if r.seqs, err = s.Seqs(chunk, r.seqs); err != nil {
		return err
	}
	for i, spec := range columnSpecs {
		if r.codes[i], err = s.Codes(spec.name, r.runs, chunk, r.codes[i]); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		column *codeColumn
		codes  *[]uint32
	}{{&s.touches.codes, &r.touch}, {&s.sessions, &r.session}, {&s.derived, &r.derived}, {&s.inURL, &r.inURL}} {
		if *c.codes, err = s.codes(c.column, r.runs, chunk, *c.codes); err != nil {
			return err
		}
	}
	r.chunk = chunk
	return nil
}

// pointsMax is how many rows of a chunk are read one by one before it is unpacked: a row costs about
// two microseconds so, and a chunk some hundreds.
const pointsMax = 128

// facts reads what the columns say about a row.
func (r *Reader) facts(row uint32, f *rowFacts) (err error) {
	chunk := int(row) / ChunkRows
	if chunk != r.chunk {
		if chunk != r.nearBy {
			r.nearBy, r.points = chunk, 0
		}
		if r.points++; r.points <= pointsMax {
			*f, err = r.point.facts(row, int(r.run))
			return err
		}
		if err := r.load(chunk); err != nil {
			return err
		}
	}
	at := row % ChunkRows
	f.time, f.seq, f.touch, f.session, f.derived, f.inURL = r.times[at], r.seqs[at], r.touch[at], r.session[at], r.derived[at], r.inURL[at]
	for i := range r.codes {
		f.columns[i] = r.codes[i][at]
	}
	return nil
}

// visit finds the visitor of a row. It panics where there is no such row.
func (r *Reader) visit(row uint32) error {
	if int(row) >= r.segment.rows {
		panic("index: no such row")
	}
	if row >= r.from && row < r.to {
		return nil
	}
	r.sessionID = ""
	if r.runs != nil {
		if at := int(r.run) + 1; row == r.to && at < len(r.runs.Ordinals) && r.to > 0 {
			r.run++
		} else {
			r.run = uint32(r.runs.Of(row))
		}
		r.ordinal, r.from, r.to = r.runs.Ordinals[r.run], r.runs.Starts[r.run], r.runs.Starts[r.run+1]
		return nil
	}
	r.from, r.to = 0, 0
	run, err := r.point.run(row)
	if err != nil {
		return err
	}
	set, err := r.point.set()
	if err != nil {
		return err
	}
	starts, err := r.point.visitorsFrom(run / visitorChunk)
	if err != nil {
		return err
	}
	r.run, r.ordinal, r.from, r.to = uint32(run), set.At(run), starts[run%visitorChunk], starts[run%visitorChunk+1]
	return nil
}

// Event returns the event of a row and the ordinal of its visitor. Its texts share memory with
// those of other events: whoever keeps it for long clones them.
func (r *Reader) Event(row uint32) (e event.Event, ordinal uint32, err error) {
	if err := r.visit(row); err != nil {
		return event.Event{}, 0, err
	}
	var f rowFacts
	if err := r.facts(row, &f); err != nil {
		return event.Event{}, 0, err
	}
	take := taker{}
	texts := [len(columnSpecs)]string{}
	for i := range columnSpecs {
		texts[i] = take.text(r.columns[i], f.columns[i])
	}
	t := [len(touchNames)]string{}
	for i := range touchNames {
		t[i] = take.text(r.touches[i], r.tables[i][f.touch])
	}
	e.Seq, e.Time, e.SessionDerived = f.seq, f.time, f.derived == 1
	e.Name, e.UserID, e.Path, e.Referrer, e.Country = texts[0], texts[1], texts[2], texts[5], texts[6]
	e.Device, e.Browser, e.OS, e.Bot, e.IPHash = texts[7], texts[8], texts[9], texts[10], texts[11]
	e.URL = r.url(texts[3], e.Path, texts[4], f.inURL == 1)
	e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = t[0], t[1], t[2], t[3], t[4]
	e.AnonymousID = take.text(r.visitors, r.run)
	e.ID = take.text(r.ids, rowOf(r.ids, row))
	e.SessionID = r.sessionOf(take.text(r.sessions, f.session), e.AnonymousID, e.Time)
	if take.err == nil {
		e.Properties, take.err = r.rest.object(row, int(r.run))
	}
	return e, r.ordinal, take.err
}

// AnonymousID returns the id of the visitor of a row.
func (r *Reader) AnonymousID(row uint32) (string, error) {
	if err := r.visit(row); err != nil {
		return "", err
	}
	return r.visitors.At(r.run)
}

// Link returns what a row says of its visitor's user, which is "" where it names none. It reads far less than
// Event does.
func (r *Reader) Link(row uint32) (event.Link, error) {
	if err := r.visit(row); err != nil {
		return event.Link{}, err
	}
	var f rowFacts
	if err := r.facts(row, &f); err != nil {
		return event.Link{}, err
	}
	take := taker{}
	l := event.Link{AnonymousID: take.text(r.visitors, r.run), UserID: take.text(r.columns[userColumn], f.columns[userColumn]), Time: f.time, Seq: f.seq}
	return l, take.err
}

// SessionID returns the session id of a row. Whoever groups rows by SessionCodes asks for that of any
// row of a session.
func (r *Reader) SessionID(row uint32) (string, error) {
	if err := r.visit(row); err != nil {
		return "", err
	}
	code, at, err := r.sessionFacts(row)
	take := taker{err}
	text, id := take.text(r.sessions, code), take.text(r.visitors, r.run)
	if take.err != nil {
		return "", take.err
	}
	return r.sessionOf(text, id, at), nil
}

// sessionFacts reads the session and the time of a row.
func (r *Reader) sessionFacts(row uint32) (session uint32, at event.Time, err error) {
	if int(row)/ChunkRows == r.chunk {
		return r.session[row%ChunkRows], r.times[row%ChunkRows], nil
	}
	if at, err = r.point.time(row); err != nil {
		return 0, 0, err
	}
	session, err = r.point.code(&r.segment.sessions, row, int(r.run))
	return session, at, err
}

// url joins what splitURL took apart.
func (r *Reader) url(site, path, rest string, inURL bool) string {
	if !inURL {
		path = ""
	}
	switch {
	case path == "" && rest == "":
		return site
	case site == "" && path == "":
		return rest
	}
	r.texts.room(len(site) + len(path) + len(rest))
	r.texts.text.WriteString(site)
	r.texts.text.WriteString(path)
	r.texts.text.WriteString(rest)
	return r.texts.take()
}

// sessionOf returns the session id that is kept as text, of the visitor at hand.
func (r *Reader) sessionOf(text, anonymousID string, at event.Time) string {
	if text != "" {
		return sessionID(text, anonymousID, at)
	}
	if half := int64(at) / halfHour; r.sessionID == "" || r.half != half {
		r.sessionID, r.half = derivedSession(anonymousID, at), half
	}
	return r.sessionID
}

// rowOf returns the place of a row's text in a store of rows, which has one text where all are equal.
func rowOf(d *Dict, row uint32) uint32 {
	if d.Len() == 1 {
		return 0
	}
	return row
}

// arenaBytes is how much memory texts share. Whoever keeps one of them keeps all of it.
const arenaBytes = 16 << 10

// arena makes texts that share memory, at one allocation for hundreds.
type arena struct {
	text strings.Builder
	from int
}

// room makes sure that so many bytes can be written without moving those before.
func (a *arena) room(n int) {
	if a.text.Cap()-a.text.Len() < n {
		a.text.Reset()
		a.text.Grow(max(n, arenaBytes))
	}
	a.from = a.text.Len()
}

// take returns what was written since room.
func (a *arena) take() string { return a.text.String()[a.from:] }

// taker takes texts until the first that fails.
type taker struct{ err error }

func (t *taker) text(d *Dict, code uint32) string {
	if t.err != nil {
		return ""
	}
	var text string
	text, t.err = d.At(code)
	return text
}

// Event's use of the columns by number must be the order of columnSpecs; the compiler can't tell, so
// this does: its length is part of the type.
var _ [12]struct{} = [len(columnSpecs)]struct{}{}

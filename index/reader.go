package index

import (
	"millimetric/index/encode"
	"millimetric/index/event"
)

// Reader makes events of rows. It keeps the dictionaries and the chunk that it read last, so it is
// not safe for concurrent use, and is best asked for rows that rise.
type Reader struct {
	segment *Segment
	runs    *Runs

	columns  [len(columnSpecs)]*Dict
	touches  [len(touchNames)]*Dict
	tables   [len(touchNames)][]uint32
	sessions *Dict
	visitors *Dict
	ids      *Dict
	rest     *restReader

	point  *pointReader
	points int // rows of the chunk nearBy that point has read
	nearBy int

	chunk     int // that is unpacked; -1 before the first
	times     []event.Time
	seqs      []event.Seq
	codes     [len(columnSpecs)][]uint32
	touch     []uint32
	session   []uint32
	derived   []uint32
	inURL     []uint32
	runOfLast int
}

// Reader returns a reader of events.
func (s *Segment) Reader() (*Reader, error) {
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	r := &Reader{segment: s, runs: runs, chunk: -1, nearBy: -1}
	r.point = &pointReader{segment: s, runs: runs, ints: map[int]encode.Ints{}, except: map[*codeColumn][2][]uint32{}}
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
	r.rest = s.restReader(r.point)
	return r, nil
}

// Runs returns the visitors of the segment.
func (r *Reader) Runs() *Runs { return r.runs }

func (r *Reader) load(chunk int) (err error) {
	if r.chunk == chunk {
		return nil
	}
	s := r.segment
	r.chunk = -1
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

// facts returns what the columns say about a row.
func (r *Reader) facts(row uint32) (rowFacts, error) {
	chunk := int(row) / ChunkRows
	if chunk != r.chunk {
		if chunk != r.nearBy {
			r.nearBy, r.points = chunk, 0
		}
		if r.points++; r.points <= pointsMax {
			return r.point.facts(row)
		}
		if err := r.load(chunk); err != nil {
			return rowFacts{}, err
		}
	}
	at := row % ChunkRows
	f := rowFacts{
		time: r.times[at], seq: r.seqs[at], touch: r.touch[at], session: r.session[at], derived: r.derived[at], inURL: r.inURL[at],
	}
	for i := range r.codes {
		f.columns[i] = r.codes[i][at]
	}
	return f, nil
}

// Event returns the event of a row and the ordinal of its visitor. Its texts share memory with
// those of other events: whoever keeps it for long clones them.
func (r *Reader) Event(row uint32) (e event.Event, ordinal uint32, err error) {
	if int(row) >= r.segment.rows {
		panic("index: no such row")
	}
	f, err := r.facts(row)
	if err != nil {
		return event.Event{}, 0, err
	}
	run := r.runOf(row)
	take := taker{}
	e = event.Event{Seq: f.seq, Time: f.time, SessionDerived: f.derived == 1}
	texts := [len(columnSpecs)]string{}
	for i := range columnSpecs {
		texts[i] = take.text(r.columns[i], f.columns[i])
	}
	site, rest := texts[3], texts[4]
	e.Name, e.UserID, e.Path, e.Referrer, e.Country = texts[0], texts[1], texts[2], texts[5], texts[6]
	e.Device, e.Browser, e.OS, e.Bot, e.IPHash = texts[7], texts[8], texts[9], texts[10], texts[11]
	e.URL = joinURL(site, e.Path, rest, f.inURL == 1)
	t := [len(touchNames)]string{}
	for i := range touchNames {
		t[i] = take.text(r.touches[i], r.tables[i][f.touch])
	}
	e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = t[0], t[1], t[2], t[3], t[4]
	e.AnonymousID = take.text(r.visitors, uint32(run))
	e.ID = take.text(r.ids, rowOf(r.ids, row))
	if take.err == nil {
		e.Properties, take.err = r.rest.object(row)
	}
	e.SessionID = take.text(r.sessions, f.session)
	if e.SessionID == "" && take.err == nil {
		e.SessionID = derivedSession(e.AnonymousID, e.Time)
	} else if take.err == nil {
		e.SessionID, take.err = unsqueezed(e.SessionID)
	}
	return e, r.runs.Ordinals[run], take.err
}

// rowOf returns the place of a row's text in a store of rows, which has one text where all are equal.
func rowOf(d *Dict, row uint32) uint32 {
	if d.Len() == 1 {
		return 0
	}
	return row
}

// runOf is Runs.Of, but fast where rows rise.
func (r *Reader) runOf(row uint32) int {
	starts := r.runs.Starts
	if at := r.runOfLast; row < starts[at] || row >= starts[at+1] {
		if at+2 < len(starts) && row >= starts[at+1] && row < starts[at+2] {
			r.runOfLast = at + 1
		} else {
			r.runOfLast = r.runs.Of(row)
		}
	}
	return r.runOfLast
}

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

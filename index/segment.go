// Package index turns rows into one immutable segment and back.
//
// A segment is what a project saw in a stretch of time, sorted by visitor, then by time: columns,
// their dictionaries, and for each common value the set of rows that have it. Build makes the
// sections; Open reads the header, and what else is asked for when it is asked for. Nothing is lost
// on the way: the events that come out are those that went in, to the byte.
//
// The package opens no files, starts no goroutines and knows no clock: bytes in, bytes out; nothing
// reaches disk. Bytes that come back are not trusted: every piece is checked against its checksum,
// its place and the bounds of what it refers to, and damage is an error of kind event.ErrDamaged,
// never an answer. A Segment is safe for concurrent readers. Layout: FORMAT.md.
package index

import (
	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// Columns that a segment has beside those of event.Column. A URL is kept in two columns: ColumnSite
// is its beginning up to the end of the host, ColumnRest what follows; where the event's path comes
// next, it is left out of both.
const (
	ColumnBot    event.Column = "bot"
	ColumnIPHash event.Column = "ip_hash"
	ColumnSite   event.Column = "url.site"
	ColumnRest   event.Column = "url.rest"
)

// Segment is an open segment.
type Segment struct {
	src   Sections
	stamp uint64
	spots []spot

	rows, visitors   int
	minTime, maxTime event.Time
	minSeq, maxSeq   event.Seq

	ordinals  span // sets
	runStarts span // first row of each visitor
	anonymous textStore
	times     span
	seqs      span

	columns  map[event.Column]*column
	touches  touchColumns
	sessions codeColumn
	sessionT textStore
	derived  codeColumn
	inURL    codeColumn
	ids      textStore

	sets         map[event.Column]*valueSets
	nameVisitors []span // by the code of the name; nil where there are too many names
	properties   map[string]*Property
	rest         restColumn

	hides  bool // some rows are hidden, see Without
	hidden bitmap.Set
}

// column is a text column with codes of its own.
type column struct {
	codes codeColumn
	store textStore
}

// The records of the header, in their order:
//
//	rows, visitors (uv); least and greatest time (sv); least and greatest seq (uv)
//	visitors      see runs.go
//	order         pieces of times and of seqs, see order.go
//	columns       those of columnSpecs, in that order: a code column, then a text store
//	touch         see touch.go
//	sessions      a code column, a raw text store; a code column of 0 and 1: is it derived?
//	in URL        a code column of 0 and 1: does the path follow the site?
//	ids           a text store of rows
//	value sets    see sets.go
//	properties    see property.go, then rest.go

// Open reads the header of a segment.
func Open(src Sections) (*Segment, error) {
	head, err := src.Section(0)
	if err != nil {
		return nil, err
	}
	stamp, spots, r, err := readHeader(head)
	if err != nil {
		return nil, err
	}
	s := &Segment{src: src, stamp: stamp, spots: spots}
	s.rows, s.visitors = r.length(RowsMax), r.length(RowsMax)
	s.minTime, s.maxTime = event.Time(r.sv()), event.Time(r.sv())
	s.minSeq, s.maxSeq = event.Seq(r.uv()), event.Seq(r.uv())
	if r.bad || s.rows == 0 || s.visitors == 0 || s.visitors > s.rows || s.minTime > s.maxTime || s.minSeq > s.maxSeq {
		return nil, damaged("header: %d rows of %d visitors", s.rows, s.visitors)
	}
	s.readRecords(r)
	if r.bad || len(r.rest) != 0 || r.next != len(spots) {
		return nil, damaged("header: %d bytes are left, %d of %d pieces are spoken of", len(r.rest), r.next, len(spots))
	}
	return s, nil
}

func (s *Segment) readRecords(r *headReader) {
	s.readRuns(r)
	s.times, s.seqs = r.span(), r.span()
	if s.times.count != s.Chunks() || s.seqs.count != s.Chunks() {
		r.fail()
	}
	s.columns = make(map[event.Column]*column, len(columnSpecs))
	for _, spec := range columnSpecs {
		c := &column{codes: s.readCodeColumn(r), store: readTextStore(r)}
		if c.store.count != int(c.codes.limit) {
			r.fail()
		}
		s.columns[spec.name] = c
	}
	s.readTouches(r)
	s.sessions, s.sessionT = s.readCodeColumn(r), readTextStore(r)
	s.derived, s.inURL = s.readCodeColumn(r), s.readCodeColumn(r)
	s.ids = readTextStore(r)
	if s.ids.count != s.rows && s.ids.count != 1 {
		r.fail()
	}
	if s.sessionT.count != int(s.sessions.limit) || s.derived.limit != 2 || s.inURL.limit != 2 {
		r.fail()
	}
	s.readSets(r)
	s.readProperties(r)
}

// Rows returns how many events the segment holds.
func (s *Segment) Rows() int { return s.rows }

// Visitors returns how many visitors they come from.
func (s *Segment) Visitors() int { return s.visitors }

// TimeRange returns the times of the first and the last event.
func (s *Segment) TimeRange() (first, last event.Time) { return s.minTime, s.maxTime }

// SeqRange returns the least and the greatest position.
func (s *Segment) SeqRange() (least, greatest event.Seq) { return s.minSeq, s.maxSeq }

// Chunks returns how many chunks of ChunkRows rows there are; the last may be shorter.
func (s *Segment) Chunks() int { return chunksOf(s.rows) }

// ChunkBounds returns the rows of a chunk: from inclusive, to exclusive.
func (s *Segment) ChunkBounds(chunk int) (from, to int) {
	return chunk * ChunkRows, min((chunk+1)*ChunkRows, s.rows)
}

// Coded reports whether a column has codes and a Dict. The ids, the URL as a whole, the session and
// the visitor have none.
func (s *Segment) Coded(c event.Column) bool {
	return s.columns[c] != nil || touchIndex(c) >= 0
}

func (s *Segment) store(c event.Column) *textStore {
	if i := touchIndex(c); i >= 0 {
		return &s.touches.stores[i]
	}
	if own := s.columns[c]; own != nil {
		return &own.store
	}
	panic("index: column " + string(c) + " has no codes")
}

// Dict returns the values of a coded column, "" (missing) among them.
func (s *Segment) Dict(c event.Column) *Dict { return s.dict(s.store(c), false) }

// MayHold reports whether some row may have the value. It reads nothing: false is certain.
func (s *Segment) MayHold(c event.Column, value string) bool { return s.store(c).mayHold(value) }

// Codes reads the codes of a coded column in a chunk of rows into dst, which grows where it is too
// small, and returns it. The runs are those of the segment; where they are some of them only, what is
// read of rows that none of them has means nothing.
func (s *Segment) Codes(c event.Column, runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	return s.stretch(chunk).Codes(c, runs, dst)
}

// Sessions returns how many sessions there are.
func (s *Segment) Sessions() int { return int(s.sessions.limit) }

// SessionCodes reads a number for each row's session in a chunk: two rows have the same number
// exactly where visitor and session are the same. Numbers are below Sessions.
func (s *Segment) SessionCodes(runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	return s.codes(&s.sessions, runs, chunk, dst)
}

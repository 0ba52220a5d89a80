package query

import (
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// flag names a yes or no that each row of a segment has.
type flag int8

const (
	flagDerived flag = iota // the session id was derived
	flagInURL               // the path stands in the URL
	flagCount
)

// What a view has unpacked, a bit each. Columns come first, by their number.
const (
	hasTimes = 1 << (iota + int(columnCount))
	hasSeqs
	hasSessions
	hasTouches
	hasFlags // as many bits as there are flags
)

// view is the chunk of a segment that a scan is at, or some rows of it. Its columns are unpacked when they are first asked
// for. The view remembers the first error that it met, after which what it gives means nothing: a scan
// looks for it after each row.
type view struct {
	run       *run
	sealed    *sealed
	at        index.Stretch // the rows that it is at
	chunk     int           // they lie in
	first     int           // of them
	rows      int
	has       uint32
	grown     bool   // something was unpacked since its memory was counted
	*unpacked        // nil before it is turned, and after it let go
	block     uint32 // the first visitor of the block that a walk is at
	visitor   int    // number of the run that the row at hand lies in
	named     int    // the run whose anonymous id is name, -1 for none
	name      string
	err       error
}

// newView returns a view that is the question's until release.
func (r *run) newView() *view {
	v := &view{run: r}
	r.views = append(r.views, v)
	return v
}

// release gives back the memory of all views. Nothing of them may be used after.
func (r *run) release() {
	for _, v := range r.views {
		if v.unpacked != nil {
			v.letGo()
		}
	}
	r.room.release()
	r.views, r.view = nil, nil
}

// turn moves the view to another chunk.
func (v *view) turn(s *sealed, chunk int) {
	from, to := s.segment.ChunkBounds(chunk)
	v.turnTo(s, from, to)
}

// turnTo moves the view to rows of one chunk.
func (v *view) turnTo(s *sealed, from, to int) {
	if v.sealed != s {
		v.sealed, v.named, v.visitor = s, -1, 0
	}
	if v.unpacked == nil {
		v.unpacked = v.run.viewRoom().take()
	}
	v.at, v.chunk, v.first, v.rows, v.has = s.segment.Stretch(from, to), from/index.ChunkRows, from, to-from, 0
}

// holds tells whether the view is at a row.
func (v *view) holds(s *sealed, row int) bool {
	return v.sealed == s && row >= v.first && row < v.first+v.rows
}

// reach moves the view to a row, where it isn't there: to the chunk that the row lies in, or, where there is no room for
// that, to those rows of the chunk from it on that are before to.
func (v *view) reach(s *sealed, row, to int) {
	if v.holds(s, row) {
		return
	}
	from, end := s.segment.ChunkBounds(row / index.ChunkRows)
	if v.run.viewRoom().narrow(v) {
		from, end = row, min(to, end)
	}
	v.turnTo(s, from, end)
}

// lacks tells whether something isn't unpacked yet, and notes that it will be.
func (v *view) lacks(what uint32) bool {
	if v.has&what != 0 {
		return false
	}
	v.has |= what
	v.grown = true
	return true
}

func (v *view) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// keep takes what was unpacked. Where that failed, rows read zeros until the scan sees the error.
func keep[T any](v *view, values []T, err error) []T {
	if err != nil {
		v.fail(err)
		return make([]T, v.rows)
	}
	return values
}

func (v *view) codesOf(c column) []uint32 {
	if !v.lacks(1 << c) {
		return v.codes[c]
	}
	if c >= colSource {
		v.codes[c] = v.fromTouches(c)
		return v.codes[c]
	}
	codes, err := v.at.Codes(columnNames[c], v.sealed.runs, v.codes[c])
	v.codes[c] = keep(v, codes, err)
	return v.codes[c]
}

// touchesOf returns the codes of what the columns from colSource on say together.
func (v *view) touchesOf() []uint32 {
	if v.lacks(uint32(hasTouches)) {
		codes, err := v.at.TouchCodes(v.sealed.runs, v.touches)
		v.touches = keep(v, codes, err)
	}
	return v.touches
}

func (v *view) fromTouches(c column) []uint32 {
	table, err := v.sealed.table(c)
	if err != nil {
		return keep[uint32](v, nil, err)
	}
	touches := v.touchesOf()
	codes := slices.Grow(v.codes[c][:0], len(touches))[:len(touches)]
	if v.err != nil {
		clear(codes)
		return codes
	}
	for i, t := range touches {
		codes[i] = table[t]
	}
	return codes
}

func (v *view) timesOf() []event.Time {
	if v.lacks(uint32(hasTimes)) {
		times, err := v.at.Times(v.times)
		v.times = keep(v, times, err)
	}
	return v.times
}

func (v *view) seqsOf() []event.Seq {
	if v.lacks(uint32(hasSeqs)) {
		seqs, err := v.at.Seqs(v.seqs)
		v.seqs = keep(v, seqs, err)
	}
	return v.seqs
}

func (v *view) seq(at int) event.Seq { return v.seqsOf()[at] }

func (v *view) flag(f flag, at int) bool {
	if v.lacks(uint32(hasFlags) << f) {
		read := v.at.SessionsDerived
		if f == flagInURL {
			read = v.at.PathsInURL
		}
		flags, err := read(v.sealed.runs, v.flags[f])
		v.flags[f] = keep(v, flags, err)
	}
	return v.flags[f][at] == 1
}

// session returns the number of a row's session in its segment.
func (v *view) session(at int) uint32 {
	if v.lacks(uint32(hasSessions)) {
		sessions, err := v.at.SessionCodes(v.sealed.runs, v.sessions)
		v.sessions = keep(v, sessions, err)
	}
	return v.sessions[at]
}

// text returns the text of a column that a row has.
func (v *view) text(c column, at int) string {
	return v.textOf(c, v.codesOf(c)[at])
}

func (v *view) textOf(c column, code uint32) string {
	text, err := v.sealed.column(c).at(code)
	if err != nil {
		v.fail(err)
	}
	return text
}

// come moves the view to a row and returns the ordinal of its visitor. Rows mostly rise.
func (v *view) come(at int) uint32 {
	row := uint32(v.first + at)
	starts := v.sealed.runs.Starts
	if row < starts[v.visitor] || row >= starts[min(v.visitor+64, len(starts)-1)] {
		v.visitor = v.sealed.runs.Of(row)
	}
	for row >= starts[v.visitor+1] {
		v.visitor++
	}
	return v.sealed.runs.Ordinals[v.visitor]
}

// anonymousID returns that of the visitor of the row at hand.
func (v *view) anonymousID(at int) string {
	v.come(at)
	if v.named != v.visitor {
		if v.sealed.visitors == nil {
			v.sealed.visitors = v.sealed.segment.AnonymousIDs()
		}
		name, err := v.sealed.visitors.At(uint32(v.visitor))
		if err != nil {
			v.fail(err)
		}
		v.named, v.name = v.visitor, name
	}
	return v.name
}

func (v *view) sessionID(at int, time event.Time) string {
	if v.sealed.sessions == nil {
		v.sealed.sessions = v.sealed.segment.SessionIDs()
	}
	id, err := v.sealed.sessions.At(v.session(at), v.anonymousID(at), time)
	if err != nil {
		v.fail(err)
	}
	return id
}

func (v *view) eventID(at int) string {
	if v.sealed.ids == nil {
		v.sealed.ids = v.sealed.segment.EventIDs()
	}
	id, err := v.sealed.ids.At(uint32(v.first + at))
	if err != nil {
		v.fail(err)
	}
	return id
}

func (v *view) url(at int) string {
	site, rest := v.text(colSite, at), v.text(colRest, at)
	if v.flag(flagInURL, at) {
		return site + v.text(colPath, at) + rest
	}
	return site + rest
}

// properties returns all properties of a row, or "" where maybe says of those without a column that
// what is looked for can't be among them.
func (v *view) properties(at int, maybe func(rest string) bool) string {
	object, err := v.rawProperties(uint32(v.first+at), maybe)
	if err != nil {
		v.fail(err)
	}
	return object
}

func (v *view) rawProperties(row uint32, maybe func(rest string) bool) (object string, err error) {
	reader, err := v.sealed.events()
	if err != nil {
		return "", err
	}
	if err := v.run.noteRest(v.sealed, row); err != nil {
		return "", err
	}
	rest, err := reader.Rest(row)
	if err != nil || !maybe(rest) {
		return "", err
	}
	v.run.work += len(rest) / propertyBytesPerWork
	return reader.Properties(row)
}

// noteRest counts the piece that holds the properties of a row which have no column, where the row
// before it lay in another one.
func (r *run) noteRest(s *sealed, row uint32) error {
	piece, err := s.reader.RestPiece(row)
	if err == nil && piece != s.restPiece {
		s.restPiece = piece
		r.cost.RawBlocks++
	}
	return err
}

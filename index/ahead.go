package index

import "slices"

// SectionFetcher is what the Sections of a segment may offer beside: it fetches several sections at the same time, so
// that whoever asks for them next, one after the other, needn't wait for each. It returns how many weren't near.
// What can't be read is met again by whoever asks for it.
type SectionFetcher interface {
	Fetch(ids []SectionID) int
}

// fetchMost is how many sections are fetched at most before rows are read: some four megabytes, which any cache
// holds until they are read.
const fetchMost = 64

// Ahead has what the events of rows are made of fetched, so far as that isn't near. It is for some hundred rows, that
// rise, of which Event is asked next.
//
//  1. Where the codes of a row lie is known beforehand. If those of the first row were near, all else mostly is, too:
//     then to look for it isn't worth it.
//  2. Where its texts lie its codes say, so these are read first.
func (r *Reader) Ahead(rows []uint32) error {
	from, ok := r.segment.src.(SectionFetcher)
	if !ok || len(rows) < 2 {
		return nil
	}
	want := sectionList{segment: r.segment, keeper: r.segment.keeper(), place: -1, visitors: -1}
	if err := r.codesOf(rows[:1], &want); err != nil || from.Fetch(want.take()) == 0 {
		return err
	}
	if err := r.codesOf(rows[1:], &want); err != nil {
		return err
	}
	from.Fetch(want.take())
	for _, row := range rows {
		if err := r.visit(row); err != nil {
			return err
		}
		facts, err := r.point.facts(row, int(r.run))
		if err != nil {
			return err
		}
		r.textsOf(row, &facts, &want)
	}
	from.Fetch(want.take())
	return nil
}

// codesOf adds the sections with the codes of rows.
func (r *Reader) codesOf(rows []uint32, want *sectionList) error {
	for _, row := range rows {
		if err := r.visit(row); err != nil {
			return err
		}
		want.codesOf(row, int(r.run))
	}
	return nil
}

// textsOf adds the sections with the texts that a row has in columns.
func (r *Reader) textsOf(row uint32, facts *rowFacts, want *sectionList) {
	for i, dict := range r.columns {
		want.text(dict.store, facts.columns[i])
	}
	for i, dict := range r.touches {
		want.text(dict.store, r.tables[i][facts.touch])
	}
	want.text(r.sessions.store, facts.session)
	want.text(r.visitors.store, r.run)
	want.text(r.ids.store, rowOf(r.ids, row))
	if r.segment.rest.shape == restByRow {
		want.text(&r.segment.rest.store, rowOf(r.rest.dict, row))
	}
}

// sectionList lists sections, each of them once, less those whose pieces are kept.
type sectionList struct {
	segment  *Segment
	keeper   PieceKeeper // nil for none
	ids      []SectionID
	place    int // the chunk of rows whose codes were added last; -1 before the first
	visitors int // the chunk of visitors, likewise
}

// take returns the list, which is empty then.
func (l *sectionList) take() []SectionID {
	slices.Sort(l.ids)
	taken := slices.Compact(l.ids)
	l.ids = nil
	return taken[:min(fetchMost, len(taken))]
}

// piece adds the section of a piece.
func (l *sectionList) piece(number int) {
	if l.keeper != nil {
		if _, kept := l.keeper.Kept(number); kept {
			return
		}
	}
	if id := l.segment.spots[number].section; len(l.ids) == 0 || l.ids[len(l.ids)-1] != id {
		l.ids = append(l.ids, id)
	}
}

// part adds the section of one of the pieces of a span, if it has so many.
func (l *sectionList) part(of span, at int) {
	if at < of.count {
		l.piece(of.first + at)
	}
}

// codesOf adds the sections with the codes of a row.
func (l *sectionList) codesOf(row uint32, run int) {
	s := l.segment
	place, visitors := int(row)/ChunkRows, run/visitorChunk
	if place == l.place && visitors == l.visitors {
		return
	}
	l.place, l.visitors = place, visitors
	l.part(s.times, place)
	l.part(s.seqs, place)
	l.part(s.runStarts, visitors)
	for _, spec := range columnSpecs {
		l.column(&s.columns[spec.name].codes)
	}
	for _, c := range []*codeColumn{&s.touches.codes, &s.sessions, &s.derived, &s.inURL} {
		l.column(c)
	}
	if s.rest.shape == restByCode {
		l.column(&s.rest.codes)
	}
	for _, p := range s.properties {
		l.part(p.rows, place)
		l.part(p.values, place)
	}
}

// column adds the sections with the codes of a column.
func (l *sectionList) column(c *codeColumn) {
	switch c.shape {
	case shapePerRow:
		l.part(c.chunks, l.place)
	case shapePerRun:
		l.part(c.chunks, l.visitors)
		l.part(c.exceptRows, l.place)
		l.part(c.exceptCode, l.place)
	}
}

// text adds the section with a text of a store.
func (l *sectionList) text(store *textStore, code uint32) {
	if store.kind == storeInline || int(code) >= store.count {
		return // a code that can't be is met again by whoever reads the text
	}
	at, found := slices.BinarySearch(store.firsts, int(code))
	if !found {
		at--
	}
	l.part(store.pieces, at)
}

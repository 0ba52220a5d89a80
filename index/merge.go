package index

import (
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// Segments of one project become one, column by column, without making events of their rows:
//
//  1. The visitors of all sources are merged by their ordinals, and the rows of each by time and
//     position. What comes out is a list of stretches: rows of one source that stay side by side. As
//     each source is in that order already, every later pass reads each source from its first row to
//     its last, one chunk at a time.
//  2. For each column, the stretches are walked. A code of a source gets its number in the merged
//     column where its first row is met, so numbers rise as they would had the rows come as events;
//     from there on, the column is written as Build writes it. Its codes are gone before the next.
//  3. Properties are taken apart by rests instead of by rows, see merge_rest.go.
//
// So the sections are those that Build would make of the rows that are left, to the byte. Only what
// is read is checked: sets, for one, are made anew, and damage to those of a source has no effect.

// MergeOptions say what Merge leaves out, and how it builds what is left. The zero value keeps all.
type MergeOptions struct {
	BuildOptions
	// Floor leaves out the rows before it, Until those from it on, unless it is 0.
	Floor, Until event.Time
	// Retouch says where the visits of the rows came from, where that isn't to stay as it is; nil for nothing.
	Retouch Retouch
	// Drop leaves out rows of each segment. There may be fewer sets than segments.
	Drop []bitmap.Set

	typedBytes int // of the values of typed columns to hold at a time; 0 is right for all but tests
}

// Merge makes one segment of several of the same project, in which an ordinal is the same visitor. It
// returns nil where no row is left. Damage to what it reads, a row that is in two segments, and an
// ordinal with two anonymous ids are errors of kind event.ErrDamaged. It panics where the segments
// have more rows than RowsMax.
func Merge(segments []*Segment, opt MergeOptions) (*Built, error) {
	rows := 0
	for _, s := range segments {
		rows += s.rows
	}
	if rows > RowsMax {
		panic("index: a merge of more than RowsMax rows")
	}
	m := &merger{draft: newDraft(), rows: rows}
	for i, s := range segments {
		source, err := newMergeSource(s, opt.Floor, opt.Until)
		if err != nil {
			return nil, err
		}
		if i < len(opt.Drop) {
			source.dropped = opt.Drop[i].Numbers()
		}
		m.sources = append(m.sources, source)
	}
	if err := m.plan(); err != nil || len(m.ordinals) == 0 {
		return nil, err
	}
	if err := m.write(opt); err != nil {
		return nil, err
	}
	return m.built(), nil
}

// merger is a merge at work.
type merger struct {
	draft
	rows      int // of all sources
	sources   []*mergeSource
	stretches []stretch
	ids       lister   // anonymous ids, by visitor
	merged    []uint32 // codes of the column at hand
	hints     []uint8  // by row: of which event name it may be; see objects.likely
}

// stretch is rows of a source that stay side by side.
type stretch struct{ source, from, to uint32 }

// plan finds the order of all rows that are left: step 1.
func (m *merger) plan() error {
	m.ids = lister{packer: m.head.packer, kind: "anonymous ids", ids: true}
	m.times, m.seqs = make([]uint64, 0, m.rows), make([]uint64, 0, m.rows)
	var parts []*mergeSource
	for {
		least, any := uint32(0), false
		for _, s := range m.sources {
			if o, ok := s.ordinal(); ok && (!any || o < least) {
				least, any = o, true
			}
		}
		if !any {
			m.starts = append(m.starts, uint32(len(m.times)))
			return nil
		}
		parts = parts[:0]
		for number, s := range m.sources {
			if o, ok := s.ordinal(); ok && o == least {
				s.number = uint32(number)
				if err := s.enter(); err != nil {
					return err
				}
				parts = append(parts, s)
			}
		}
		if err := m.planVisitor(least, parts); err != nil {
			return err
		}
	}
}

// planVisitor orders the rows of a visitor, which parts have.
func (m *merger) planVisitor(ordinal uint32, parts []*mergeSource) error {
	start := len(m.times)
	id := ""
	for i, s := range parts {
		own, err := s.anonymous.At(uint32(s.run))
		if err != nil {
			return err
		}
		if i > 0 && own != id {
			return damaged("ordinal %d has two anonymous ids", ordinal)
		}
		id = own
	}
	for {
		parts = slices.DeleteFunc(parts, func(s *mergeSource) bool { return s.row == s.end })
		if len(parts) == 0 {
			break
		}
		next := parts[0]
		for _, s := range parts[1:] {
			if s.before(next) {
				next = s
			}
		}
		if err := m.take(next, start); err != nil {
			return err
		}
	}
	if start < len(m.times) {
		m.ordinals, m.starts = append(m.ordinals, ordinal), append(m.starts, uint32(start))
		m.ids.add(id)
	}
	return nil
}

// take adds the next row of a source to those of a visitor, which begin at start.
func (m *merger) take(s *mergeSource, start int) error {
	if last := len(m.times) - 1; last >= start && !(place{event.Time(m.times[last]), event.Seq(m.seqs[last]), 0}).before(s.place) {
		return damaged("two rows of a visitor have the same time and position, %d", s.place.seq)
	}
	if len(m.times) == 0 {
		m.minTime, m.maxTime, m.minSeq, m.maxSeq = s.place.time, s.place.time, s.place.seq, s.place.seq
	}
	m.minTime, m.maxTime = min(m.minTime, s.place.time), max(m.maxTime, s.place.time)
	m.minSeq, m.maxSeq = min(m.minSeq, s.place.seq), max(m.maxSeq, s.place.seq)
	m.times, m.seqs = append(m.times, uint64(s.place.time)), append(m.seqs, uint64(s.place.seq))
	if last := len(m.stretches) - 1; last >= 0 && m.stretches[last].source == s.number && m.stretches[last].to == s.row {
		m.stretches[last].to++
	} else {
		m.stretches = append(m.stretches, stretch{s.number, s.row, s.row + 1})
	}
	s.row++
	return s.settle()
}

// write writes all records, as finish does for rows.
func (m *merger) write(opt MergeOptions) error {
	m.writeFacts()
	ids, sessions := headWriter{packer: m.head.packer}, headWriter{packer: m.head.packer}
	m.ids.write(&ids)
	m.writeRuns(&ids)
	m.merged = make([]uint32, m.rowCount())
	if err := m.writeMergedSessions(&sessions); err != nil {
		return err
	}
	m.writeOrder()
	m.times, m.seqs = nil, nil
	for c := range columnSpecs {
		if err := m.writeMergedColumn(c); err != nil {
			return err
		}
	}
	touches := m.writeMergedTouches
	if opt.Retouch != nil {
		touches = func() error { return m.writeRetouched(opt.Retouch) }
	}
	if err := touches(); err != nil {
		return err
	}
	m.head.join(&sessions)
	if err := m.writeFlags("session derived", func(s *Segment) *codeColumn { return &s.derived }); err != nil {
		return err
	}
	if err := m.writeFlags("path in url", func(s *Segment) *codeColumn { return &s.inURL }); err != nil {
		return err
	}
	if err := m.writeIDs(); err != nil {
		return err
	}
	m.writeSets()
	m.merged = nil
	return m.writeMergedProperties(opt)
}

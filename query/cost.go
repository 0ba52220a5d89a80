package query

import (
	"strconv"
	"time"

	"millimetric/index"
)

// Cost is what an answer took. It may differ from one time to the next.
type Cost struct {
	Segments  int           // segments that the source gave
	Skipped   int           // those of them of which no row was looked at
	Scanned   int           // rows looked at, live events among them
	Matched   int           // rows that the question was about
	BytesRead int64         // of segments, as they are stored; what is read again counts once
	RawBlocks int           // pieces opened of properties that have no column
	Elapsed   time.Duration // set by the door, as this package knows no clock
}

// sum adds up what the segments have to say.
func (r *run) sum() Cost {
	r.cost.Segments, r.cost.Skipped = len(r.opened), 0
	for _, s := range r.opened {
		if !s.used {
			r.cost.Skipped++
		}
	}
	return r.cost
}

// addCost adds what a helper's work has cost. What both have read of a segment counts once.
func (r *run) addCost(helper *run) {
	r.cost.Scanned += helper.cost.Scanned
	r.cost.Matched += helper.cost.Matched
	r.cost.RawBlocks += helper.cost.RawBlocks
	for segment, theirs := range helper.opened {
		ours := r.open(segment)
		ours.used = ours.used || theirs.used
		for id, bytes := range theirs.sections {
			if read := at(&ours.sections, uint32(id)); *read == 0 && bytes > 0 {
				*read = bytes
				r.cost.BytesRead += int64(bytes)
			}
		}
	}
}

func (c *Cost) appendJSON(dst []byte) []byte {
	for i, m := range [...]struct {
		name  string
		value int64
	}{
		{"segments", int64(c.Segments)}, {"segments_skipped", int64(c.Skipped)}, {"rows_scanned", int64(c.Scanned)},
		{"rows_matched", int64(c.Matched)}, {"bytes_read", c.BytesRead}, {"raw_blocks", int64(c.RawBlocks)},
		{"elapsed_ms", c.Elapsed.Milliseconds()},
	} {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), m.name...), `":`...)
		dst = strconv.AppendInt(dst, m.value, 10)
	}
	return dst
}

// watched counts what is read of a segment's sections.
type watched struct {
	index.Sections
	run *run
	of  *sealed
}

// Section gives a section, and counts it the first time.
func (w *watched) Section(id index.SectionID) ([]byte, error) {
	section, err := w.of.fetched[id], error(nil)
	if section == nil {
		section, err = w.Sections.Section(id)
	}
	if err == nil {
		if read := at(&w.of.sections, uint32(id)); *read == 0 {
			*read = int32(len(section))
			w.run.cost.BytesRead += int64(len(section))
		}
	}
	return section, err
}

// bulkSections are what a source's sections may offer beside: Fetch reads those of a list that aren't near at the same
// time, and returns them by place; the others are nil.
type bulkSections interface {
	Fetch(ids []index.SectionID) [][]byte
}

// Fetch is part of index.SectionFetcher. Sections are counted once they are asked for, and held until then: a cache
// needn't keep what it was given.
func (w *watched) Fetch(ids []index.SectionID) (fetched int) {
	from, ok := w.Sections.(bulkSections)
	if !ok {
		return 0
	}
	for at, section := range from.Fetch(ids) {
		if section == nil {
			continue
		}
		if w.of.fetched == nil {
			w.of.fetched = map[index.SectionID][]byte{}
		}
		w.of.fetched[ids[at]] = section
		fetched++
	}
	return fetched
}

// Keeps is part of index.PieceKeeper. Pieces are kept where the question is about somebody, or about codes that the
// memo has: whoever reads rows of all takes most of them apart, and there would be no end of it.
func (w *watched) Keeps() bool { return w.run.keepsPieces }

// Kept is part of index.PieceKeeper.
func (w *watched) Kept(piece int) (index.Piece, bool) {
	kept, ok := w.run.common.Memo.pieces.get(w.pieceKey(piece))
	if !ok {
		return nil, false
	}
	return kept.(keptPiece).Piece, true
}

// Keep is part of index.PieceKeeper.
func (w *watched) Keep(piece int, taken index.Piece) {
	w.run.common.Memo.pieces.put(w.pieceKey(piece), keptPiece{taken})
}

func (w *watched) pieceKey(piece int) memoKey {
	key := w.run.memoKey(w.of, memoPiece, "")
	key.bots, key.number = true, piece
	return key
}

type keptPiece struct{ index.Piece }

func (p keptPiece) bytes() int64 { return int64(p.Bytes()) }

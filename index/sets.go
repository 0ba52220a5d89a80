package index

import (
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
	"millimetric/index/event"
)

// A set that is too great for one piece is cut in two until it fits: its pieces are sets of their
// own, which together are the set. An empty set has no piece.
//
// The record of the value sets, for each column of setColumns in that order:
//
//	limit  uv  of the column's codes; 0 where it has no sets: it has one value, or too many
//	first  uv  the most frequent code, which has no set: its rows are those of no other
//	pieces of the rows of each code but that one
//
// Then the visitors of each event name: how many names (uv; 0 where they are too many), and for
// each code the pieces of a set of ordinals.
const (
	setBytesMax   = 192 << 10
	setValuesMax  = 256 // beyond it, a scan of the column is faster than so many sets
	namesWithSets = 256
)

// setColumns are the columns that filters ask for by value.
var setColumns = [...]event.Column{
	event.ColumnName, event.ColumnSource, event.ColumnMedium, event.ColumnCampaign, event.ColumnCountry,
	event.ColumnDevice, event.ColumnBrowser, event.ColumnOS, ColumnBot,
}

type valueSets struct {
	first uint32
	rows  []span // by code
}

func setPieces(k *packer, kind string, numbers []uint32) []piece {
	if len(numbers) == 0 {
		return nil
	}
	set := bitmap.Of(numbers)
	if len(numbers) > 1 && set.Bytes() > setBytesMax {
		half := len(numbers) / 2
		return append(setPieces(k, kind, numbers[:half]), setPieces(k, kind, numbers[half:])...)
	}
	k.plain = set.Append(k.plain[:0])
	return []piece{k.pack(kind, encode.SavingIntegers)}
}

// set reads the pieces of a set of numbers below limit.
func (s *Segment) set(pieces span, limit uint64) (bitmap.Set, error) {
	keeper := s.keeper()
	if keeper == nil || pieces.count == 0 {
		return s.parseSet(pieces, limit)
	}
	if set, ok := keptPiece[bitmap.Set](keeper, pieces.first); ok {
		return set, nil
	}
	set, err := s.parseSet(pieces, limit)
	if err == nil {
		keeper.Keep(pieces.first, set)
	}
	return set, err
}

func (s *Segment) parseSet(pieces span, limit uint64) (bitmap.Set, error) {
	sets := make([]bitmap.Set, pieces.count)
	for i := range sets {
		plain, err := s.piece(pieces.first + i)
		if err != nil {
			return bitmap.Set{}, err
		}
		if sets[i], err = bitmap.Parse(plain, limit); err != nil {
			return bitmap.Set{}, err
		}
	}
	if len(sets) == 1 {
		return sets[0], nil
	}
	return bitmap.Any(sets...), nil
}

// valueSets writes the rows of each value of a column with these codes.
func (w *headWriter) valueSets(codes []uint32, limit uint32) {
	if limit < 2 || limit > setValuesMax {
		w.uv(0)
		return
	}
	counts := make([]int, limit)
	for _, c := range codes {
		counts[c]++
	}
	first := 0
	for c, n := range counts {
		if n > counts[first] {
			first = c
		}
	}
	w.uv(uint64(limit))
	w.uv(uint64(first))
	rows := make([][]uint32, limit)
	w.rows = sized(w.rows, len(codes)-counts[first])
	for c, from := 0, 0; c < len(counts); c++ {
		if c != first {
			rows[c] = w.rows[from : from : from+counts[c]]
			from += counts[c]
		}
	}
	for row, c := range codes {
		if int(c) != first {
			rows[c] = append(rows[c], uint32(row))
		}
	}
	for c := range rows {
		if c != first {
			w.add(setPieces(w.packer, "row sets", rows[c])...)
		}
	}
}

// noteNameVisitors writes the visitors of each name, for writeSets.
func (d *draft) noteNameVisitors(codes []uint32, limit uint32) {
	w := &d.nameVisitors
	if limit > namesWithSets {
		w.uv(0)
		return
	}
	w.uv(uint64(limit))
	ordinals := make([][]uint32, limit)
	for run, ordinal := range d.ordinals {
		for _, c := range codes[d.starts[run]:d.starts[run+1]] {
			if list := ordinals[c]; len(list) == 0 || list[len(list)-1] != ordinal {
				ordinals[c] = append(list, ordinal)
			}
		}
	}
	for _, list := range ordinals {
		w.add(setPieces(w.packer, "name visitors", list)...)
	}
}

// noteSets writes the sets of a column while its codes are at hand, for writeSets.
func (d *draft) noteSets(name event.Column, codes []uint32, limit uint32) {
	if at := slices.Index(setColumns[:], name); at >= 0 {
		d.sets[at].valueSets(codes, limit)
	}
	if name == event.ColumnName {
		d.noteNameVisitors(codes, limit)
	}
}

// writeSets writes what noteSets has noted.
func (d *draft) writeSets() {
	for i := range d.sets {
		d.head.join(&d.sets[i])
	}
	d.head.join(&d.nameVisitors)
}

func (s *Segment) readSets(r *headReader) {
	s.sets = map[event.Column]*valueSets{}
	for _, c := range setColumns {
		limit := r.length(setValuesMax)
		if limit == 0 {
			continue
		}
		first := r.length(limit - 1)
		if limit != s.store(c).count {
			r.fail()
		}
		sets := &valueSets{first: uint32(first), rows: make([]span, limit)}
		for code := range sets.rows {
			if code != first {
				sets.rows[code] = r.span()
			}
		}
		s.sets[c] = sets
	}
	names := r.length(namesWithSets)
	if names == 0 {
		return
	}
	if names != s.columns[event.ColumnName].store.count {
		r.fail()
		return
	}
	for range names {
		s.nameVisitors = append(s.nameVisitors, r.span())
	}
}

// RowsWith returns the rows that have a code in a column. ok is false where the segment has no sets
// of that column.
func (s *Segment) RowsWith(c event.Column, code uint32) (rows bitmap.Set, ok bool, err error) {
	sets := s.sets[c]
	if sets == nil || int(code) >= len(sets.rows) {
		return bitmap.Set{}, false, nil
	}
	if code != sets.first {
		rows, err = s.set(sets.rows[code], uint64(s.rows))
		return rows, err == nil, err
	}
	others := make([]bitmap.Set, len(sets.rows))
	for i, pieces := range sets.rows {
		if others[i], err = s.set(pieces, uint64(s.rows)); err != nil {
			return bitmap.Set{}, false, err
		}
	}
	return bitmap.Any(others...).Not(uint32(s.rows)), true, nil
}

// Frequent returns the code of a column that most rows have, of which RowsWith must put together the rows
// of all others. ok is false where the segment has no sets of that column.
func (s *Segment) Frequent(c event.Column) (code uint32, ok bool) {
	if sets := s.sets[c]; sets != nil {
		return sets.first, true
	}
	return 0, false
}

// VisitorsWith returns the ordinals of the visitors with an event of the name that has this code. ok
// is false where the segment has too many names for that.
func (s *Segment) VisitorsWith(name uint32) (ordinals bitmap.Set, ok bool, err error) {
	if int(name) >= len(s.nameVisitors) {
		return bitmap.Set{}, false, nil
	}
	ordinals, err = s.set(s.nameVisitors[name], 1<<32)
	return ordinals, err == nil, err
}

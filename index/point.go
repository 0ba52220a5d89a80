package index

import (
	"slices"
	"sort"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
	"millimetric/index/event"
)

// rowFacts is what the columns say about one row, before codes become texts.
type rowFacts struct {
	time    event.Time
	seq     event.Seq
	columns [len(columnSpecs)]uint32
	touch   uint32
	session uint32
	derived uint32
	inURL   uint32
}

// pointReader reads single rows without unpacking their chunk. It keeps the pieces that it parsed.
type pointReader struct {
	segment  *Segment
	ordinals bitmap.Set // once it is asked for
	starts   []uint32   // of the chunk of visitors loaded
	loaded   int        // and which that is; -1 before the first
	ints     map[int]encode.Ints
	except   map[int][2][]uint32 // by the piece of the rows: those that differ from their visitor's, and their codes
}

func newPointReader(s *Segment) *pointReader {
	return &pointReader{segment: s, loaded: -1, ints: map[int]encode.Ints{}, except: map[int][2][]uint32{}}
}

// parsed returns a piece of integers, of which there must be count.
func (p *pointReader) parsed(number, count int) (encode.Ints, error) {
	ints, ok := p.ints[number]
	if ok {
		return ints, nil
	}
	ints, err := p.segment.ints(number, count)
	if err == nil {
		p.ints[number] = ints
	}
	return ints, err
}

// at returns a value of each row.
func (p *pointReader) at(pieces span, row uint32) (uint64, error) {
	chunk := int(row) / ChunkRows
	ints, err := p.parsed(pieces.first+chunk, min(ChunkRows, p.segment.rows-chunk*ChunkRows))
	if err != nil {
		return 0, err
	}
	return ints.At(int(row) % ChunkRows), nil
}

// ofVisitor returns a value of each visitor.
func (p *pointReader) ofVisitor(pieces span, run int) (uint64, error) {
	chunk := run / visitorChunk
	ints, err := p.parsed(pieces.first+chunk, min(visitorChunk, p.segment.visitors-chunk*visitorChunk))
	if err != nil {
		return 0, err
	}
	return ints.At(run % visitorChunk), nil
}

// visitorsFrom returns the first row of each visitor in a chunk of visitors, and of the next one.
func (p *pointReader) visitorsFrom(chunk int) ([]uint32, error) {
	if p.loaded == chunk {
		return p.starts, nil
	}
	s := p.segment
	count := min(visitorChunk, s.visitors-chunk*visitorChunk)
	ints, err := p.parsed(s.runStarts.first+chunk, count)
	if err != nil {
		return nil, err
	}
	end := uint64(s.rows)
	if (chunk+1)*visitorChunk < s.visitors {
		if end, err = p.ofVisitor(s.runStarts, (chunk+1)*visitorChunk); err != nil {
			return nil, err
		}
	}
	p.loaded = -1
	p.starts = slices.Grow(p.starts[:0], count+1)[:count+1]
	ints.Unpack32(p.starts[:count])
	p.starts[count] = uint32(end)
	for i, start := range p.starts[1:] {
		if start <= p.starts[i] || start > uint32(s.rows) || chunk == 0 && p.starts[0] != 0 {
			return nil, damaged("a visitor ends at row %d, and begins at %d", start, p.starts[i])
		}
	}
	p.loaded = chunk
	return p.starts, nil
}

// run returns the number of the visitor of a row.
func (p *pointReader) run(row uint32) (int, error) {
	var err error
	chunk := sort.Search(p.segment.runStarts.count-1, func(i int) bool {
		first, failed := p.ofVisitor(p.segment.runStarts, (i+1)*visitorChunk)
		if failed != nil {
			err = failed
		}
		return first > uint64(row)
	})
	if err != nil {
		return 0, err
	}
	starts, err := p.visitorsFrom(chunk)
	if err != nil {
		return 0, err
	}
	at, found := slices.BinarySearch(starts, row)
	if !found {
		at--
	}
	if at < 0 || at+1 == len(starts) {
		return 0, damaged("row %d belongs to no visitor", row)
	}
	return chunk*visitorChunk + at, nil
}

// set returns the ordinals of all visitors.
func (p *pointReader) set() (bitmap.Set, error) {
	if p.ordinals.Count() > 0 {
		return p.ordinals, nil
	}
	set, err := p.segment.VisitorSet()
	if err == nil && set.Count() != p.segment.visitors {
		err = damaged("%d visitors are in the set, %d in the header", set.Count(), p.segment.visitors)
	}
	if err == nil {
		p.ordinals = set
	}
	return set, err
}

// code returns the code of a row, whose visitor is run.
func (p *pointReader) code(c *codeColumn, row uint32, run int) (uint32, error) {
	var code uint64
	var err error
	switch c.shape {
	case shapeOne:
		return c.one, nil
	case shapePerRow:
		code, err = p.at(c.chunks, row)
	default:
		except, failed := p.exceptions(c, int(row)/ChunkRows)
		if failed != nil {
			return 0, failed
		}
		if i, found := slices.BinarySearch(except[0], row%ChunkRows); found {
			return except[1][i], nil
		}
		code, err = p.ofVisitor(c.chunks, run)
	}
	if err == nil && code >= uint64(c.limit) {
		err = damaged("code %d in a column of %d", code, c.limit)
	}
	return uint32(code), err
}

func (p *pointReader) exceptions(c *codeColumn, chunk int) ([2][]uint32, error) {
	piece := c.exceptRows.first + chunk
	if known, ok := p.except[piece]; ok {
		return known, nil
	}
	rows, codes, err := p.segment.exceptions(c, chunk)
	if err != nil {
		return [2][]uint32{}, err
	}
	p.except[piece] = [2][]uint32{rows, codes}
	return p.except[piece], nil
}

// time returns the time of a row.
func (p *pointReader) time(row uint32) (event.Time, error) {
	time, err := p.at(p.segment.times, row)
	if err == nil && time > uint64(p.segment.maxTime-p.segment.minTime) {
		err = damaged("row %d lies outside of the segment", row)
	}
	return p.segment.minTime + event.Time(time), err
}

// facts reads all columns of a row.
func (p *pointReader) facts(row uint32, run int) (f rowFacts, err error) {
	s := p.segment
	if f.time, err = p.time(row); err != nil {
		return f, err
	}
	seq, err := p.at(s.seqs, row)
	if err != nil {
		return f, err
	}
	if seq > uint64(s.maxSeq-s.minSeq) {
		return f, damaged("row %d lies outside of the segment", row)
	}
	f.seq = s.minSeq + event.Seq(seq)
	for i, spec := range columnSpecs {
		if f.columns[i], err = p.code(&s.columns[spec.name].codes, row, run); err != nil {
			return f, err
		}
	}
	for _, c := range []struct {
		column *codeColumn
		code   *uint32
	}{{&s.touches.codes, &f.touch}, {&s.sessions, &f.session}, {&s.derived, &f.derived}, {&s.inURL, &f.inURL}} {
		if *c.code, err = p.code(c.column, row, run); err != nil {
			return f, err
		}
	}
	return f, nil
}

package index

import (
	"slices"

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
	segment *Segment
	runs    *Runs
	ints    map[int]encode.Ints
	except  map[*codeColumn][2][]uint32 // rows and codes that differ from their visitor's
}

// at returns a value of a chunked list of total values.
func (p *pointReader) at(pieces span, total, i int) (uint64, error) {
	chunk := i / ChunkRows
	number := pieces.first + chunk
	ints, ok := p.ints[number]
	if !ok {
		var err error
		if ints, err = p.segment.ints(number, min(ChunkRows, total-chunk*ChunkRows)); err != nil {
			return 0, err
		}
		p.ints[number] = ints
	}
	return ints.At(i % ChunkRows), nil
}

// code returns the code of a row.
func (p *pointReader) code(c *codeColumn, row uint32) (uint32, error) {
	var code uint64
	var err error
	switch c.shape {
	case shapeOne:
		return c.one, nil
	case shapePerRow:
		code, err = p.at(c.chunks, p.segment.rows, int(row))
	default:
		except, failed := p.exceptions(c)
		if failed != nil {
			return 0, failed
		}
		if i, found := slices.BinarySearch(except[0], row); found {
			return except[1][i], nil
		}
		code, err = p.at(c.chunks, p.segment.visitors, p.runs.Of(row))
	}
	if err == nil && code >= uint64(c.limit) {
		err = damaged("code %d in a column of %d", code, c.limit)
	}
	return uint32(code), err
}

func (p *pointReader) exceptions(c *codeColumn) ([2][]uint32, error) {
	if known, ok := p.except[c]; ok {
		return known, nil
	}
	rows, codes, err := p.segment.exceptions(c)
	if err != nil {
		return [2][]uint32{}, err
	}
	p.except[c] = [2][]uint32{rows, codes}
	return p.except[c], nil
}

// facts reads all columns of a row.
func (p *pointReader) facts(row uint32) (f rowFacts, err error) {
	s := p.segment
	time, err := p.at(s.times, s.rows, int(row))
	if err != nil {
		return f, err
	}
	seq, err := p.at(s.seqs, s.rows, int(row))
	if err != nil {
		return f, err
	}
	if time > uint64(s.maxTime-s.minTime) || seq > uint64(s.maxSeq-s.minSeq) {
		return f, damaged("row %d lies outside of the segment", row)
	}
	f.time, f.seq = s.minTime+event.Time(time), s.minSeq+event.Seq(seq)
	for i, spec := range columnSpecs {
		if f.columns[i], err = p.code(&s.columns[spec.name].codes, row); err != nil {
			return f, err
		}
	}
	for _, c := range []struct {
		column *codeColumn
		code   *uint32
	}{{&s.touches.codes, &f.touch}, {&s.sessions, &f.session}, {&s.derived, &f.derived}, {&s.inURL, &f.inURL}} {
		if *c.code, err = p.code(c.column, row); err != nil {
			return f, err
		}
	}
	return f, nil
}

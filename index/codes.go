package index

import (
	"slices"

	"millimetric/index/encode"
)

// A code column gives every row a number below its limit.
//
//	limit    uv
//	shape    1 byte  shapeOne, shapePerRow or shapePerRun
//	shapeOne     the code that all rows have (uv)
//	shapePerRow  one piece for each ChunkRows rows: their codes
//	shapePerRun  one piece for each ChunkRows visitors: the code of each one's first row; then
//	             pieces of the rows that differ from it, and as many pieces of their codes
//
// A visitor's country or browser hardly ever changes inside a segment: a code per visitor is a
// tenth of a code per row. But among many visitors someone's always does, so there are exceptions.
const (
	shapeOne    = 0
	shapePerRow = 1
	shapePerRun = 2

	// ChunkRows is how many rows a piece of a column covers: at most 256 KiB, and enough to make
	// reading it worth a look-up.
	ChunkRows = encode.IntsMax
	// exceptionShare is the share of rows that may differ from their visitor's first: each costs
	// about three times what a row of its own would.
	exceptionShare = 32
)

type codeColumn struct {
	limit      uint32
	shape      byte
	one        uint32
	chunks     span
	exceptRows span
	exceptCode span
}

// writeCodes writes a column of codes in row order. Pieces of cold columns are compressed where that
// pays; those that most questions read aren't: unpacking them would take longer than the question.
func (b *builder) writeCodes(kind string, codes []uint32, limit uint32, cold bool) {
	b.head.uv(uint64(limit))
	if !slices.ContainsFunc(codes, func(c uint32) bool { return c != codes[0] }) {
		b.head.out = append(b.head.out, shapeOne)
		b.head.uv(uint64(codes[0]))
		return
	}
	firsts := make([]uint32, 0, len(b.starts)-1)
	var rows, except []uint32
	for i, start := range b.starts[:len(b.starts)-1] {
		first := codes[start]
		firsts = append(firsts, first)
		for row := start; row < b.starts[i+1]; row++ {
			if codes[row] != first {
				rows, except = append(rows, row), append(except, codes[row])
			}
		}
	}
	if len(firsts) > len(codes)/2 || len(rows) > len(codes)/exceptionShare {
		b.head.out = append(b.head.out, shapePerRow)
		b.head.add(chunked(kind, codes, cold)...)
		return
	}
	b.head.out = append(b.head.out, shapePerRun)
	b.head.add(chunked(kind, firsts, cold)...)
	b.head.add(chunked(kind, rows, cold)...)
	b.head.add(chunked(kind, except, cold)...)
}

// chunked makes a piece out of every ChunkRows values.
func chunked[T uint32 | uint64](kind string, values []T, compress bool) []piece {
	var pieces []piece
	var wide []uint64
	for chunk := range slices.Chunk(values, ChunkRows) {
		wide = wide[:0]
		for _, v := range chunk {
			wide = append(wide, uint64(v))
		}
		pieces = append(pieces, piece{kind: kind, plain: encode.AppendInts(nil, wide), compress: compress})
	}
	return pieces
}

func chunksOf(n int) int { return (n + ChunkRows - 1) / ChunkRows }

func (s *Segment) readCodeColumn(r *headReader) codeColumn {
	c := codeColumn{limit: uint32(r.length(1 << 31))}
	shape := r.length(shapePerRun)
	c.shape = byte(shape)
	switch c.shape {
	case shapeOne:
		c.one = uint32(r.length(int(c.limit)))
		if c.one >= c.limit {
			r.fail()
		}
	case shapePerRow:
		c.chunks = r.span()
		if c.chunks.count != chunksOf(s.rows) {
			r.fail()
		}
	case shapePerRun:
		c.chunks, c.exceptRows, c.exceptCode = r.span(), r.span(), r.span()
		if c.chunks.count != chunksOf(s.visitors) || c.exceptRows.count != c.exceptCode.count {
			r.fail()
		}
	}
	return c
}

// ints parses piece i, which must hold count values.
func (s *Segment) ints(i, count int) (encode.Ints, error) {
	plain, err := s.piece(i)
	if err != nil {
		return encode.Ints{}, err
	}
	c, err := encode.ParseInts(plain)
	if err == nil && c.Len() != count {
		err = damaged("piece %d has %d values, not %d", i, c.Len(), count)
	}
	return c, err
}

// all32 reads a list of values below limit that is cut into chunks; total says how many there are,
// or is -1 where only the pieces know.
func (s *Segment) all32(pieces span, total int, limit uint32) ([]uint32, error) {
	var all []uint32
	for i := range pieces.count {
		plain, err := s.piece(pieces.first + i)
		if err != nil {
			return nil, err
		}
		c, err := encode.ParseInts(plain)
		if err != nil {
			return nil, err
		}
		if c.Len() == 0 || i+1 < pieces.count && c.Len() != ChunkRows {
			return nil, damaged("chunk %d of a list has %d values", i, c.Len())
		}
		all = slices.Grow(all, c.Len())[:len(all)+c.Len()]
		c.Unpack32(all[len(all)-c.Len():])
	}
	if total >= 0 && len(all) != total {
		return nil, damaged("a list has %d values, not %d", len(all), total)
	}
	return all, below(all, limit)
}

func below(codes []uint32, limit uint32) error {
	most := uint32(0)
	for _, c := range codes {
		most = max(most, c)
	}
	if most >= limit && len(codes) > 0 {
		return damaged("code %d in a column of %d", most, limit)
	}
	return nil
}

// codes reads the codes of a chunk of rows into dst.
func (s *Segment) codes(c *codeColumn, runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	from, to := s.ChunkBounds(chunk)
	dst = slices.Grow(dst[:0], to-from)[:to-from]
	switch c.shape {
	case shapeOne:
		for i := range dst {
			dst[i] = c.one
		}
		return dst, nil
	case shapePerRow:
		ints, err := s.ints(c.chunks.first+chunk, to-from)
		if err != nil {
			return nil, err
		}
		ints.Unpack32(dst)
		return dst, below(dst, c.limit)
	}
	return dst, s.spread(c, runs, from, dst)
}

// spread fills dst, whose first element is row from, with the codes of the rows' visitors.
func (s *Segment) spread(c *codeColumn, runs *Runs, from int, dst []uint32) error {
	to := from + len(dst)
	first, last := runs.Of(uint32(from)), runs.Of(uint32(to-1))
	firsts := make([]uint32, min(ChunkRows, s.visitors))
	for run, loaded := first, -1; run <= last; run++ {
		if at := run / ChunkRows; at != loaded {
			count := min(ChunkRows, s.visitors-at*ChunkRows)
			ints, err := s.ints(c.chunks.first+at, count)
			if err != nil {
				return err
			}
			ints.Unpack32(firsts[:count])
			if err := below(firsts[:count], c.limit); err != nil {
				return err
			}
			loaded = at
		}
		code := firsts[run%ChunkRows]
		encode.Fill(dst, max(from, int(runs.Starts[run]))-from, min(to, int(runs.Starts[run+1]))-from, code)
	}
	rows, codes, err := s.exceptions(c)
	if err != nil {
		return err
	}
	at, _ := slices.BinarySearch(rows, uint32(from))
	for ; at < len(rows) && int(rows[at]) < to; at++ {
		dst[int(rows[at])-from] = codes[at]
	}
	return nil
}

// exceptions reads the rows that differ from their visitor's first, and their codes.
func (s *Segment) exceptions(c *codeColumn) (rows, codes []uint32, err error) {
	if rows, err = s.all32(c.exceptRows, -1, uint32(s.rows)); err != nil {
		return nil, nil, err
	}
	for i := 1; i < len(rows); i++ {
		if rows[i] <= rows[i-1] {
			return nil, nil, damaged("exceptions of a column don't rise at row %d", rows[i])
		}
	}
	codes, err = s.all32(c.exceptCode, len(rows), c.limit)
	return rows, codes, err
}

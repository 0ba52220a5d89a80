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
//	shapePerRun  one piece for each visitorChunk visitors: the code of each one's first row; then one
//	             piece for each ChunkRows rows: those that differ from it, less the first of the
//	             chunk; and one for each with their codes
//
// A visitor's country or browser hardly ever changes inside a segment: a code per visitor is a
// tenth of a code per row. But among many visitors someone's always does, so there are exceptions.
const (
	shapeOne    = 0
	shapePerRow = 1
	shapePerRun = 2

	// ChunkRows is how many rows a piece of a column covers. A scan doesn't notice four times as many
	// pieces, and what it unpacks stays in the second-level cache; one cold row costs a third.
	ChunkRows = 16 << 10
	// visitorChunk is how many visitors a piece covers: about as many as have rows in a few chunks,
	// as each chunk of rows unpacks those that it needs.
	visitorChunk = 4 << 10
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
func (d *draft) writeCodes(head *headWriter, kind string, codes []uint32, limit uint32, cold bool) {
	head.uv(uint64(limit))
	if !slices.ContainsFunc(codes, func(c uint32) bool { return c != codes[0] }) {
		head.out = append(head.out, shapeOne)
		head.uv(uint64(codes[0]))
		return
	}
	firsts, rows, except := d.perRun(codes)
	if len(firsts) > len(codes)/2 || len(rows) > len(codes)/exceptionShare {
		head.out = append(head.out, shapePerRow)
		head.add(chunked(head.packer, kind, codes, cold)...)
		return
	}
	head.out = append(head.out, shapePerRun)
	head.add(pieced(head.packer, kind, firsts, visitorChunk, cold)...)
	var places, changes []piece
	for chunk := range chunksOf(len(codes)) {
		first := uint32(chunk * ChunkRows)
		n, _ := slices.BinarySearch(rows, first+ChunkRows)
		for i := range rows[:n] {
			rows[i] -= first
		}
		places = append(places, intsPiece(head.packer, kind, rows[:n], cold))
		changes = append(changes, intsPiece(head.packer, kind, except[:n], cold))
		rows, except = rows[n:], except[n:]
	}
	head.add(places...)
	head.add(changes...)
}

// perRun returns the code of each visitor's first row, and the rows and codes that differ from it. It
// gives up where there are too many of these. The lists are valid until the next call.
func (d *draft) perRun(codes []uint32) (firsts, rows, except []uint32) {
	most := len(codes) / exceptionShare
	firsts, rows, except = sized(d.firsts, len(d.ordinals))[:0], sized(d.exceptRows, most+1)[:0], sized(d.exceptCodes, most+1)[:0]
	d.firsts, d.exceptRows, d.exceptCodes = firsts, rows, except
	for i, start := range d.starts[:len(d.starts)-1] {
		first := codes[start]
		firsts = append(firsts, first)
		for at, code := range codes[start:d.starts[i+1]] {
			if code == first {
				continue
			}
			if rows, except = append(rows, start+uint32(at)), append(except, code); len(rows) > most {
				return firsts, rows, except
			}
		}
	}
	return firsts, rows, except
}

// chunked makes a piece out of every ChunkRows values.
func chunked[T uint32 | uint64](k *packer, kind string, values []T, compress bool) []piece {
	return pieced(k, kind, values, ChunkRows, compress)
}

func pieced[T uint32 | uint64](k *packer, kind string, values []T, each int, compress bool) []piece {
	pieces := make([]piece, 0, piecesOf(len(values), each))
	for chunk := range slices.Chunk(values, each) {
		pieces = append(pieces, intsPiece(k, kind, chunk, compress))
	}
	return pieces
}

func intsPiece[T uint32 | uint64](k *packer, kind string, values []T, compress bool) piece {
	k.plain = encode.AppendInts(k.plain[:0], values)
	if compress {
		return k.pack(kind, encode.SavingIntegers)
	}
	return k.pack(kind, encode.SavingNever)
}

func chunksOf(n int) int { return piecesOf(n, ChunkRows) }

func piecesOf(n, each int) int { return (n + each - 1) / each }

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
		if c.chunks.count != piecesOf(s.visitors, visitorChunk) || c.exceptRows.count != s.Chunks() || c.exceptCode.count != s.Chunks() {
			r.fail()
		}
	}
	return c
}

// someInts parses piece i.
func (s *Segment) someInts(i int) (encode.Ints, error) {
	keeper := s.keeper()
	if keeper != nil {
		if c, ok := keptPiece[*encode.Ints](keeper, i); ok {
			return *c, nil
		}
	}
	plain, err := s.piece(i)
	if err != nil {
		return encode.Ints{}, err
	}
	if keeper == nil {
		return encode.ParseInts(plain)
	}
	c, err := encode.ParseInts(slices.Clone(plain))
	if err == nil {
		keeper.Keep(i, &c)
	}
	return c, err
}

// ints parses piece i, which must hold count values.
func (s *Segment) ints(i, count int) (encode.Ints, error) {
	c, err := s.someInts(i)
	if err == nil && c.Len() != count {
		err = damaged("piece %d has %d values, not %d", i, c.Len(), count)
	}
	return c, err
}

// list reads a list of values below limit that is cut into pieces of so many; total says how many
// values there are, or is -1 where only the pieces know.
func (s *Segment) list(pieces span, each, total int, limit uint32) ([]uint32, error) {
	var all []uint32
	for i := range pieces.count {
		c, err := s.someInts(pieces.first + i)
		if err != nil {
			return nil, err
		}
		if i+1 < pieces.count && c.Len() != each {
			return nil, damaged("piece %d of a list has %d values", i, c.Len())
		}
		all = slices.Grow(all, max(c.Len(), total-len(all))+1)[:len(all)+c.Len()]
		c.Unpack32(all[len(all)-c.Len():])
	}
	if total >= 0 && len(all) != total {
		return nil, damaged("a list has %d values, not %d", len(all), total)
	}
	return all, below(all, limit)
}

func below(codes []uint32, limit uint32) error {
	if most := greatest(codes); most >= limit && len(codes) > 0 {
		return damaged("code %d in a column of %d", most, limit)
	}
	return nil
}

// greatest looks at four at a time: one comparison after another would wait for the last.
func greatest(codes []uint32) uint32 {
	var a, b, c, d uint32
	for ; len(codes) >= 4; codes = codes[4:] {
		a, b, c, d = max(a, codes[0]), max(b, codes[1]), max(c, codes[2]), max(d, codes[3])
	}
	for _, code := range codes {
		a = max(a, code)
	}
	return max(a, b, c, d)
}

// exceptions reads the rows of a chunk that differ from their visitor's first, less the first of the
// chunk, and their codes.
func (s *Segment) exceptions(c *codeColumn, chunk int) (rows, codes []uint32, err error) {
	from, to := s.ChunkBounds(chunk)
	if rows, err = s.list(span{c.exceptRows.first + chunk, 1}, ChunkRows, -1, uint32(to-from)); err != nil {
		return nil, nil, err
	}
	for i := 1; i < len(rows); i++ {
		if rows[i] <= rows[i-1] {
			return nil, nil, damaged("exceptions of a column don't rise at row %d of chunk %d", rows[i], chunk)
		}
	}
	codes, err = s.list(span{c.exceptCode.first + chunk, 1}, ChunkRows, len(rows), c.limit)
	return rows, codes, err
}

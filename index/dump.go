package index

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
)

// The first byte of a frame says whether what follows is compressed, see package encode.
const (
	frameHead     = 1 // byte
	frameTail     = 4 // bytes of the checksum
	framePackedAs = 1
)

// isPacked reports whether a frame is compressed.
func isPacked(frame []byte) bool { return len(frame) > 0 && frame[0] == framePackedAs }

// Dump writes a section byte by byte, with what the bytes mean: the offset, the bytes in hex, the
// meaning. Where a frame is compressed, what is in it follows it, with offsets of its own.
func (s *Segment) Dump(w io.Writer, id SectionID) error {
	section, err := s.src.Section(id)
	if err != nil {
		return err
	}
	table, records, err := s.records()
	if err != nil {
		return err
	}
	d := &dumper{out: bufio.NewWriter(w)}
	if id == 0 {
		d.line(section[:len(magic)], "magic "+magic)
		d.line(section[len(magic):len(magic)+1], fmt.Sprintf("version %d", section[len(magic)]))
		d.frame(section[len(magic)+1:], func() { d.header(table, records) })
		return d.out.Flush()
	}
	for _, rec := range records {
		for _, p := range rec.contents {
			for i := range p.pieces.count {
				number := p.pieces.first + i
				if s.spots[number].section != id {
					continue
				}
				stored, plain, err := s.frame(number)
				if err != nil {
					return err
				}
				fmt.Fprintf(d.out, "piece %d: %s, %d of %d\n", number, p.about, i+1, p.pieces.count)
				d.frame(stored, func() { d.piece(plain, p.form) })
			}
		}
	}
	return d.out.Flush()
}

// dumper writes lines of a dump.
type dumper struct {
	out *bufio.Writer
	at  int // offset of the next line
}

// lineBytes is how many bytes a line shows.
const lineBytes = 16

// line writes bytes, on as many lines as they take, and their meaning behind the first.
func (d *dumper) line(bytes []byte, about string) {
	for first := true; first || len(bytes) > 0; first = false {
		n := min(lineBytes, len(bytes))
		text := fmt.Sprintf("%6d  %-*s  %s", d.at, 2*lineBytes, hex.EncodeToString(bytes[:n]), about)
		fmt.Fprintln(d.out, strings.TrimRight(text, " "))
		d.at += n
		bytes, about = bytes[n:], ""
	}
}

// frame writes a frame; inside writes what is in it.
func (d *dumper) frame(frame []byte, inside func()) {
	payload, sum := frame[frameHead:len(frame)-frameTail], frame[len(frame)-frameTail:]
	if !isPacked(frame) {
		d.line(frame[:frameHead], "codec: plain")
		inside()
		d.line(sum, "checksum")
		return
	}
	length, n := binary.Uvarint(payload)
	d.line(frame[:frameHead], "codec: zstd")
	d.line(payload[:n], counted(int(length), "byte")+" when it is unpacked")
	d.line(payload[n:], "packed; unpacked below")
	d.line(sum, "checksum")
	end := d.at
	fmt.Fprintln(d.out, "unpacked:")
	d.at = 0
	inside()
	d.at = end
}

// header writes what is in the header's frame.
func (d *dumper) header(table []byte, records []record) {
	const stampBytes = 8
	d.line(table[:stampBytes], fmt.Sprintf("stamp %016x", binary.LittleEndian.Uint64(table)))
	r := &headReader{rest: table[stampBytes:]}
	d.taken(r, func() string { return "behind it " + counted(r.length(piecesMax), "section") })
	for len(r.rest) > 0 {
		pieces := 0
		d.taken(r, func() string {
			pieces = r.length(piecesMax)
			return "the next has " + counted(pieces, "piece")
		})
		d.taken(r, func() string {
			for range pieces {
				r.uv()
			}
			return "of so many bytes"
		})
	}
	for _, rec := range records {
		d.line(rec.bytes, rec.about)
	}
}

// taken writes the bytes that read reads.
func (d *dumper) taken(r *headReader, read func() (about string)) {
	before := r.rest
	about := read()
	d.line(before[:len(before)-len(r.rest)], about)
}

// piece writes what is in a piece. A piece that doesn't read as it should is shown all the same.
func (d *dumper) piece(plain []byte, f form) {
	about := "not what it should be"
	switch f {
	case formSet:
		if set, err := bitmap.Parse(plain, 1<<32); err == nil {
			numbers := set.Numbers()
			about = "set of" + shown(len(numbers), func(i int) string { return strconv.FormatUint(uint64(numbers[i]), 10) })
		}
	case formDict:
		if dict, err := encode.ParseDict(plain); err == nil {
			about = "dict of" + texts(&dict)
		}
	case formList:
		if list, err := encode.ParseTexts(plain); err == nil {
			about = "list of" + texts(&list)
		}
	default:
		if ints, err := encode.ParseInts(plain); err == nil {
			about = "integers" + shown(ints.Len(), func(i int) string { return strconv.FormatUint(ints.At(i), 10) })
		}
	}
	d.line(plain, about)
}

// shownBytes is how long a list of values may become before the rest of them is left out.
const shownBytes = 60

// shown lists values, as many as fit a line.
func shown(count int, at func(i int) string) string {
	var b strings.Builder
	for i := range count {
		value := at(i)
		if b.Len()+len(value) > shownBytes {
			b.WriteString(" …")
			break
		}
		b.WriteString(" " + value)
	}
	return b.String()
}

// texts lists the texts of a dict or a list.
func texts(t TextPiece) string {
	return shown(t.Len(), func(i int) string { return strconv.Quote(t.At(i)) })
}

// Package encode turns a group of events, as the log keeps it, into bytes and back.
//
// A group is what one sync makes durable: runs of events of one or more projects, each with
// consecutive positions. Nothing is lost on the way: what Decode gives is what Append was given,
// to the byte. The package knows nothing of files, keys or clocks: it starts no goroutines and
// writes nothing to disk. Rows are encrypted by a Cipher that the caller gives.
//
// Bytes that come back are not trusted. Decode checks the checksum first, then each length against
// a limit, and only then allocates; whatever it is given, it answers or returns an error of kind
// event.ErrDamaged.
package encode

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"millimetric/index/event"
)

// The frame of a group. Integers are little-endian; uv is an unsigned varint.
//
//	format     1 byte   groupFormat
//	number     uv       the group's place in the log: a group found elsewhere is damaged
//	committed  uv       server time in milliseconds
//	parts      uv       how many parts follow
//	part       ...
//	checksum   4 bytes  CRC-32C of all bytes before
//
// A part:
//
//	project    4 bytes
//	first      uv       position of the first event; the others follow without a gap
//	events     uv       how many, 1 to PartEventsMax
//	encrypted  uv       length of the rest
//	rows       encrypted   what the Cipher makes of an s2 block of what row.go lays out
const (
	groupFormat   = 2
	checksumBytes = 4

	// PartEventsMax bounds the events of one part, so that a reader can bound what it allocates.
	PartEventsMax = 4096
	// PartBytesMax bounds the rows of one part before compression. A batch of the greatest size
	// that clients may send fits, at up to four bytes per character.
	PartBytesMax = 64 << 20
)

// Part is a run of events of one project with consecutive positions.
type Part struct {
	Project event.Project
	Events  []event.Event
}

// Group is what one sync makes durable.
type Group struct {
	Number    uint64
	Committed event.Time
	Parts     []Part
}

// PartPlace is where a part stands in the log.
type PartPlace struct {
	Group   uint64
	Project event.Project
	// Head is all that the group and the part say in clear, up to the length of the rows. It lies
	// there unprotected: a part beside another head must not decrypt.
	Head []byte
}

// Cipher makes the rows of a part unreadable, and readable again at the same place only. Both
// append to dst. A part that doesn't decrypt is an error of kind event.ErrDamaged.
type Cipher interface {
	Encrypt(dst, plain []byte, at PartPlace) []byte
	Decrypt(dst, encrypted []byte, at PartPlace) ([]byte, error)
}

// Encoder encodes groups, reusing its buffers. It is not safe for concurrent use. Without a Cipher
// the rows stand in clear, which is for tests of this package only.
type Encoder struct {
	Cipher Cipher

	rows      rowBuffers
	plain     []byte
	packed    []byte
	head      []byte
	encrypted []byte
}

// Append encodes g behind dst. It panics where a part breaks the rules of a part: such a group
// must never reach the log.
func (c *Encoder) Append(dst []byte, g *Group) []byte {
	start := len(dst)
	dst = append(dst, groupFormat)
	dst = binary.AppendUvarint(dst, g.Number)
	dst = binary.AppendUvarint(dst, uint64(g.Committed))
	dst = binary.AppendUvarint(dst, uint64(len(g.Parts)))
	c.head = append(c.head[:0], dst[start:]...)
	for i := range g.Parts {
		dst = c.appendPart(dst, g.Number, &g.Parts[i])
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func (c *Encoder) appendPart(dst []byte, number uint64, p *Part) []byte {
	checkPart(p)
	c.plain = c.rows.appendRows(c.plain[:0], p.Events)
	if len(c.plain) > PartBytesMax {
		panic(fmt.Sprintf("encode: a part of %d events has %d bytes", len(p.Events), len(c.plain)))
	}
	if most := s2.MaxEncodedLen(len(c.plain)); cap(c.packed) < most {
		c.packed = make([]byte, most)
	}
	rows := s2.Encode(c.packed[:cap(c.packed)], c.plain)
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(p.Project))
	dst = binary.AppendUvarint(dst, uint64(p.Events[0].Seq))
	dst = binary.AppendUvarint(dst, uint64(len(p.Events)))
	if c.Cipher != nil {
		groupHead := len(c.head)
		c.head = append(c.head, dst[start:]...)
		c.encrypted = c.Cipher.Encrypt(c.encrypted[:0], rows, PartPlace{Group: number, Project: p.Project, Head: c.head})
		c.head, rows = c.head[:groupHead], c.encrypted
	}
	dst = binary.AppendUvarint(dst, uint64(len(rows)))
	return append(dst, rows...)
}

func checkPart(p *Part) {
	if len(p.Events) == 0 || len(p.Events) > PartEventsMax || p.Project == 0 {
		panic(fmt.Sprintf("encode: a part of project %d holds %d events", p.Project, len(p.Events)))
	}
	first := p.Events[0].Seq
	for i := range p.Events {
		if p.Events[i].Seq != first+event.Seq(i) || first == 0 {
			panic(fmt.Sprintf("encode: event %d of a part that begins at %d has position %d", i, first, p.Events[i].Seq))
		}
	}
}

// PartHead is what a part says in clear of itself.
type PartHead struct {
	Project event.Project
	First   event.Seq
	Events  int
}

// Decoder decodes groups. It is not safe for concurrent use. Its Cipher is the Encoder's.
type Decoder struct {
	Cipher Cipher
	Words  Words // what the events' words share memory through
	// Skip, where it is given, is asked of each part by its head; those that it takes are neither decrypted
	// nor returned.
	Skip func(PartHead) bool

	head   []byte
	packed []byte
	plain  []byte
}

// Decode decodes src, which is the group with this number. The events don't alias src.
func (d *Decoder) Decode(src []byte, number uint64) (Group, error) {
	if len(src) < 1+checksumBytes {
		return Group{}, damaged("group of %d bytes", len(src))
	}
	body, sum := src[:len(src)-checksumBytes], binary.LittleEndian.Uint32(src[len(src)-checksumBytes:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return Group{}, damaged("checksum is %08x, stored %08x", got, sum)
	}
	if body[0] != groupFormat {
		return Group{}, damaged("group format %d is unknown", body[0])
	}
	r := reader{rest: body[1:]}
	g := Group{Number: r.uvarint(), Committed: event.Time(r.uvarint())}
	if g.Number != number && !r.bad {
		return Group{}, damaged("group %d stands in the place of %d", g.Number, number)
	}
	parts := r.length(len(body))
	d.head = append(d.head[:0], body[:len(body)-len(r.rest)]...)
	for range parts {
		part, err := d.part(&r, g.Number)
		if err != nil {
			return Group{}, err
		}
		if len(part.Events) == 0 {
			continue // it was skipped
		}
		g.Parts = append(g.Parts, part)
	}
	if r.bad || len(r.rest) != 0 {
		return Group{}, damaged("group ends at the wrong place, %d bytes are left", len(r.rest))
	}
	return g, nil
}

func (d *Decoder) part(r *reader, number uint64) (Part, error) {
	before := r.rest
	p := Part{Project: event.Project(r.uint32())}
	first := event.Seq(r.uvarint())
	count := r.length(PartEventsMax)
	head := before[:len(before)-len(r.rest)]
	packed := r.bytes(r.length(len(r.rest)))
	if r.bad || p.Project == 0 || first == 0 || count == 0 || first+event.Seq(count) < first {
		return Part{}, damaged("head of a part")
	}
	if d.Skip != nil && d.Skip(PartHead{p.Project, first, count}) {
		return Part{}, nil
	}
	if d.Cipher != nil {
		groupHead := len(d.head)
		d.head = append(d.head, head...)
		rows, err := d.Cipher.Decrypt(d.packed[:0], packed, PartPlace{Group: number, Project: p.Project, Head: d.head})
		if d.head = d.head[:groupHead]; err != nil {
			return Part{}, err
		}
		packed, d.packed = rows, rows
	}
	size, err := s2.DecodedLen(packed)
	if err != nil || size > PartBytesMax || size < count*rowBytesMin {
		return Part{}, damaged("part of %d events claims %d bytes", count, size)
	}
	if cap(d.plain) < size {
		d.plain = make([]byte, size)
	}
	plain, err := s2.Decode(d.plain[:cap(d.plain)], packed)
	if err != nil {
		return Part{}, damaged("part can't be unpacked: %v", err)
	}
	p.Events = make([]event.Event, count)
	for i := range p.Events {
		p.Events[i].Seq = first + event.Seq(i)
	}
	if !readRows(plain, p.Events, &d.Words) {
		return Part{}, damaged("rows of a part")
	}
	return p, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func damaged(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf(format, args...)}
}

// reader takes values off the front of rest. After the first value that isn't there, bad is set
// and every further value is 0.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() { r.bad, r.rest = true, nil }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// length reads a length and refuses one beyond most.
func (r *reader) length(most int) int {
	v := r.uvarint()
	if v > uint64(most) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *reader) uint32() uint32 {
	b := r.bytes(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) || n == 0 {
		if n != 0 {
			r.fail()
		}
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

package index

import (
	"encoding/binary"
	"hash/crc64"

	"millimetric/index/encode"
)

// A segment is a list of sections, each of which is stored as one value. Section 0 is the header;
// the others are frames, one behind the other, each of them one piece. Many small pieces share a
// section, a great one has its own.
//
//	magic    4 bytes  "mseg"
//	version  1 byte   segmentVersion
//	header   a frame in the place (0, 0) of:
//
//	stamp     8 bytes  CRC-64 of all pieces: part of the place of each of their frames
//	sections  uv       how many follow, and of each: pieces (uv), and the length of each (uv)
//	records   what segment.go lists
const (
	magic          = "mseg"
	segmentVersion = 1

	// sectionBytes is where a section is full. Every value that is stored costs a key, a tag and a
	// look-up, and everything in it is read and decrypted at once.
	sectionBytes = 64 << 10
	// piecesMax bounds what a header can make its reader allocate.
	piecesMax = 1 << 20
)

// SectionID numbers the sections of a segment from 0.
type SectionID uint32

// Sections gives the sections of one segment. What it returns must not change later: readers keep
// parts of it.
type Sections interface {
	Section(id SectionID) ([]byte, error)
}

// spot is where the frame of a piece lies.
type spot struct {
	section        SectionID
	offset, length uint32
	whole          uint32 // bytes of the section
}

// packer makes pieces ready for their frames as they come, so that a segment that is being written
// takes hardly more memory than one that is.
type packer struct {
	framer *encode.Framer
	plain  []byte // the piece at hand
}

func newPacker() *packer { return &packer{framer: encode.NewFramer()} }

// piece is a part of a section that is read as a whole.
type piece struct {
	kind  string // for the report of sizes only
	frame []byte // all but its checksum, which needs the stamp
	bytes int    // of what the frame holds
	sum   uint64 // CRC-64 of that
}

// pack makes a piece of what is in k.plain.
func (k *packer) pack(kind string, saving encode.Saving) piece {
	return piece{kind, k.framer.Pack(nil, k.plain, saving), len(k.plain), crc64.Checksum(k.plain, stampTable)}
}

var stampTable = crc64.MakeTable(crc64.ECMA)

// stampOf returns the CRC-64 of the header's records and of what is in all pieces.
func stampOf(w *headWriter) uint64 {
	stamp := crc64.Checksum(w.out, stampTable)
	for _, p := range w.pieces {
		stamp = joinSums(stamp, p.sum, p.bytes)
	}
	return stamp
}

// frameSections makes the sections out of the header's records and the pieces that they speak of,
// which are gone afterwards.
func frameSections(w *headWriter, sizes map[string]int) [][]byte {
	stamp := stampOf(w)
	sections := [][]byte{nil}
	var lengths [][]int
	for at := 0; at < len(w.pieces); {
		bytes, end := 0, at
		for ; end < len(w.pieces); end++ {
			n := len(w.pieces[end].frame) + encode.CloseBytes
			if bytes > 0 && bytes+n > sectionBytes {
				break
			}
			bytes += n
		}
		section, own := make([]byte, 0, bytes), make([]int, 0, end-at)
		for ; at < end; at++ {
			p, start := &w.pieces[at], len(section)
			section = encode.Place{Stamp: stamp, Number: uint32(at + 1)}.Close(append(section, p.frame...), start)
			own = append(own, len(section)-start)
			sizes[p.kind] += len(section) - start
			p.frame = nil
		}
		sections, lengths = append(sections, section), append(lengths, own)
	}
	var head headWriter
	head.out = binary.LittleEndian.AppendUint64(nil, stamp)
	head.uv(uint64(len(lengths)))
	for _, list := range lengths {
		head.uv(uint64(len(list)))
		for _, n := range list {
			head.uv(uint64(n))
		}
	}
	head.out = append(head.out, w.out...)
	sections[0] = append([]byte(magic), segmentVersion)
	sections[0] = w.framer.Append(sections[0], head.out, encode.Place{}, encode.SavingTexts)
	sizes["header"] += len(sections[0])
	return sections
}

// readHeader checks the header and returns a reader of its records.
func readHeader(src []byte) (stamp uint64, spots []spot, r *headReader, err error) {
	if len(src) < len(magic)+1 || string(src[:len(magic)]) != magic {
		return 0, nil, nil, damaged("header of %d bytes isn't one", len(src))
	}
	if src[len(magic)] != segmentVersion {
		return 0, nil, nil, damaged("segment version %d is unknown", src[len(magic)])
	}
	plain, err := encode.OpenFrame(src[len(magic)+1:], encode.Place{})
	if err != nil {
		return 0, nil, nil, err
	}
	if len(plain) < 8 {
		return 0, nil, nil, damaged("header of %d bytes", len(plain))
	}
	r = &headReader{rest: plain[8:]}
	for id := range r.length(piecesMax) {
		start, end := len(spots), uint32(0)
		for range r.length(piecesMax - start) {
			length := uint32(r.length(2 * encode.FrameBytesMax))
			spots = append(spots, spot{SectionID(id + 1), end, length, 0})
			if end += length; r.bad || end > 1<<30 {
				return 0, nil, nil, damaged("table of section %d", id+1)
			}
		}
		for i := range spots[start:] {
			spots[start+i].whole = end
		}
	}
	if r.bad {
		return 0, nil, nil, damaged("table of sections")
	}
	return binary.LittleEndian.Uint64(plain), spots, r, nil
}

// piece reads piece number i. The bytes may alias the section.
func (s *Segment) piece(i int) ([]byte, error) {
	at := s.spots[i]
	section, err := s.src.Section(at.section)
	if err != nil {
		return nil, err
	}
	if uint32(len(section)) != at.whole {
		return nil, damaged("section %d has %d bytes, the header says %d", at.section, len(section), at.whole)
	}
	return encode.OpenFrame(section[at.offset:at.offset+at.length], encode.Place{Stamp: s.stamp, Number: uint32(i + 1)})
}

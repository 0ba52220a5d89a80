package query

import "encoding/binary"

// pathLines are the stops of one period that walks come to, row by row, and the walks along them. There may be as
// many as there are events, so both are kept in few bytes each: nodes that are met early, as common ones are, have
// small numbers, and a walk is told by how far it is from the one before.
type pathLines struct {
	stops byteLine // of each stop: twice its node, and one more if it is the last of its row
	walks walkLine
}

// addStop adds a stop, and returns its place.
func (l *pathLines) addStop(node uint32, last bool) (at int) {
	at = l.stops.room()
	l.stops.add(uint64(node)<<1 | uint64(bit(last)))
	return at
}

// step goes on from a stop; ok is false where it is the last of its row.
func (l *pathLines) step(from int) (at int, node uint32, ok bool) {
	word, at := l.stops.read(from)
	if word&1 != 0 {
		return from, 0, false
	}
	word, _ = l.stops.read(at)
	return at, uint32(word >> 1), true
}

func (l *pathLines) bytes() int { return l.stops.bytes + l.walks.bytes }

// pathWalk is a walk, as far as it was followed.
type pathWalk struct {
	at    int    // its stop
	place uint32 // in the tree
	actor uint32 // walks of one actor follow each other
	steps int    // that it may still take, or stepsUnbound
}

// stepsUnbound says that only the end of its row ends a walk, or the last step that is asked for.
const stepsUnbound = 1 << 30

// What the first word of a walk says beside how far it is from the one before.
const (
	walkNewActor = 1 << iota
	walkBound    // its steps follow
	walkShift    = iota
)

// walkLine is walks in the order of their stops.
type walkLine struct {
	byteLine
	last pathWalk // that was added
}

// add adds a walk. Its place is only kept where they have several.
func (l *walkLine) add(w pathWalk, placed bool) {
	l.room()
	word := uint64(w.at-l.last.at) << walkShift
	if w.actor != l.last.actor {
		word |= walkNewActor
	}
	if w.steps != stepsUnbound {
		word |= walkBound
	}
	l.byteLine.add(word)
	if w.steps != stepsUnbound {
		l.byteLine.add(uint64(w.steps))
	}
	if placed {
		l.byteLine.add(uint64(w.place))
	}
	l.last = w
}

// walkReader reads walks. Numbers of actors are others than they were; they still tell them apart.
type walkReader struct {
	line   *walkLine
	next   int
	walk   pathWalk
	placed bool
	eats   bool // forgets what was read
}

func (r *walkReader) read() bool {
	if r.next>>lineBits >= len(r.line.chunks) {
		return false
	}
	chunk := r.next >> lineBits
	word := r.word()
	r.walk.at += int(word >> walkShift)
	r.walk.actor += uint32(word & walkNewActor)
	r.walk.steps = stepsUnbound
	if word&walkBound != 0 {
		r.walk.steps = int(r.word())
	}
	if r.placed {
		r.walk.place = uint32(r.word())
	}
	if r.eats && r.next>>lineBits > chunk {
		r.line.drop(chunk)
	}
	return true
}

func (r *walkReader) word() uint64 {
	var word uint64
	word, r.next = r.line.byteLine.read(r.next)
	return word
}

// byteLine is a line of numbers of few bytes, in chunks: to grow moves nothing, and what was read can be forgotten.
type byteLine struct {
	chunks [][]byte
	bytes  int
}

const (
	lineBits  = 18 // a chunk is 256 KiB: small beside the memory of a question, and few of them
	lineFirst = 1 << 10
	lineRoom  = 3 * binary.MaxVarintLen64 // numbers that belong together are in one chunk
)

// room makes room for up to three numbers, and returns the place of the next.
func (l *byteLine) room() (at int) {
	n := len(l.chunks)
	if n == 0 || cap(l.chunks[n-1])-len(l.chunks[n-1]) < lineRoom {
		chunk := make([]byte, 0, min(max(l.bytes, lineFirst), 1<<lineBits))
		l.chunks = append(l.chunks, chunk)
		l.bytes += cap(chunk)
		n++
	}
	return (n-1)<<lineBits + len(l.chunks[n-1])
}

// add adds a number, for which room was made.
func (l *byteLine) add(number uint64) {
	last := &l.chunks[len(l.chunks)-1]
	*last = binary.AppendUvarint(*last, number)
}

// read returns the number at a place, and the place after it.
func (l *byteLine) read(at int) (number uint64, next int) {
	chunk, from := l.chunks[at>>lineBits], at&(1<<lineBits-1)
	number, n := binary.Uvarint(chunk[from:])
	if from+n < len(chunk) {
		return number, at + n
	}
	return number, (at>>lineBits + 1) << lineBits
}

// drop forgets a chunk.
func (l *byteLine) drop(chunk int) {
	l.bytes -= cap(l.chunks[chunk])
	l.chunks[chunk] = nil
}

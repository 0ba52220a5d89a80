package query

import (
	"math"
	"slices"
	"weak"

	"millimetric/index"
	"millimetric/index/event"
)

// joinedStarts are where the visits of all visitors begin, over many segments, as if these were one: each visit
// once, each visitor's in order. Whether a visitor was there shortly before is found out too, as far as these
// segments know. So the touches of a visitor are a stretch of a list, whatever segments he comes in.
//
// The memo keeps them, until one of the settled segments is gone. What young segments have of a visitor is joined to
// what settled ones have, and lies over that: see overBlock. Live events are held against both as against one segment,
// and so are segments for whose starts there is no room: see startWalk.
type joinedStarts struct {
	time     event.Time // of the first event, from which the last of visitors count
	segments []joinedSegment
	kinds    []touchTexts
	blocks   []*joinedBlock // by a visitor's block; nil where it has none
	needs    int64          // bytes of the starts, where these aren't kept; 0 where they are
	base     *joinedStarts  // of the first of these segments, which are settled; nil where all are
}

// joinedSegment is a segment, from whose first time and least position those of starts count.
type joinedSegment struct {
	segment weak.Pointer[index.Segment]
	time    event.Time
	seq     event.Seq
}

// touchTexts are what the columns from colSource on say together.
type touchTexts [columnCount - colSource]string

// joinedBlock are the visitors of a block, up to the last one who comes.
type joinedBlock struct {
	ends []uint32 // by visitor: how many starts there are up to his last
	last []uint32 // by visitor: the seconds to the end of the one in which his last event lies; 0 for none
	list []joinedStart
	over *overBlock // nil for none
}

// joinedStart is the first event with an address of a visit.
type joinedStart struct {
	time, seq uint32 // in its segment
	index     uint32 // of the event among those of the segment that count
	sum       uint32 // of the visit's key, as visitStart has it
	kind      uint16
	where     uint16 // its segment, and the flags above
}

const (
	joinedStartBytes   = 20
	joinedVisitorBytes = 8
	// joinedShare is about how many bytes joined starts take for each row of the segments.
	joinedShare = 7

	// startFlagBits is how many bits flags of a start take above the number of its segment.
	startFlagBits     = 4
	joinedSegmentsMax = 1 << (16 - startFlagBits)
	joinedKindsMax    = 1 << 16
	joinedSpanMax     = math.MaxUint32 * event.Time(1000) // a little less than 136 years
)

func (s *joinedStart) segment() uint16   { return s.where % joinedSegmentsMax }
func (s *joinedStart) flags() startFlags { return startFlags(s.where / joinedSegmentsMax) }

// noTouch tells whether a start is no touch, whatever else there is of its visitor.
func (f startFlags) noTouch() bool {
	return f&startDropped != 0 || f&(startCut|startSoon) == startCut|startSoon
}

// of returns the starts of a visitor of the block.
func (b *joinedBlock) of(visitor uint32) []joinedStart {
	b, visitor = b.place(visitor)
	own := b.spanOf(visitor)
	return b.list[own.from:own.to]
}

func (b *joinedBlock) spanOf(visitor uint32) startSpan {
	switch {
	case int(visitor) >= len(b.ends):
		return startSpan{}
	case visitor == 0:
		return startSpan{0, b.ends[0]}
	}
	return startSpan{b.ends[visitor-1], b.ends[visitor]}
}

func (j *joinedStarts) bytes() int64 {
	bytes := 64 * int64(len(j.segments))
	for i := range j.kinds {
		for _, text := range j.kinds[i] {
			bytes += 16 + int64(len(text))
		}
	}
	if j.base != nil {
		return bytes + j.base.bytes() + j.overBytes()
	}
	for _, b := range j.blocks {
		if b != nil {
			bytes += b.bytes()
		}
	}
	return bytes
}

func (b *joinedBlock) bytes() int64 {
	return int64(joinedVisitorBytes*cap(b.ends) + joinedStartBytes*cap(b.list))
}

// about lists the segments, for the memo.
func (j *joinedStarts) about() []weak.Pointer[index.Segment] {
	list := make([]weak.Pointer[index.Segment], len(j.segments))
	for i := range j.segments {
		list[i] = j.segments[i].segment
	}
	return list
}

// block returns the block of visitors that begins with one of them, nil where nothing is known of any.
func (j *joinedStarts) block(first uint32) *joinedBlock {
	if at := int(first / blockVisitors); j != nil && at < len(j.blocks) {
		return j.blocks[at]
	}
	return nil
}

func (j *joinedStarts) place(s *joinedStart) place {
	return place{time: j.timeOf(s), seq: j.segments[s.segment()].seq + event.Seq(s.seq)}
}

func (j *joinedStarts) timeOf(s *joinedStart) event.Time {
	return j.segments[s.segment()].time + event.Time(s.time)
}

// lastBefore is a time that all events of a visitor come before, by little; ok is false where he has none.
func (j *joinedStarts) lastBefore(b *joinedBlock, visitor uint32) (t event.Time, ok bool) {
	if b == nil {
		return 0, false
	}
	if b, visitor = b.place(visitor); int(visitor) >= len(b.last) || b.last[visitor] == 0 {
		return 0, false
	}
	return j.time + 1000*event.Time(b.last[visitor]), true
}

// covers tells which of the segments of a source are joined, and whether all that are joined are among them.
func (j *joinedStarts) covers(segments []*sealed) (numbers []int, all bool) {
	number := make(map[weak.Pointer[index.Segment]]int, len(j.segments))
	for i := range j.segments {
		number[j.segments[i].segment] = i
	}
	found := 0
	numbers = slices.Grow(numbers, len(segments))
	for _, s := range segments {
		at, ok := number[weak.Make(s.original)]
		if !ok {
			at = -1
		} else {
			found++
		}
		numbers = append(numbers, at)
	}
	return numbers, found == len(j.segments)
}

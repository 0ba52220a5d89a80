package query

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
	"weak"

	"millimetric/index"
	"millimetric/index/event"
)

// courses are, of the visitors of several segments, the events that decide how far each came through some steps, as if
// these segments were one: whatever the window is, if it isn't very short, in questions about the segments as a whole.
// Most visitors have two or three such events. The memo keeps them, for steps that are asked for again.
type courses struct {
	segments []weak.Pointer[index.Segment] // by their first events
	time     event.Time                    // of the first event, from which times count
	matched  int                           // events of the segments that could serve a step
	events   int                           // of the courses
	blocks   []*courseBlock                // by a visitor's block; nil where it has none
}

// courseBlock are the courses of a block.
type courseBlock struct {
	visitors []uint16 // of the block, rising
	ends     []uint32 // by course: twice how many events there are up to its last, and one more if it is crooked
	of       []uint16 // by course: the segment of its first event, placeless where that isn't known
	index    []uint32 // by course: the place of its first event in that segment's tracks
	times    []uint32 // by event: the lower part of its time
	steps    []uint8  // by event: the step that it serves, and the upper part of its time
}

const (
	courseEventBytes  = 5
	courseActorBytes  = 12
	courseStepBits    = 5 // of a step: there are 32 at most
	courseSpanMax     = event.Time(1) << (32 + 8 - courseStepBits)
	courseSegmentsMax = placeless
	placeless         = 1<<16 - 1

	// courseWindow is the least window that courses are good for: an attempt that takes a step sooner takes it whatever
	// the window is.
	courseWindow = 30 * time.Minute
)

func (c *courses) bytes() int64 {
	bytes := int64(8 * (len(c.segments) + len(c.blocks)))
	for _, b := range c.blocks {
		if b != nil {
			bytes += int64(courseActorBytes*cap(b.visitors) + courseEventBytes*cap(b.times))
		}
	}
	return bytes
}

func (c *courses) about() []weak.Pointer[index.Segment] { return c.segments }

// block returns the block of visitors that begins with one of them, nil where nobody of it has a course.
func (c *courses) block(first uint32) *courseBlock {
	if at := int(first / blockVisitors); c != nil && at < len(c.blocks) {
		return c.blocks[at]
	}
	return nil
}

// next returns the first visitor of the first block from one on that has courses, noVisitor if there is none.
func (c *courses) next(block int) uint64 {
	if c == nil {
		return noVisitor
	}
	for ; block < len(c.blocks); block++ {
		if c.blocks[block] != nil {
			return uint64(block) * blockVisitors
		}
	}
	return noVisitor
}

// lastVisitor returns the last visitor of all, or one above.
func (c *courses) lastVisitor() uint64 {
	if c == nil {
		return 0
	}
	return uint64(len(c.blocks)) * blockVisitors
}

// timeAt returns the time of an event.
func (b *courseBlock) timeAt(i int) event.Time {
	return event.Time(b.steps[i]>>courseStepBits)<<32 | event.Time(b.times[i])
}

func (b *courseBlock) stepAt(i int) int { return int(b.steps[i] % (1 << courseStepBits)) }

// add adds the course of a visitor; of and index tell where its first event is.
func (b *courseBlock) add(visitor uint16, of uint16, index uint32, course []courseEvent) {
	crooked := uint32(0)
	for i := range course {
		e := &course[i]
		if int(e.step) != i {
			crooked = 1
		}
		b.times = append(b.times, uint32(e.time))
		b.steps = append(b.steps, e.step|uint8(e.time>>32)<<courseStepBits)
	}
	b.visitors, b.of, b.index = append(b.visitors, visitor), append(b.of, of), append(b.index, index)
	b.ends = append(b.ends, uint32(2*len(b.times))|crooked)
}

// clip returns a copy that takes no more room than it needs.
func (b *courseBlock) clip() *courseBlock {
	return &courseBlock{
		visitors: slices.Clone(b.visitors), ends: slices.Clone(b.ends), of: slices.Clone(b.of), index: slices.Clone(b.index),
		times: slices.Clone(b.times), steps: slices.Clone(b.steps),
	}
}

func (b *courseBlock) clear() {
	b.visitors, b.ends, b.of, b.index, b.times, b.steps = b.visitors[:0], b.ends[:0], b.of[:0], b.index[:0], b.times[:0], b.steps[:0]
}

// hasCourses tells whether courses can say how far visitors come in a funnel: where each event serves one step at most,
// and nothing but the window ends an attempt.
func (s *sight) hasCourses() bool {
	q := s.q
	if len(q.Exclude) > 0 || q.Window < courseWindow {
		return false
	}
	for i := range q.Steps {
		if q.Steps[i].Within != 0 {
			return false
		}
	}
	for _, tests := range s.tests {
		if len(tests) != 1 {
			return false
		}
	}
	return true
}

// courseName tells the steps of a funnel from others'.
func (s *sight) courseName() string {
	var name strings.Builder
	for i := range s.q.Steps {
		var names []string
		for event, tests := range s.tests {
			if tests[0].bit == 1<<i {
				names = append(names, strconv.Quote(event))
			}
		}
		slices.Sort(names)
		name.WriteString(strings.Join(names, ",") + ";")
	}
	return name.String()
}

// stepOf returns the step that events serve, which is one.
func (n *nameMark) stepOf() uint8 { return uint8(bits.TrailingZeros32(n.steps)) }

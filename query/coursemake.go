package query

import (
	"math/bits"

	"millimetric/index/event"
)

// courseMaker finds the courses of visitors from the tracks of segments, a block of them at a time. It gathers what
// events visitors have, and brings them in order, as the walk does that it is made of.
type courseMaker struct {
	*trackWalk
	line   courseLine
	places []trackBegin // of the events of the line
	own    courseBlock  // the block at hand, in memory that is used for each
	blocks []*courseBlock
	size   int // bytes of these
}

// findCourses finds the courses of all who come in some segments, whose tracks are open.
func (w *trackWalk) findCourses(joined []*trackSegment) (*courses, error) {
	c := &courses{time: joined[0].time, segments: segmentsOfTracks(joined)}
	load := workload{}
	for _, of := range joined {
		load.rows += len(of.times)
		load.visitor = max(load.visitor, lastVisitor(of.ordinals))
		c.matched += of.countAll()
	}
	makers := []*courseMaker{w.courseMaker(w.r, joined)}
	err := w.r.divide(makers[0], load, func(r *run) blockWalker {
		makers = append(makers, w.courseMaker(r, joined))
		return makers[len(makers)-1]
	})
	if err != nil {
		return nil, err
	}
	c.blocks = make([]*courseBlock, load.visitor/blockVisitors+1)
	for _, m := range makers {
		for number, b := range m.blocks {
			if b != nil {
				c.blocks[number], c.events = b, c.events+len(b.times)
			}
		}
	}
	return c, nil
}

// courseMaker makes one with a run. Segments are numbered by their places among those that are joined.
func (w *trackWalk) courseMaker(r *run, joined []*trackSegment) *courseMaker {
	m := &courseMaker{trackWalk: &trackWalk{funnelBlocks: w.funnelBlocks.forHelper(r), from: w.from, anyone: true}}
	p := *w.pass
	p.size = func() int { return m.size/entryBytes + m.hits.size() }
	m.pass = &p
	m.waits = waiting[funnelMark]{}
	for i, of := range joined {
		own := of.openedBy(r)
		own.number = uint32(i + 1)
		m.segments = append(m.segments, own)
	}
	m.beside = m.segments
	return m
}

// countAll counts the events that could serve a step.
func (s *trackSegment) countAll() (n int) {
	for code, kind := range s.kinds[:len(s.marks)] {
		if kind != trackNothing {
			n += int(s.counts[code])
		}
	}
	return n
}

// walkBlock finds the courses of a block.
func (m *courseMaker) walkBlock(first uint32) error {
	m.hits.clear()
	m.room.first = first
	events := 0
	for _, of := range m.segments {
		n, err := m.take(first, of)
		if err != nil {
			return err
		}
		events += n
	}
	m.r.work += 1 + events/rowsPerWork
	if err := m.r.look(m.pass); err != nil {
		return err
	}
	m.hits.sort()
	m.own.clear()
	for at, word := range m.hits.met {
		for ; word != 0; word &= word - 1 {
			if err := m.course(first, uint32(64*at+bits.TrailingZeros64(word))); err != nil {
				return err
			}
		}
	}
	if len(m.own.visitors) > 0 {
		b := m.own.clip()
		*at(&m.blocks, first/blockVisitors) = b
		m.size += courseActorBytes*len(b.visitors) + courseEventBytes*len(b.times)
	}
	return nil
}

// course finds the course of a visitor.
func (m *courseMaker) course(first, visitor uint32) error {
	m.line.clear()
	m.places = m.places[:0]
	hits := m.hits.of(visitor)
	if m.apart(hits) {
		for _, h := range hits {
			m.addHit(h)
		}
	} else if err := m.addMarks(first+visitor, hits); err != nil {
		return err
	}
	m.line.reduce(len(m.see.q.Steps))
	if course := m.line.list; len(course) > 0 {
		place := &m.places[course[0].at]
		m.own.add(uint16(visitor), uint16(place.of-1), place.index, course)
	}
	return nil
}

// addHit adds the events of a visitor in a segment.
func (m *courseMaker) addHit(h trackHit) {
	of := m.segments[h.of-1]
	since := of.time - m.segments[0].time
	for i, name := range of.names[h.from:h.to] {
		if of.kinds[name] != trackNothing {
			at := h.from + uint32(i)
			m.line.add(since+event.Time(of.times[at]), of.marks[name].stepOf())
			m.places = append(m.places, trackBegin{of: h.of, index: at})
		}
	}
}

// addMarks adds them in the order that their positions give them, where times don't.
func (m *courseMaker) addMarks(ordinal uint32, hits []trackHit) error {
	err := m.markAll(ordinal, hits, nil)
	for i := range m.trackWalk.line {
		mark := &m.trackWalk.line[i]
		m.line.add(mark.time-m.segments[0].time, uint8(bits.TrailingZeros32(mark.steps)))
		place := trackBegin{of: mark.visit, index: uint32(mark.seq)}
		if mark.visit == 0 {
			place = trackBegin{of: placeless + 1}
		}
		m.places = append(m.places, place)
	}
	return err
}

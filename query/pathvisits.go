package query

// pathVisits names the visits of visitors: by the half-hour, where the session id is one that is made, else by where
// the id stands. The id itself is only asked for where a visitor has ids in several segments.
type pathVisits struct {
	segments []*sealed         // by number
	live     numbering[string] // ids of live events
	numbers  map[string]uint64 // of ids of the visitor at hand: the first name of the visit
}

// Names of visits: twice the half-hour and one more, or twice the number of a session in its segment and, from
// pathSegmentShift on, that of the segment plus one; the ids of live events are as one segment.
const pathSegmentShift = 33

// halfMost is above the half-hours that are named by their number: all that can be made of a time. Others, which are
// only sent, are ids as any.
const halfMost = 1 << 62

// pathVisitsFew is how many ids a visitor may have for the map of them to be used again: to clear a large one takes
// longer than to make a small one.
const pathVisitsFew = 32

// of names the visit of an event, within those of its visitor.
func (p *pathVisits) of(e *scanRow) uint64 {
	key := visitOf(e, 0)
	switch {
	case key.made && key.half >= 0 && key.half < halfMost:
		return uint64(key.half)<<1 | 1
	case e.live != nil:
		if p.live.of == nil {
			p.live.of = map[string]uint32{}
		}
		return uint64(p.live.number(e.live.SessionID)) << 1
	}
	s := e.view.sealed
	*at(&p.segments, uint32(s.number)) = s
	return uint64(s.number+1)<<pathSegmentShift | uint64(e.view.session(e.at))<<1
}

// idOf returns the id of a visit that isn't made.
func (p *pathVisits) idOf(visit uint64) (string, error) {
	segment, session := visit>>pathSegmentShift, uint32(visit>>1)
	if segment == 0 {
		return p.live.list[session], nil
	}
	id, _, err := p.segments[segment-1].sessions.Sent(session)
	return id, err
}

// size is what the names weigh in entries of a table.
func (p *pathVisits) size() int { return 2*len(p.live.list) + len(p.numbers) }

// join gives the visits of a visitor one name each.
func (p *pathVisits) join(marks []mark) error {
	if !inSegments(marks) {
		return nil
	}
	if p.numbers == nil || len(p.numbers) > pathVisitsFew {
		p.numbers = map[string]uint64{}
	}
	clear(p.numbers)
	last, same := uint64(1), uint64(1) // of the mark before, whose visit mostly goes on
	for i := range marks {
		m := &marks[i]
		if m.visit&1 != 0 {
			continue
		}
		if m.visit != last {
			last = m.visit
			id, err := p.idOf(m.visit)
			if err != nil {
				return err
			}
			known, ok := p.numbers[id]
			if !ok {
				known = m.visit
				p.numbers[id] = known
			}
			same = known
		}
		m.visit = same
	}
	return nil
}

// inSegments tells whether a visitor has ids in several segments.
func inSegments(marks []mark) bool {
	first := uint64(noVisitor)
	for i := range marks {
		if marks[i].visit&1 != 0 {
			continue
		}
		switch own := marks[i].visit >> pathSegmentShift; first {
		case noVisitor:
			first = own
		case own:
		default:
			return true
		}
	}
	return false
}

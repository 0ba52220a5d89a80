package query

import (
	"errors"

	"millimetric/index/bitmap"
)

// startsAmong are where visits of some visitors of a segment begin: those who had conversions, where there is no
// room to keep the starts of all. Most questions about credit are about the same ones again, and a few that came
// since: a segment is walked anew only where it has some of these.
type startsAmong struct {
	*visitStarts
	whom bitmap.Set // whose starts are kept, if they have some in the segment
}

func (s *startsAmong) bytes() int64 { return s.visitStarts.bytes() + int64(s.whom.Bytes()) }

// amongShare is the part that some visitors may be of the visitors of all segments, one by one: more of them take
// about as much room as all, as they come more often than others.
const amongShare = 16

// set makes a set of the actors who have conversions, where these are visitors.
func (c *conversions) set() bitmap.Set {
	var ordinals []uint32
	for i := range c.list {
		if i == 0 || c.list[i].actor != c.list[i-1].actor {
			ordinals = append(ordinals, c.list[i].actor)
		}
	}
	return bitmap.Of(ordinals)
}

// openAmong finds the starts of some visitors in all segments; ok is false where that isn't worth it.
func (w *startWalk) openAmong(segments []*sealed, whom bitmap.Set) (ok bool, err error) {
	visitors := 0
	for _, s := range segments {
		visitors += s.segment.Visitors()
	}
	if n := whom.Count(); n == 0 || n > visitors/amongShare {
		return false, nil
	}
	for _, s := range segments {
		starts, err := w.startsAmong(s, whom)
		if errors.Is(err, errManyTouches) {
			w.segments = nil
			return false, nil
		}
		if err != nil {
			return false, err
		}
		w.segments = append(w.segments, &startSegment{visitStarts: starts, sealed: s})
	}
	return true, nil
}

func (w *startWalk) startsAmong(s *sealed, whom bitmap.Set) (*visitStarts, error) {
	memo, key := w.r.common.Memo, w.r.memoKey(s, memoStartsAmong, "")
	if value, ok := memo.get(key); ok {
		known := value.(*startsAmong)
		enough, err := s.lacksAll(whom.Without(known.whom))
		if err != nil || enough {
			return known.visitStarts, err
		}
		whom = whom.Or(known.whom)
	}
	starts, err := w.r.findStarts(everything(), s, &membership{of: whom})
	if err == nil {
		memo.replace(key, &startsAmong{starts, whom})
	}
	return starts, err
}

// lacksAll tells whether none of some visitors are in a segment.
func (s *sealed) lacksAll(visitors bitmap.Set) (bool, error) {
	if visitors.Count() == 0 {
		return true, nil
	}
	own, err := s.segment.VisitorSet()
	return err == nil && own.CountBoth(visitors) == 0, err
}

// membership tells who is in a set. Who is asked about mostly rises, and mostly is who was asked about before.
type membership struct {
	of     bitmap.Set
	listed bool
	rising []uint32
	next   int
	last   uint32
	is     bool
}

func (m *membership) has(number uint32) bool {
	if m.listed && m.last == number {
		return m.is
	}
	if !m.listed || number < m.last {
		m.listed, m.rising, m.next = true, m.of.Numbers(), 0
	}
	for m.next < len(m.rising) && m.rising[m.next] < number {
		m.next++
	}
	m.last, m.is = number, m.next < len(m.rising) && m.rising[m.next] == number
	return m.is
}

package query

import (
	"slices"

	"millimetric/index/event"
)

// Whether a visitor was there shortly before a start, elsewhere than where it is known that he wasn't.

// wasThere tells whether another segment or a live event has the visitor less than half an hour before.
func (w *startWalk) wasThere(k *knownStart, hits []startHit, live []metEvent) (bool, error) {
	for i := range live {
		if live[i].at.before(k.at) && k.at.time-live[i].at.time < halfHour {
			return true, nil
		}
	}
	since := k.at.time - halfHour
	for _, h := range hits {
		if h.of == nil {
			if was, err := w.wasJoined(k, uint32(h.at)); was || err != nil {
				return was, err
			}
			continue
		}
		first, last := h.of.time+event.Time(h.of.first[h.at]), h.of.time+event.Time(h.of.last[h.at])
		switch {
		case h.of == k.of || first > k.at.time || last <= since:
		case first > since && first < k.at.time || last < k.at.time:
			return true, nil
		default:
			if was, err := w.rowBefore(h.of.sealed, k.at); was || err != nil {
				return was, err
			}
		}
	}
	return false, nil
}

// wasJoined tells whether the joined segments have the visitor at hand less than half an hour before.
func (w *startWalk) wasJoined(k *knownStart, visitor uint32) (bool, error) {
	since := k.at.time - halfHour
	if last, _ := w.joined.lastBefore(w.at, visitor); k.joined || last <= since {
		return false, nil // of those that are joined it is known
	}
	for _, of := range w.origins {
		if first, last := of.sealed.segment.TimeRange(); first > k.at.time || last <= since {
			continue
		}
		if was, err := w.rowBefore(of.sealed, k.at); was || err != nil {
			return was, err
		}
	}
	return false, nil
}

// rowBefore looks for it in the rows of a visitor.
func (w *startWalk) rowBefore(s *sealed, before place) (was bool, err error) {
	err = w.eachRow(s, w.ordinal, func(v *view, at int) bool {
		time := v.timesOf()[at]
		if time > before.time {
			return false
		}
		if before.time-time >= halfHour || !w.r.common.IncludeBots && len(w.r.people.choose(v, []int32{int32(at)})) == 0 {
			return true
		}
		was = (place{time: time, seq: v.seq(at)}).before(before)
		return !was
	})
	return was, err
}

// eachRow shows the rows of a visitor in a segment, if he has some, until yield returns false.
func (w *startWalk) eachRow(s *sealed, ordinal uint32, yield func(v *view, at int) bool) error {
	if err := s.openRuns(); err != nil {
		return err
	}
	run, has := slices.BinarySearch(s.runs.Ordinals, ordinal)
	if !has {
		return nil
	}
	v := w.r.viewOf()
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		v.reach(s, int(row), int(s.runs.Starts[run+1]))
		if !yield(v, int(row)-v.first) || v.err != nil {
			return v.err
		}
	}
	return nil
}

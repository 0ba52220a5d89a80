package query

import (
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// Whether a visitor was there shortly before a start, elsewhere than in its segment.

// wasThere tells whether another segment or a live event has the visitor less than half an hour before.
func (w *startWalk) wasThere(k *knownStart, hits []startHit, live []metEvent) (bool, error) {
	for i := range live {
		if live[i].at.before(k.at) && k.at.time-live[i].at.time < halfHour {
			return true, nil
		}
	}
	since := k.at.time - halfHour
	for _, h := range hits {
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

// rowBefore looks for it in the rows of a visitor.
func (w *startWalk) rowBefore(s *sealed, before place) (bool, error) {
	if err := s.openRuns(); err != nil {
		return false, err
	}
	run, _ := slices.BinarySearch(s.runs.Ordinals, w.ordinal)
	v := w.r.viewOf()
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		if chunk := int(row) / index.ChunkRows; v.sealed != s || v.chunk != chunk {
			v.turn(s, chunk)
		}
		at := int(row) - v.first
		time := v.timesOf()[at]
		if time > before.time || v.err != nil {
			break
		}
		if before.time-time >= halfHour || !w.r.common.IncludeBots && len(w.r.people.choose(v, []int32{int32(at)})) == 0 {
			continue
		}
		if (place{time: time, seq: v.seq(at)}).before(before) {
			return true, v.err
		}
	}
	return false, v.err
}

package query

import (
	"slices"

	"millimetric/index"
)

// Which starts are of one visit, where several segments or live events have some of it.

// order brings the starts at hand in order, and leaves the first of each visit.
func (w *startWalk) order() error {
	compare := func(a, b knownStart) int { return a.at.compare(b.at) }
	if !slices.IsSortedFunc(w.known, compare) {
		slices.SortFunc(w.known, compare)
	}
	return w.dropRepeats()
}

// fewStarts is up to how many starts are compared each with each: to hash them takes longer.
const fewStarts = 16

// dropRepeats leaves the first start of each visit.
func (w *startWalk) dropRepeats() error {
	clear(w.bySum)
	kept := w.known[:0]
	for i := range w.known {
		k := &w.known[i]
		sum, repeats := k.sum, false
		for j := w.lastOf(kept, sum, len(w.known)); j >= 0 && !repeats; j = kept[j].before {
			if kept[j].sum != sum {
				continue
			}
			var err error
			if repeats, err = w.sameVisit(&kept[j], k); err != nil {
				return err
			}
		}
		if repeats {
			continue
		}
		k.before = w.lastOf(kept, sum, len(w.known))
		if len(w.known) > fewStarts {
			w.bySum[sum] = len(kept)
		}
		kept = append(kept, *k)
	}
	w.known = kept
	return nil
}

// lastOf returns the last of the kept starts that may have a sum, -1 where there is none.
func (w *startWalk) lastOf(kept []knownStart, sum uint32, all int) int {
	if all <= fewStarts {
		return len(kept) - 1
	}
	if last, ok := w.bySum[sum]; ok {
		return last
	}
	return -1
}

func (w *startWalk) sameVisit(a, b *knownStart) (bool, error) {
	keyA, err := w.key(a)
	if err != nil {
		return false, err
	}
	keyB, err := w.key(b)
	return keyA == keyB, err
}

// key makes the key of a start's visit.
func (w *startWalk) key(k *knownStart) (visitKey, error) {
	if k.of == nil {
		key := k.live.visit
		key.visitor = 0
		return key, nil
	}
	s := k.of.sealed
	if s.sessions == nil {
		s.sessions = s.segment.SessionIDs()
	}
	session, err := w.sessionOf(k)
	if err != nil {
		return visitKey{}, err
	}
	id, sent, err := s.sessions.Sent(session)
	if err != nil {
		return visitKey{}, err
	}
	if !sent {
		return visitKey{made: true, half: int64(k.at.time / halfHour)}, nil
	}
	if !endsAsMade(id) {
		return visitKey{id: id}, nil
	}
	if err := s.openRuns(); err != nil {
		return visitKey{}, err
	}
	if s.visitors == nil {
		s.visitors = s.segment.AnonymousIDs()
	}
	run, _ := slices.BinarySearch(s.runs.Ordinals, w.ordinal)
	anonymousID, err := s.visitors.At(uint32(run))
	if half, ok := index.DerivedHalf(id, anonymousID); ok {
		return visitKey{made: true, half: half}, err
	}
	return visitKey{id: id}, err
}

// sessionOf returns the number of a start's session in its segment. Of one that is known from the joined starts the
// row tells, which its position finds.
func (w *startWalk) sessionOf(k *knownStart) (uint32, error) {
	if !k.joined {
		return k.session, nil
	}
	session, found := uint32(0), false
	err := w.eachRow(k.of.sealed, w.ordinal, func(v *view, at int) bool {
		if found = v.timesOf()[at] == k.at.time && v.seq(at) == k.at.seq; found {
			session = v.session(at)
		}
		return !found
	})
	if err == nil && !found {
		panic("query: a start that was joined is in no row of its segment")
	}
	return session, err
}

package query

import (
	"slices"

	"millimetric/index"
)

// Which starts are of one visit, where several segments or live events have some of it.

// order brings the starts at hand in order, and leaves the first of each visit.
func (w *startWalk) order() error {
	for end := endOfRun(w.known, 0); end < len(w.known); {
		next := endOfRun(w.known, end)
		w.mergeRuns(w.known[:next], end)
		end = next
	}
	fresh := 0
	for i := range w.known {
		if !w.known[i].joined {
			fresh++
		}
	}
	if fresh <= fewStarts {
		return w.dropFewRepeats()
	}
	return w.dropRepeats()
}

// endOfRun returns the end of the starts from one on that are in order. What is joined, and what each segment and the
// live events have, are.
func endOfRun(known []knownStart, from int) int {
	end := from + 1
	for end < len(known) && known[end-1].at.compare(known[end].at) <= 0 {
		end++
	}
	return end
}

// mergeRuns merges the starts from at on into those before it: from the last on, the greater one goes to the end.
func (w *startWalk) mergeRuns(known []knownStart, at int) {
	w.run = append(w.run[:0], known[at:]...)
	to := len(known)
	for left := len(w.run); left > 0; {
		to--
		if at > 0 && known[at-1].at.compare(w.run[left-1].at) > 0 {
			at--
			known[to] = known[at]
		} else {
			left--
			known[to] = w.run[left]
		}
	}
}

// fewStarts is up to how many starts that aren't joined are compared with each other one: to hash all takes longer.
const fewStarts = 16

// dropFewRepeats leaves the first start of each visit, where few aren't joined: those that are differ from each other.
func (w *startWalk) dropFewRepeats() error {
	kept := w.known[:0]
	w.fresh = w.fresh[:0]
	for i := range w.known {
		k := &w.known[i]
		repeats, err := w.repeatsFew(kept, k)
		if err != nil {
			return err
		}
		if repeats {
			continue
		}
		if !k.joined {
			w.fresh = append(w.fresh, len(kept))
		}
		kept = append(kept, *k)
	}
	w.known = kept
	return nil
}

// repeatsFew tells whether a start is of the same visit as one of those that are kept. Those that aren't joined are
// asked first, as no row needs to be looked at for them.
func (w *startWalk) repeatsFew(kept []knownStart, k *knownStart) (repeats bool, err error) {
	for _, at := range w.fresh {
		if kept[at].sum != k.sum {
			continue
		}
		if repeats, err = w.sameVisit(&kept[at], k); repeats || err != nil {
			return repeats, err
		}
	}
	if k.joined {
		return false, nil
	}
	for i := range kept {
		if kept[i].sum != k.sum || !kept[i].joined {
			continue
		}
		if repeats, err = w.sameVisit(&kept[i], k); repeats || err != nil {
			return repeats, err
		}
	}
	return false, nil
}

// dropRepeats leaves the first start of each visit.
func (w *startWalk) dropRepeats() error {
	clear(w.bySum)
	kept := w.known[:0]
	for i := range w.known {
		k := &w.known[i]
		last, some := w.bySum[k.sum]
		if !some {
			last = -1
		}
		repeats := false
		for j := last; j >= 0 && !repeats; j = kept[j].before {
			var err error
			if repeats, err = w.sameVisit(&kept[j], k); err != nil {
				return err
			}
		}
		if repeats {
			continue
		}
		k.before, w.bySum[k.sum] = last, len(kept)
		kept = append(kept, *k)
	}
	w.known = kept
	return nil
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

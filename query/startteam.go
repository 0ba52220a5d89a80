package query

import "slices"

// How several workers look for touches.

// takeOver lets a walk of a helper go over the segments that another one has opened.
func (w *startWalk) takeOver(other *startWalk) {
	w.waits = other.waits
	for _, of := range other.segments {
		w.segments = append(w.segments, &startSegment{visitStarts: of.visitStarts, sealed: of.sealed.openedBy(w.r)})
	}
	if w.joined = other.joined; w.joined == nil {
		return
	}
	w.sold, w.weights = other.sold, other.weights
	w.joinedGroups = make([]uint32, len(w.joined.kinds))
	for _, of := range other.origins {
		w.origins = append(w.origins, &startSegment{sealed: of.sealed.openedBy(w.r)})
	}
}

// seek goes to the first visitor that isn't below one.
func (w *startWalk) seek(visitor uint32) {
	w.waits.seek(visitor)
	for _, of := range w.segments {
		of.next, _ = slices.BinarySearch(of.ordinals, visitor)
	}
}

// lastVisitor returns the last visitor of all, or one above.
func (w *startWalk) lastVisitor() uint64 {
	last := w.waits.most()
	for _, of := range w.segments {
		last = max(last, lastVisitor(of.ordinals))
	}
	if w.joined != nil {
		last = max(last, uint64(len(w.joined.blocks))*blockVisitors)
	}
	return last
}

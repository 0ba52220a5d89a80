package query

import "math/bits"

// What is read of joined starts before it is needed. It lies apart; looked up one right after the other, with nothing
// to decide between, it comes from memory at the same time. What is read ends up in a number of no meaning.

// fetch fetches the first starts in the joined segments of those of 64 visitors of the block who are among a word's.
func (w *startWalk) fetch(at int, word uint64) {
	if w.at == nil {
		return
	}
	for ; word != 0; word &= word - 1 {
		b, visitor := w.at.place(uint32(64*at + bits.TrailingZeros64(word)))
		if own := b.spanOf(visitor); own.from < own.to {
			b.list[own.from].fetch(&w.near)
		}
	}
}

// fetch fetches a start, which may lie across two lines of the cache.
func (s *joinedStart) fetch(near *uint32) { *near += s.time + uint32(s.where) }

// fetchEnds fetches where the starts of some visitors end.
func (b *joinedBlock) fetchEnds(who *visitorBits, near *uint32) {
	if b == nil {
		return
	}
	for at, word := range who {
		for ; word != 0; word &= word - 1 {
			if visitor := 64*at + bits.TrailingZeros64(word); visitor < len(b.ends) {
				*near += b.ends[visitor]
			}
		}
	}
}

package query

import "millimetric/index/event"

// bucketSlots finds the buckets of times in a segment. Buckets begin on quarters of an hour, mostly: a
// quarter that lies in one bucket tells it at once.
type bucketSlots struct {
	calendar *calendar
	segments perSegment[segmentSlots]
	at       *segmentSlots
}

type segmentSlots struct {
	first   event.Time // of the first slot
	buckets []uint32   // by slot: the bucket plus one, or 0 where that isn't known
}

const (
	slotLength event.Time = 15 * 60 * 1000
	slotsMax              = 1 << 16 // almost two years
)

func (b *bucketSlots) turn(calendar *calendar, s *sealed) {
	own, found := b.segments.turn(s)
	if b.calendar, b.at = calendar, own; found {
		return
	}
	first, last := s.segment.TimeRange()
	own.first = first - first%slotLength
	own.buckets = make([]uint32, min((last-own.first)/slotLength+1, slotsMax))
}

func (b *bucketSlots) bucket(t event.Time) uint32 {
	slot := uint64(t-b.at.first) / uint64(slotLength)
	if slot >= uint64(len(b.at.buckets)) {
		return b.calendar.number(t)
	}
	if known := b.at.buckets[slot]; known != 0 {
		return known - 1
	}
	bucket := b.calendar.number(t)
	start := b.at.first + event.Time(slot)*slotLength
	if span := b.calendar.latest; span.start <= start && span.end >= start+slotLength {
		b.at.buckets[slot] = bucket + 1
	}
	return bucket
}

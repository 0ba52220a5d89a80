package ingest

import "testing"

// What an arena has and doesn't use stays in memory for as long as its events.
func TestAnArenaTakesHardlyMoreThanTheEventsOfItsBatchNeed(t *testing.T) {
	const texts, inBody = 150, 250 // bytes of an event
	for _, events := range []int{1, 2, 20, 100, 1000} {
		var a arena
		taken := 0
		for i := range events {
			if a.ready(texts, (events-1-i)*inBody); len(a.text) == 0 {
				taken += cap(a.text)
			}
			a.text = a.text[:len(a.text)+texts]
		}
		if taken > 2*events*texts {
			t.Errorf("%d events of %d bytes have %d", events, texts, taken)
		}
	}
}

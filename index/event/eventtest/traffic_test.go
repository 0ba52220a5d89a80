package eventtest

import "testing"

func TestTrafficIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	visitors := map[string]bool{}
	bytes := 0
	const sources, each = 4, 100_000
	for seed := range sources {
		traffic := NewTraffic(uint64(seed), Start, 100)
		for range each {
			e := traffic.Event()
			if seen[e.ID] {
				t.Fatalf("%s comes twice", e.ID)
			}
			seen[e.ID], visitors[e.AnonymousID] = true, true
		}
		bytes += len(traffic.AppendJSON(nil))
	}
	if share := float64(len(visitors)) / (sources * each); share < 1./13 || share > 1./11 {
		t.Errorf("%.3f of the events have a new visitor", share)
	}
	if bytes < 300*sources || bytes > 420*sources {
		t.Errorf("%d bytes in %d events", bytes, sources)
	}
}

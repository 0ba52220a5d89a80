package query

import "testing"

func TestASetOfVisitorsHasWhoeverWasAdded(t *testing.T) {
	var s pathVisitors
	if s.has(0) || s.has(1<<31) {
		t.Error("the empty set has visitors")
	}
	added := map[uint32]bool{0: true, 63: true, 64: true, 7000: true, 65: true}
	for visitor := range added {
		s.add(visitor)
	}
	for visitor := range uint32(8000) {
		if s.has(visitor) != added[visitor] {
			t.Errorf("visitor %d: %t", visitor, s.has(visitor))
		}
	}
}

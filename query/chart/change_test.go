package chart

import "testing"

func TestChangesAreSaidSoThatNoneMisleads(t *testing.T) {
	for _, c := range []struct {
		now, then   float64
		text, class string
	}{
		{5, 5, "±0%", "mm-soft"}, {0, 0, "±0%", "mm-soft"},
		{6, 5, "+20%", "mm-up"}, {4, 5, "−20%", "mm-down"}, {0, 5, "−100%", "mm-down"},
		{5, 0, "new", "mm-up"}, {50, 5, "×10", "mm-up"},
		{130, -3, "was −3", "mm-up"}, {-5, -3.5, "was −3.5", "mm-down"}, {-5, 0, "was 0", "mm-down"}, {-5, 2000, "was 2,000", "mm-down"},
	} {
		if text, class := change(c.now, c.then); text != c.text || class != c.class {
			t.Errorf("%v after %v is %q (%s), want %q (%s)", c.now, c.then, text, class, c.text, c.class)
		}
	}
}

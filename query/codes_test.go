package query

import (
	"strings"
	"testing"
)

func TestTextsThatAreTooLongTogetherAreNotKept(t *testing.T) {
	for _, c := range []struct{ texts, kept int }{{4, 4}, {5, 0}} {
		codes := &sharedCodes{}
		for range c.texts {
			codes.keep(strings.Repeat("x", sharedTextsMost/4))
		}
		codes.end(c.texts)
		if len(codes.texts) != c.kept || codes.count != c.texts || codes.length != c.kept*(sharedTextsMost/4) {
			t.Errorf("of %d texts %d are kept, %d bytes", c.texts, len(codes.texts), codes.length)
		}
		if codes.bytes() > 0 != (c.kept > 0) {
			t.Errorf("%d texts take %d bytes", c.kept, codes.bytes())
		}
	}
}

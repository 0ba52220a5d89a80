package query

import (
	"errors"
	"sync"
	"testing"

	"millimetric/index/event"
)

func codeOf(err error) string {
	var e *event.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

func TestAnAllowanceBoundsOneQuestionAndAllTogether(t *testing.T) {
	const mib = 1 << 20
	a := NewAllowance(64 * mib)
	entries := func(bytes int) int { return bytes / entryBytes }
	one, other := share{of: a}, share{of: a}
	if err := one.cover(entries(57 * mib)); codeOf(err) != codeTooLarge {
		t.Errorf("more than one may have: %v", err)
	}
	if err := one.cover(entries(40 * mib)); err != nil || a.Used() != 40*mib {
		t.Errorf("%v, %d", err, a.Used())
	}
	if err := one.cover(entries(3 * mib)); err != nil || a.Used() != 40*mib {
		t.Errorf("what shrinks keeps its share until it ends: %v, %d", err, a.Used())
	}
	if err := other.cover(entries(30 * mib)); codeOf(err) != event.CodeOverloaded {
		t.Errorf("more than is left: %v", err)
	}
	if err := other.cover(entries(24 * mib)); err != nil {
		t.Errorf("what is left: %v", err)
	}
	one.release()
	one.release()
	if other.release(); a.Used() != 0 {
		t.Errorf("%d bytes stay taken", a.Used())
	}
	if err := (&share{}).cover(entriesMax + 1); codeOf(err) != codeTooLarge {
		t.Errorf("without an allowance: %v", err)
	}
}

func TestAnAllowanceIsNeverOverdrawn(t *testing.T) {
	a := NewAllowance(40 << 20)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for range 200 {
				s := share{of: a}
				for entries := 0; s.cover(entries) == nil; entries += 10_000 * (1 + i%3) {
					if used := a.Used(); used > 40<<20 {
						t.Errorf("%d bytes are used", used)
					}
				}
				s.release()
			}
		})
	}
	all.Wait()
	if a.Used() != 0 {
		t.Errorf("%d bytes stay taken", a.Used())
	}
}

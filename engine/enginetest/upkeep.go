package enginetest

import (
	"fmt"
	"sync/atomic"

	"millimetric/engine"
)

// Upkeep counts what stores do beside requests. A harness in which it stays at nothing looks at live
// events only.
type Upkeep struct{ sealed, merged, rebucketed atomic.Int64 }

// notice is engine.Options.Notify.
func (u *Upkeep) notice(n engine.Notice) {
	switch n.(type) {
	case engine.Sealed:
		u.sealed.Add(1)
	case engine.Merged:
		u.merged.Add(1)
	case engine.Rebucketed:
		u.rebucketed.Add(1)
	}
}

// add adds what another one has counted.
func (u *Upkeep) add(sealed, merged int64) {
	u.sealed.Add(sealed)
	u.merged.Add(merged)
}

// Idle reports whether nothing was sealed, or nothing merged.
func (u *Upkeep) Idle() bool { return u.sealed.Load() == 0 || u.merged.Load() == 0 }

// Rebucketed is how many segments were written anew because a retention window became short.
func (u *Upkeep) Rebucketed() int64 { return u.rebucketed.Load() }

// String gives all counts.
func (u *Upkeep) String() string {
	return fmt.Sprintf("sealed=%d merged=%d rebucketed=%d", u.sealed.Load(), u.merged.Load(), u.rebucketed.Load())
}

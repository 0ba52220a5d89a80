package engine

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/event"
)

// Notice is something that an operator should know. The engine writes no log: the caller does.
type Notice interface {
	fmt.Stringer
	// Urgent reports whether somebody should look at it.
	Urgent() bool
}

// Recovered tells what Open found.
type Recovered struct {
	Groups   uint64 // of the log
	Events   uint64 // of these, not sealed
	Sealed   uint64 // events that are
	Projects int
}

// Sealed tells that live events have become segments.
type Sealed struct {
	Project  event.Project
	Events   int
	Segments int
}

// Merged tells that segments have become one.
type Merged struct {
	Project  event.Project
	Events   int
	Segments int // that went into it
}

// Rebucketed tells that a segment was written anew, so that each of its days can be destroyed by itself.
type Rebucketed struct {
	Project  event.Project
	Events   int
	Segments int // that it became
}

// Retained tells that events whose time was over were dropped.
type Retained struct {
	Project  event.Project
	Events   uint64
	Segments int
}

// Erased tells that nothing is left in the store of somebody who was to be erased.
type Erased struct {
	Project event.Project
	Receipt string
	Events  int
	Took    time.Duration
}

// Broken tells that nothing of a project can be read or written until the next start, as something of it
// is damaged that all else needs.
type Broken struct {
	Project event.Project
	Cause   error
}

// DiskSlow tells of one operation that has been going on for long.
type DiskSlow struct {
	Path, Operation string
	For             time.Duration
}

// SpaceLow tells that appends are refused from now on, as free space ran low.
type SpaceLow struct{ Free, Total uint64 }

// SpaceBack tells that appends are taken again.
type SpaceBack struct{ Free, Total uint64 }

// Stalled tells that Pebble holds writes back, and why.
type Stalled struct{ Reason string }

// Resumed tells that it has stopped doing so.
type Resumed struct{}

// Stuck tells that a commit has been going on for long, so that appends are refused meanwhile.
type Stuck struct{ For time.Duration }

// Damaged tells that stored bytes aren't what was written. Who has to read them gets an error.
type Damaged struct {
	Path  string
	Cause error
}

// Background tells of a failure outside any request, such as in a flush, which will be retried.
type Background struct{ Cause error }

func (n Recovered) String() string {
	return fmt.Sprintf("recovered %d projects: %d events are sealed, %d were read from %d groups", n.Projects, n.Sealed, n.Events, n.Groups)
}
func (n Sealed) String() string {
	return fmt.Sprintf("sealed %d events of project %d into %d segments", n.Events, n.Project, n.Segments)
}
func (n Merged) String() string {
	return fmt.Sprintf("merged %d segments of project %d into one of %d events", n.Segments, n.Project, n.Events)
}
func (n Rebucketed) String() string {
	return fmt.Sprintf("wrote %d events of project %d anew, in %d segments of a day each", n.Events, n.Project, n.Segments)
}
func (n Retained) String() string {
	return fmt.Sprintf("dropped %d events of project %d, in %d segments: their time was over", n.Events, n.Project, n.Segments)
}
func (n Erased) String() string {
	return fmt.Sprintf("erased %d events of one person in project %d, receipt %s: nothing is left after %v", n.Events, n.Project, n.Receipt, n.Took)
}
func (n Broken) String() string {
	return fmt.Sprintf("project %d can't be read, all others can: %v", n.Project, n.Cause)
}
func (n DiskSlow) String() string {
	return fmt.Sprintf("disk is slow: %s of %s has been going on for %v", n.Operation, n.Path, n.For)
}
func (n SpaceLow) String() string {
	return fmt.Sprintf("disk space is low, events are refused: %d of %d bytes are free", n.Free, n.Total)
}
func (n SpaceBack) String() string {
	return fmt.Sprintf("disk space is back, events are taken: %d of %d bytes are free", n.Free, n.Total)
}
func (n Stalled) String() string    { return "writes are held back: " + n.Reason }
func (n Resumed) String() string    { return "writes go on" }
func (n Stuck) String() string      { return fmt.Sprintf("a commit has been going on for %v", n.For) }
func (n Damaged) String() string    { return fmt.Sprintf("%s is damaged: %v", n.Path, n.Cause) }
func (n Background) String() string { return fmt.Sprintf("background work failed: %v", n.Cause) }

// Urgent is part of Notice.
func (n Recovered) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Sealed) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Merged) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Rebucketed) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Retained) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Erased) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Broken) Urgent() bool { return true }

// Urgent is part of Notice.
func (n DiskSlow) Urgent() bool { return true }

// Urgent is part of Notice.
func (n SpaceLow) Urgent() bool { return true }

// Urgent is part of Notice.
func (n SpaceBack) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Stalled) Urgent() bool { return true }

// Urgent is part of Notice.
func (n Resumed) Urgent() bool { return false }

// Urgent is part of Notice.
func (n Stuck) Urgent() bool { return true }

// Urgent is part of Notice.
func (n Damaged) Urgent() bool { return true }

// Urgent is part of Notice.
func (n Background) Urgent() bool { return true }

// listener turns Pebble's events into notices and states. Without a DataCorruption of our own,
// Pebble would end the process at one bad block, and so again at each start.
func (e *Engine) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: e.backgroundFailed,
		FlushEnd:        e.flushEnded,
		CompactionEnd:   e.compactionEnded,
		DataCorruption:  e.tableDamaged,
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			e.state[stateStalled].Store(true)
			e.opt.Notify(Stalled{Reason: info.Reason})
		},
		WriteStallEnd: func() {
			e.state[stateStalled].Store(false)
			e.opt.Notify(Resumed{})
		},
	}
}

// logger is what Pebble is given to log with. Its Fatalf must end the process: Pebble goes on
// after it as if the commit had succeeded.
type logger struct{ e *Engine }

func (l logger) Infof(string, ...any) {}
func (l logger) Errorf(format string, args ...any) {
	l.e.opt.Notify(Background{Cause: fmt.Errorf(format, args...)})
}
func (l logger) Fatalf(format string, args ...any) { l.e.die(fmt.Sprintf(format, args...)) }

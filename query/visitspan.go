package query

import "millimetric/index/event"

// visitSpan is where a visit begins and ends, and how many events it has.
type visitSpan struct {
	entry  place
	last   event.Time
	events int64 // all of them
	others int64 // all but $identify
}

// count counts an event.
func (v *visitSpan) count(at event.Time, identify bool) {
	v.events++
	if !identify {
		v.others++
	}
	v.last = max(v.last, at)
}

// bounced tells whether a visit holds one event only; $identify says who comes, not what they do.
func (v *visitSpan) bounced() bool { return v.others == 1 }

func (v *visitSpan) length() event.Time { return v.last - v.entry.time }

// visitPages are the first and the last page view of a visit, if it has any.
type visitPages struct {
	view, leave place
	viewed      bool
	entryPath   string
	exitPath    string
}

// see takes in a page view.
func (v *visitPages) see(at place, path string) {
	if !v.viewed || at.before(v.view) {
		v.view, v.entryPath = at, path
	}
	if !v.viewed || v.leave.before(at) {
		v.leave, v.exitPath = at, path
	}
	v.viewed = true
}

package query

import "millimetric/index/event"

// courseLine is the events of a visitor that could serve a step, in order, of which reduce leaves those that decide how
// far he came. What that is follows from how attempts go on (see flow), with one attempt at most at each depth, each
// event serving one step:
//
//  1. An event of step k+1 moves the attempt at depth k on, or ends it where the window is over. Where no attempt could be
//     at depth k if windows had no end, none is, and the event does nothing.
//  2. A depth is sure from the first attempt on that comes to it within courseWindow: that one does so whatever the
//     window is.
//  3. A greatest depth is reached first by an event that comes to a depth that isn't sure yet, and that isn't less than
//     what is sure in the end. These events decide, and so does what their attempts came by.
//  4. So, backwards: an event matters if it decides, or brings an attempt to a depth that the next event which matters and
//     asks for that depth finds it at. An event asks for the depth that it moves an attempt from.
//  5. Without an event that doesn't matter, an attempt stays where it would have been moved from or ended. Another one
//     takes its place before somebody asks; or that one is ended by the window on the way: then what stays is over by
//     then, too, as attempts at greater depths began earlier.
type courseLine struct {
	list  []courseEvent
	moves []courseMove
	begun [coursePlaces]event.Time // by depth: when the attempt began that is there
	some  uint32                   // of the depths, a bit each: there is one
}

// coursePlaces is one more than the greatest depth that an attempt waits at.
const coursePlaces = 1 << courseStepBits

// courseEvent is an event that could serve a step, at a time from the first event of all segments.
type courseEvent struct {
	time event.Time
	at   int // its place among the events that were added
	step uint8
}

// courseMove is an event that moves an attempt on, or begins one.
type courseMove struct {
	event int
	sure  int // the depth that is sure before it
}

func (l *courseLine) clear() { l.list = l.list[:0] }

func (l *courseLine) add(t event.Time, step uint8) {
	l.list = append(l.list, courseEvent{t, len(l.list), step})
}

// reduce leaves the events that matter; steps is how many steps there are.
func (l *courseLine) reduce(steps int) {
	sure := l.move()
	kept := len(l.list)
	asked := uint32(0) // of the depths, a bit each: which attempt is there matters
	for i := len(l.moves) - 1; i >= 0; i-- {
		m := &l.moves[i]
		from := int(l.list[m.event].step)
		to := from + 1
		decides := to > m.sure && to >= sure
		if !decides && (to == steps || asked>>to&1 == 0) {
			continue
		}
		asked &^= 1 << to
		if from > 0 {
			asked |= 1 << from
		}
		kept--
		l.list[kept] = l.list[m.event]
	}
	l.list = append(l.list[:0], l.list[kept:]...)
}

// move lets the events move attempts, as if windows had no end, and returns the depth that is sure in the end.
func (l *courseLine) move() (sure int) {
	l.moves, l.some = l.moves[:0], 0
	for i := range l.list {
		e := &l.list[i]
		from, begun := int(e.step), e.time
		if from > 0 {
			if l.some>>from&1 == 0 {
				continue
			}
			begun = l.begun[from]
			l.some &^= 1 << from
		}
		if to := from + 1; to < coursePlaces {
			l.begun[to] = begun
			l.some |= 1 << to
		}
		l.moves = append(l.moves, courseMove{i, sure})
		if e.time-begun <= event.Time(courseWindow.Milliseconds()) {
			sure = max(sure, from+1)
		}
	}
	return sure
}

package query

import (
	"cmp"
	"errors"
	"hash/fnv"
	"math"
	"slices"

	"millimetric/index/event"
)

// visitStarts are the first events with an address of each visit of a segment: all that touches are made
// of. They stand by visitor, and each visitor's in order. The memo keeps them, so they are small.
type visitStarts struct {
	time     event.Time // of the segment's first event, from which times count
	seq      event.Seq  // its least position, from which positions count
	ordinals []uint32   // of visitors of whom some event counts, rising
	first    []uint32   // by visitor: the time of his first event that counts
	last     []uint32   // and of his last
	ends     []uint32   // by visitor: how many starts there are up to his last
	list     []visitStart
}

// visitStart is the first event with an address of a visit.
type visitStart struct {
	time, seq uint32
	index     uint32 // of the event among those of the segment that count
	session   uint32 // its number in the segment
	sum       uint32 // of the visit's key: what differs in it differs in the key
	touch     uint16 // what the columns from colSource on say together
	flags     startFlags
}

// startFlags say what kind of touch an event could be, and what the segment knows beside.
type startFlags uint8

const (
	startDropped startFlags = 1 << iota // touchDropped
	startCut                            // touchCut
	startDirect                         // its source is direct
	startSoon                           // an event of the visitor came less than half an hour before, in the segment
)

const (
	startBytes        = 24
	startVisitorBytes = 16
)

func (s *visitStarts) bytes() int64 {
	return int64(startBytes*cap(s.list) + startVisitorBytes*cap(s.ordinals))
}

// of returns the starts of a visitor by his place in the list of visitors.
func (s *visitStarts) of(k int) []visitStart {
	from := uint32(0)
	if k > 0 {
		from = s.ends[k-1]
	}
	return s.list[from:s.ends[k]]
}

func (s *visitStarts) place(v *visitStart) place {
	return place{time: s.time + event.Time(v.time), seq: s.seq + event.Seq(v.seq)}
}

// fitStarts tells whether all of the segment's events that count are seen by a pass, but for those after its end, and
// whether their times and positions can be told in so few bits.
func (r *run) fitStarts(p *pass, s *sealed) bool {
	first, last := s.segment.TimeRange()
	least, greatest := s.segment.SeqRange()
	return first >= p.from && greatest <= r.asOf && !s.segment.Hides() && last-first <= math.MaxUint32 && greatest-least <= math.MaxUint32
}

// errManyTouches says that starts can't be told: visits came from too many places to number them.
var errManyTouches = errors.New("query: too many kinds of touches")

// startsOf returns the starts of a segment that fits.
func (r *run) startsOf(p *pass, s *sealed) (*visitStarts, error) {
	starts, _, err := remembered(r, s, memoStarts, "", func() (*visitStarts, bool, error) {
		starts, err := r.findStarts(p, s, nil)
		if err == nil {
			starts.list = slices.Clip(slices.Clone(starts.list))
		}
		return starts, true, err
	})
	return starts, err
}

// startFinder walks the rows of a segment.
type startFinder struct {
	*visitStarts
	kinds   touchKinds
	began   []bool      // by session: it had its first address; a session is a visit of one visitor
	session uint32      // the last of these
	events  uint32      // that were met
	whom    *membership // nil where all visitors matter
}

// findStarts walks a segment.
func (r *run) findStarts(p *pass, s *sealed, whom *membership) (*visitStarts, error) {
	if touches, err := s.table(colSource); err != nil || len(touches) > math.MaxUint16 {
		return nil, cmp.Or(err, errManyTouches)
	}
	n := s.segment.Visitors()
	if whom != nil {
		n = 0
	}
	starts := &visitStarts{ordinals: make([]uint32, 0, n), first: make([]uint32, 0, n), last: make([]uint32, 0, n), ends: make([]uint32, 0, n)}
	starts.list = make([]visitStart, 0, n)
	f := &startFinder{visitStarts: starts, whom: whom}
	f.time, _ = s.segment.TimeRange()
	f.seq, _ = s.segment.SeqRange()
	err := r.eachChunk(p, s, func() int { return int(f.bytes() / entryBytes) }, f.take)
	return f.visitStarts, err
}

// take takes rows of a view.
func (f *startFinder) take(v *view, chosen []int32) {
	times := v.timesOf()
	row := scanRow{view: v}
	for _, at := range chosen {
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		if f.whom != nil && !f.whom.has(row.visitor) {
			f.events++
			continue
		}
		time := uint32(row.time - f.time)
		soon := startFlags(0)
		if n := len(f.ordinals); n == 0 || f.ordinals[n-1] != row.visitor {
			f.ordinals, f.first = append(f.ordinals, row.visitor), append(f.first, time)
			f.last, f.ends = append(f.last, time), append(f.ends, uint32(len(f.list)))
			f.session = noOrdinal
		} else {
			if event.Time(time-f.last[n-1]) < halfHour {
				soon = startSoon
			}
			f.last[n-1] = time
		}
		if session := v.session(int(at)); session != f.session {
			f.enter(&row, session, soon)
		}
		f.events++
	}
}

// enter takes a row of which it isn't known whether its visit began before.
func (f *startFinder) enter(e *scanRow, session uint32, flags startFlags) {
	kind := f.kinds.of(e)
	if kind == touchNone {
		return
	}
	f.session = session
	began := at(&f.began, session)
	if *began {
		return
	}
	*began = true
	key, v := visitOf(e, 0), e.view
	switch {
	case kind == touchDropped:
		flags |= startDropped
	case kind == touchCut:
		flags |= startCut | startDirect
	case f.kinds.tablesOf(v).sources[e.code(colSource)] == sourceIsDirect:
		flags |= startDirect
	}
	f.list = append(f.list, visitStart{
		time: uint32(e.time - f.time), seq: uint32(e.seq() - f.seq), index: f.events, session: session,
		touch: uint16(v.touchesOf()[e.at]), sum: key.sum(), flags: flags,
	})
	f.ends[len(f.ends)-1] = uint32(len(f.list))
}

// sum is a number that equal keys share, and others seldom.
func (k *visitKey) sum() uint32 {
	if k.made {
		return uint32(k.half)
	}
	h := fnv.New32a()
	h.Write([]byte(k.id)) // which can't fail
	return h.Sum32()
}

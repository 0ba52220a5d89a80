package index

import (
	"cmp"
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// place is where a row stands in the order of a segment. Sorting these instead of rows reads each
// event once, in the order in which memory holds them; an event elsewhere costs a cache miss.
type place struct {
	time event.Time
	seq  event.Seq
	at   uint32 // of the row as it was given
}

func (p place) before(q place) bool {
	if p.time != q.time {
		return p.time < q.time
	}
	return p.seq < q.seq
}

// digitBits is how many bits of an ordinal one pass of the sort takes: the counters of a pass fit
// the first-level cache.
const digitBits = 11

// sorter sorts rows, in the same memory each time.
type sorter struct {
	rows        []Row
	given, out  []place
	order, next []uint32
}

// sorted returns rows by visitor, time and position. They are valid until the next call.
func (s *sorter) sorted(rows []Row) []Row {
	s.rows = sized(s.rows, len(rows))
	for i, p := range s.places(rows) {
		s.rows[i] = rows[p.at]
	}
	return s.rows
}

// places returns the order of rows by visitor, time and position.
func (s *sorter) places(rows []Row) []place {
	least, most := rows[0].Ordinal, rows[0].Ordinal
	s.given, s.out = sized(s.given, len(rows)), sized(s.out, len(rows))
	given, out := s.given, s.out
	for i, r := range rows {
		least, most = min(least, r.Ordinal), max(most, r.Ordinal)
		given[i] = place{r.Event.Time, r.Event.Seq, uint32(i)}
	}
	order := s.byOrdinal(rows, least, bits.Len32(most-least))
	for from := 0; from < len(out); {
		ordinal, to := rows[order[from]].Ordinal, from
		for ; to < len(out) && rows[order[to]].Ordinal == ordinal; to++ {
			out[to] = given[order[to]]
		}
		sortRun(out[from:to])
		from = to
	}
	return out
}

// byOrdinal returns the numbers of rows, by ordinal; those of the same ordinal stay as they were.
func (s *sorter) byOrdinal(rows []Row, least uint32, width int) []uint32 {
	s.order, s.next = sized(s.order, len(rows)), sized(s.next, len(rows))
	order, next := s.order, s.next
	for i := range order {
		order[i] = uint32(i)
	}
	for shift := 0; shift < width; shift += digitBits {
		var ends [1<<digitBits + 1]uint32
		for i := range rows {
			ends[(rows[i].Ordinal-least)>>shift&(1<<digitBits-1)+1]++
		}
		for i := 1; i < len(ends); i++ {
			ends[i] += ends[i-1]
		}
		for _, at := range order {
			digit := (rows[at].Ordinal - least) >> shift & (1<<digitBits - 1)
			next[ends[digit]] = at
			ends[digit]++
		}
		order, next = next, order
	}
	return order
}

// insertedMax is how many rows of a visitor are sorted by insertion: most visitors have fewer, and
// their rows mostly come in order.
const insertedMax = 24

func sortRun(run []place) {
	if len(run) > insertedMax {
		slices.SortFunc(run, func(a, b place) int {
			if a.time != b.time {
				return cmp.Compare(a.time, b.time)
			}
			return cmp.Compare(a.seq, b.seq)
		})
		return
	}
	for i := 1; i < len(run); i++ {
		p, at := run[i], i
		for ; at > 0 && p.before(run[at-1]); at-- {
			run[at] = run[at-1]
		}
		run[at] = p
	}
}

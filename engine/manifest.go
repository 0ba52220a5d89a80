package engine

import (
	"encoding/binary"
	"errors"
	"slices"

	"millimetric/index"
	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// manifest says what of a project is sealed. It is one value, replaced as a whole by a synced batch:
// whatever step a crash stops, either the old manifest or the new one stands, and all that it names
// is whole.
//
//	version    1 byte  manifestPlain, or manifestErased where somebody was erased
//	next       uv  the least stamp that was never used
//	watermark  uv  all events up to this position are sealed, or gone
//	committed  uv  when that position was committed
//	ordinals   uv  the least that no visitor has
//	gone       uv  events up to the watermark that are in no segment any more: their time was over, or
//	               somebody was erased
//	days       uv  the retention window, 0 for ever
//	erased     uv  up to which time erasures are done; this and the next three only in manifestErased
//	taken      uv  when one of them took events last, 0 for never
//	least      uv  the least position that one took
//	rows       uv  how many of the events that are gone they took
//	segments   uv  how many; of each: stamp, bucket (sv), rows, least and greatest time (sv), least
//	               and greatest position, bytes of each part in the order of partNames; in
//	               manifestErased then the rows that are hidden: length (uv), a set
//	id runs, visitor runs, commit runs   uv  how many; of each: stamp, entries, latest (sv), pieces,
//	               first and last position (0 where they have none), bytes
type manifest struct {
	next      uint64
	watermark event.Seq
	committed event.Time
	ordinals  uint32
	gone      uint64
	days      int
	erasures  erasures
	segments  []segmentEntry
	runs      [runKinds][]runEntry
}

// erasures says what became of erasures in what is sealed.
type erasures struct {
	done  event.Time // all that the ledger has up to this time
	taken event.Time
	least event.Seq
	gone  uint64
}

// runKind is what a run holds.
type runKind int

const (
	runIDs runKind = iota
	runVisitors
	runCommits
	runKinds
)

const (
	manifestPlain  = 1
	manifestErased = 2
	// thingsMax bounds what a damaged manifest can make its reader allocate.
	thingsMax = 1 << 20
)

type segmentEntry struct {
	stamp            uint64
	bucket           int32
	rows             int
	minTime, maxTime event.Time
	minSeq, maxSeq   event.Seq
	parts            [parts]uint64 // bytes, encrypted
	hidden           bitmap.Set    // rows of erased persons, until the segment is written anew
}

type runEntry struct {
	stamp       uint64
	count       int
	latest      event.Time // of ids: when the latest of them arrived
	pieces      int
	first, last event.Seq
	bytes       uint64
}

func (s segmentEntry) name() uint64 { return s.stamp }
func (r runEntry) name() uint64     { return r.stamp }

// The parts of which a segment's bytes are counted apart.
const (
	partColumns = iota
	partBitmaps
	partRaw
	partDicts
	partHeader
	parts
)

var partNames = [parts]string{"columns", "bitmaps", "raw", "dictionaries", "headers"}

// bytes returns what a segment takes.
func (s *segmentEntry) bytes() (total uint64) {
	for _, n := range s.parts {
		total += n
	}
	return total
}

// allHidden reports whether nobody may see any row of it.
func (s *segmentEntry) allHidden() bool { return s.hidden.Count() == s.rows }

// events returns how many events the segments show.
func (m *manifest) events() (total uint64) {
	for i := range m.segments {
		total += uint64(m.segments[i].rows - m.segments[i].hidden.Count())
	}
	return total
}

// clone returns a copy whose lists can be changed.
func (m *manifest) clone() *manifest {
	next := *m
	next.segments = slices.Clone(m.segments)
	for kind := range next.runs {
		next.runs[kind] = slices.Clone(m.runs[kind])
	}
	return &next
}

// things lists all that the manifest names.
func (m *manifest) things(project event.Project) []thing {
	var all []thing
	for i := range m.segments {
		all = append(all, thing{project, m.segments[i].bucket, m.segments[i].stamp})
	}
	for kind := range m.runs {
		for i := range m.runs[kind] {
			all = append(all, thing{project, BucketSets, m.runs[kind][i].stamp})
		}
	}
	return all
}

func (m *manifest) append(dst []byte) []byte {
	version := byte(manifestPlain)
	head := []uint64{m.next, uint64(m.watermark), uint64(m.committed), uint64(m.ordinals), m.gone, uint64(m.days)}
	if m.erasures != (erasures{}) {
		version = manifestErased
		head = append(head, uint64(m.erasures.done), uint64(m.erasures.taken), uint64(m.erasures.least), m.erasures.gone)
	}
	dst = append(dst, version)
	for _, v := range append(head, uint64(len(m.segments))) {
		dst = binary.AppendUvarint(dst, v)
	}
	for i := range m.segments {
		s := &m.segments[i]
		dst = binary.AppendUvarint(dst, s.stamp)
		dst = binary.AppendVarint(dst, int64(s.bucket))
		dst = binary.AppendUvarint(dst, uint64(s.rows))
		dst = binary.AppendVarint(dst, int64(s.minTime))
		dst = binary.AppendVarint(dst, int64(s.maxTime))
		dst = binary.AppendUvarint(dst, uint64(s.minSeq))
		dst = binary.AppendUvarint(dst, uint64(s.maxSeq))
		for _, n := range s.parts {
			dst = binary.AppendUvarint(dst, n)
		}
		if version == manifestErased {
			set := s.hidden.Append(nil)
			dst = append(binary.AppendUvarint(dst, uint64(len(set))), set...)
		}
	}
	for kind := range m.runs {
		dst = binary.AppendUvarint(dst, uint64(len(m.runs[kind])))
		for _, r := range m.runs[kind] {
			dst = binary.AppendUvarint(dst, r.stamp)
			dst = binary.AppendUvarint(dst, uint64(r.count))
			dst = binary.AppendVarint(dst, int64(r.latest))
			for _, v := range []uint64{uint64(r.pieces), uint64(r.first), uint64(r.last), r.bytes} {
				dst = binary.AppendUvarint(dst, v)
			}
		}
	}
	return dst
}

// readManifest undoes append.
func readManifest(src []byte) (*manifest, error) {
	if len(src) == 0 || src[0] != manifestPlain && src[0] != manifestErased {
		return nil, errors.New("a manifest of an unknown version")
	}
	erased := src[0] == manifestErased
	r := &fields{rest: src[1:]}
	m := &manifest{
		next: r.uv(), watermark: event.Seq(r.uv()), committed: event.Time(r.uv()), ordinals: uint32(r.upTo(1<<32 - 1)),
		gone: r.uv(), days: int(r.upTo(RetentionDaysMax)),
	}
	if erased {
		m.erasures = erasures{event.Time(r.uv()), event.Time(r.uv()), event.Seq(r.uv()), r.uv()}
		r.bad = r.bad || m.erasures == erasures{} // it would have been written without
	}
	for range r.upTo(thingsMax) {
		s := segmentEntry{
			stamp: r.uv(), bucket: int32(r.sv()), rows: int(r.upTo(index.RowsMax)),
			minTime: event.Time(r.sv()), maxTime: event.Time(r.sv()), minSeq: event.Seq(r.uv()), maxSeq: event.Seq(r.uv()),
		}
		for i := range s.parts {
			s.parts[i] = r.uv()
		}
		if erased {
			s.hidden = r.set(s.rows)
		}
		if r.bad {
			break
		}
		m.segments = append(m.segments, s)
	}
	for kind := range m.runs {
		for range r.upTo(thingsMax) {
			e := runEntry{
				stamp: r.uv(), count: int(r.upTo(1 << 40)), latest: event.Time(r.sv()), pieces: int(r.upTo(1 << 32)),
				first: event.Seq(r.uv()), last: event.Seq(r.uv()), bytes: r.uv(),
			}
			if r.bad {
				break
			}
			m.runs[kind] = append(m.runs[kind], e)
		}
	}
	if r.bad || len(r.rest) != 0 {
		return nil, errors.New("a manifest that ends in the wrong place")
	}
	return m, nil
}

// fields reads varints one behind the other.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) uv() uint64 {
	v, n := binary.Uvarint(f.rest)
	return take(f, v, n)
}

func (f *fields) sv() int64 {
	v, n := binary.Varint(f.rest)
	return take(f, v, n)
}

// upTo reads what must not be greater than most.
func (f *fields) upTo(most uint64) uint64 {
	v := f.uv()
	if v > most {
		f.bad = true
		return 0
	}
	return v
}

// set reads a set of numbers below limit, behind its length.
func (f *fields) set(limit int) bitmap.Set {
	length := f.uv()
	if f.bad || length > uint64(len(f.rest)) {
		f.bad = true
		return bitmap.Set{}
	}
	set, err := bitmap.Parse(f.rest[:length], uint64(limit))
	f.rest, f.bad = f.rest[length:], err != nil
	return set
}

func take[T uint64 | int64](f *fields, v T, n int) T {
	if n <= 0 || f.bad {
		f.bad, f.rest = true, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

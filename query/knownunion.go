package query

import (
	"slices"
	"strconv"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// knownUnion is a growing union of visitors, most of whom are those of segments or of parts of them. These together
// the memo keeps: a month is the same one in each question about it.
type knownUnion struct {
	parts  []partVisitors
	others union
}

// partVisitors are visitors of a segment, or of its events with from <= Time < to.
type partVisitors struct {
	in       *sealed
	from, to event.Time
	sieve    string // tells which of them
	visitors bitmap.Set
}

// unionPartsMost bounds the sets that wait to be joined together, which the memo need not hold.
const unionPartsMost = 1024

func (u *knownUnion) add(part partVisitors) {
	if len(u.parts) == unionPartsMost {
		u.others.add(part.visitors)
		return
	}
	u.parts = append(u.parts, part)
}

// set returns what was added. kind says what sieves are about.
func (u *knownUnion) set(r *run, kind memoKind) bitmap.Set {
	known := u.known(r, kind)
	if len(u.others.sets) == 0 {
		return known
	}
	if len(u.parts) == 0 {
		return u.others.set()
	}
	return known.Or(u.others.set())
}

// count returns how many are in it.
func (u *knownUnion) count(r *run, kind memoKind) int64 {
	if len(u.parts) == 0 {
		return u.others.count()
	}
	all := union{sets: []bitmap.Set{u.known(r, kind)}}
	if len(u.others.sets) > 0 {
		all.sets = append(all.sets, u.others.set())
	}
	return all.count()
}

// wholeUnion is who is in a union, and, where these are the visitors of parts alone, of which.
type wholeUnion struct {
	visitors bitmap.Set
	parts    []keptPart
	first    *partVisitors // the first part; nil where others are in it, too, or nobody
}

// whole returns what was added. kind says what sieves are about.
func (u *knownUnion) whole(r *run, kind memoKind) wholeUnion {
	if len(u.others.sets) > 0 || len(u.parts) == 0 {
		return wholeUnion{visitors: u.set(r, kind)}
	}
	kept := u.kept(r, kind)
	return wholeUnion{kept.visitors, kept.parts, &u.parts[0]}
}

// known returns the union of the parts.
func (u *knownUnion) known(r *run, kind memoKind) bitmap.Set { return u.kept(r, kind).visitors }

// kept returns the union of the parts, which the memo keeps where they are several.
func (u *knownUnion) kept(r *run, kind memoKind) *keptUnion {
	sets := make([]bitmap.Set, len(u.parts))
	own := &keptUnion{parts: make([]keptPart, len(u.parts))}
	for i, part := range u.parts {
		sets[i] = part.visitors
		own.parts[i] = keptPart{weak.Make(part.in.original), part.from, part.to, part.sieve}
	}
	if len(sets) < 2 || r.common.Memo == nil {
		own.visitors = bitmap.Any(sets...)
		return own
	}
	first := &u.parts[0]
	key := r.memoKey(first.in, kind, first.name())
	key.number = len(sets)
	if kept, ok := r.common.Memo.get(key); ok && slices.Equal(kept.(*keptUnion).parts, own.parts) {
		return kept.(*keptUnion)
	}
	own.visitors = bitmap.Any(sets...)
	r.common.Memo.replace(key, own)
	return own
}

// name tells visitors of a segment from others of it.
func (p *partVisitors) name() string { return strconv.FormatInt(int64(p.from), 10) + " " + p.sieve }

// keptUnion is the union of the visitors of some parts.
type keptUnion struct {
	parts    []keptPart
	visitors bitmap.Set
}

// keptPart is of partVisitors what tells two of them apart. A part ends where its bucket does, and that depends on the
// zone, too.
type keptPart struct {
	segment  weak.Pointer[index.Segment]
	from, to event.Time
	sieve    string
}

// keptPartBytes is what one takes, but for its sieve.
const keptPartBytes = 40

func (u *keptUnion) bytes() int64 { return int64(u.visitors.Bytes()) + bytesOfParts(u.parts) }

func (u *keptUnion) about() []weak.Pointer[index.Segment] { return segmentsOf(nil, u.parts) }

func bytesOfParts(parts []keptPart) (bytes int64) {
	for i := range parts {
		bytes += keptPartBytes + int64(len(parts[i].sieve))
	}
	return bytes
}

// segmentsOf appends the segments of parts.
func segmentsOf(dst []weak.Pointer[index.Segment], parts []keptPart) []weak.Pointer[index.Segment] {
	for i := range parts {
		dst = append(dst, parts[i].segment)
	}
	return dst
}

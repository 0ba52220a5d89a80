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

// known returns the union of the parts.
func (u *knownUnion) known(r *run, kind memoKind) bitmap.Set {
	sets := make([]bitmap.Set, len(u.parts))
	own := &keptUnion{parts: make([]keptPart, len(u.parts))}
	for i, part := range u.parts {
		sets[i] = part.visitors
		own.parts[i] = keptPart{weak.Make(part.in.original), part.from, part.to, part.sieve}
	}
	if len(sets) < 2 || r.common.Memo == nil {
		return bitmap.Any(sets...)
	}
	first := &u.parts[0]
	key := r.memoKey(first.in, kind, strconv.FormatInt(int64(first.from), 10)+" "+first.sieve)
	key.number = len(sets)
	if kept, ok := r.common.Memo.get(key); ok && slices.Equal(kept.(*keptUnion).parts, own.parts) {
		return kept.(*keptUnion).visitors
	}
	own.visitors = bitmap.Any(sets...)
	r.common.Memo.replace(key, own)
	return own.visitors
}

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

func (u *keptUnion) bytes() int64 {
	const partBytes = 40
	bytes := int64(u.visitors.Bytes())
	for i := range u.parts {
		bytes += partBytes + int64(len(u.parts[i].sieve))
	}
	return bytes
}

func (u *keptUnion) about() []weak.Pointer[index.Segment] {
	list := make([]weak.Pointer[index.Segment], len(u.parts))
	for i := range u.parts {
		list[i] = u.parts[i].segment
	}
	return list
}

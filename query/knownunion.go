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
// the memo keeps: a week is the same one in each question about weeks.
type knownUnion struct {
	parts  []partVisitors
	others union
}

// partVisitors are visitors of a segment, or of a part of it from a time on.
type partVisitors struct {
	in       *sealed
	from     event.Time
	visitors bitmap.Set
}

func (u *knownUnion) add(part partVisitors) { u.parts = append(u.parts, part) }

// set returns what was added, of visitors with an event of a name.
func (u *knownUnion) set(r *run, name string) bitmap.Set {
	known := u.known(r, name)
	if len(u.others.sets) == 0 {
		return known
	}
	if len(u.parts) == 0 {
		return u.others.set()
	}
	return known.Or(u.others.set())
}

// known returns the union of the parts.
func (u *knownUnion) known(r *run, name string) bitmap.Set {
	sets := make([]bitmap.Set, len(u.parts))
	own := &keptUnion{parts: make([]keptPart, len(u.parts))}
	for i, part := range u.parts {
		sets[i], own.parts[i] = part.visitors, keptPart{weak.Make(part.in.original), part.from}
	}
	if len(sets) < 2 || r.common.Memo == nil {
		return bitmap.Any(sets...)
	}
	key := r.memoKey(u.parts[0].in, memoUnion, strconv.FormatInt(int64(u.parts[0].from), 10)+" "+name)
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

type keptPart struct {
	segment weak.Pointer[index.Segment]
	from    event.Time
}

func (u *keptUnion) bytes() int64 { return int64(16*len(u.parts) + u.visitors.Bytes()) }

func (u *keptUnion) about() []weak.Pointer[index.Segment] {
	list := make([]weak.Pointer[index.Segment], len(u.parts))
	for i := range u.parts {
		list[i] = u.parts[i].segment
	}
	return list
}

package query

import (
	"sync"

	"millimetric/index"
	"millimetric/index/event"
)

// unpacked is the memory of the columns that a view has unpacked.
//
// A walk over blocks has a view of each segment, in each worker, and hundreds of segments would come to more than the
// server may need. So what views take is lent by the allowance of questions, out of what tables leave of it. Where
// nothing is left, a view lets go of its memory as soon as the rows of a block are over, for the segment that comes
// next, and unpacks what it needs of the next block again. Tables come first: no question is refused for its views.
type unpacked struct {
	codes    [columnCount][]uint32
	flags    [flagCount][]uint32
	times    []event.Time
	seqs     []event.Seq
	sessions []uint32
	touches  []uint32
	counted  int64 // bytes that were lent for it
}

// unpackedPool keeps the memory from question to question: to get it anew, zeroed, took longer than to fill it.
var unpackedPool = sync.Pool{New: func() any { return &unpacked{} }}

func (u *unpacked) bytes() int64 {
	wide := cap(u.times) + cap(u.seqs)
	narrow := cap(u.sessions) + cap(u.touches)
	for _, codes := range u.codes {
		narrow += cap(codes)
	}
	for _, flags := range u.flags {
		narrow += cap(flags)
	}
	return 8*int64(wide) + 4*int64(narrow)
}

// room is what the allowance has lent to a worker: for views, and for what is kept of each segment until the question is
// answered, which grows with the segments as well.
type room struct {
	of    *Allowance // nil where nothing bounds views
	lent  int64
	spare *unpacked // that the view which needs it next takes; nil for none
}

// viewRoom returns the room of a worker's views.
func (r *run) viewRoom() *room {
	if r.room.of == nil && r.team != nil {
		r.room.of = r.team.share.of
	} else if r.room.of == nil {
		r.room.of = r.share.of
	}
	return &r.room
}

// take gives memory to a view that has none.
func (o *room) take() *unpacked {
	if u := o.spare; u != nil {
		o.spare = nil
		return u
	}
	u := unpackedPool.Get().(*unpacked)
	o.count(u)
	return u
}

// count has the allowance lend what the memory has grown by.
func (o *room) count(u *unpacked) {
	bytes := u.bytes()
	o.lend(bytes - u.counted)
	u.counted = bytes
}

func (o *room) lend(bytes int64) {
	o.lent += bytes
	o.of.lend(bytes)
}

// put takes memory back: one is kept for who comes next.
func (o *room) put(u *unpacked) {
	if o.spare == nil {
		o.spare = u
		return
	}
	o.lend(-u.counted)
	u.counted = 0
	unpackedPool.Put(u)
}

// release gives all back, when no view has anything any more.
func (o *room) release() {
	if o.spare != nil {
		o.spare.counted = 0
		unpackedPool.Put(o.spare)
		o.spare = nil
	}
	o.lend(-o.lent)
}

// chunkBytes is about what the columns of a chunk take that most questions unpack.
const chunkBytes = 40 * index.ChunkRows

// narrow tells whether a view should unpack as few rows as it can: memory for a chunk isn't to be had.
func (o *room) narrow(v *view) bool {
	more := int64(chunkBytes)
	if v.unpacked != nil {
		more = max(more-v.unpacked.counted, 0)
	} else if o.spare != nil {
		more = max(more-o.spare.counted, 0)
	}
	return o.of != nil && o.of.taken.Load()+more > o.of.most
}

// settle is called where the rows of a segment in a block are over; over says that there are no more behind.
func (v *view) settle(over bool) {
	if v.unpacked == nil {
		return
	}
	o := v.run.viewRoom()
	if v.grown {
		o.count(v.unpacked)
		v.grown = false
	}
	if over || o.of.tight() {
		v.letGo()
	}
}

// ease lets go of the views of walkers, which aren't in use, for as long as tables have taken their room.
func (w *blockWalk) ease() {
	of := w.r.viewRoom().of
	for ; w.eased < len(w.block.walkers) && of.tight(); w.eased++ {
		walker := w.block.walkers[w.eased]
		for _, v := range []*view{walker.view, walker.clock} {
			if v != nil {
				v.settle(true)
			}
		}
	}
}

// letGo gives back the view's memory. It must be turned before it is asked for anything else.
func (v *view) letGo() {
	v.run.viewRoom().put(v.unpacked)
	v.unpacked, v.rows, v.has = nil, 0, 0
}

package index

import "millimetric/index/event"

// draft is a segment that is being written. Build fills it from rows, Merge from the columns of other
// segments; what they write is the same to the byte where the rows are.
type draft struct {
	ordinals         []uint32 // of the visitors, rising
	starts           []uint32 // the first row of each, and the number of rows
	times, seqs      []uint64
	minTime, maxTime event.Time
	minSeq, maxSeq   event.Seq

	head         headWriter
	sets         [len(setColumns)]headWriter // noted while the codes of a column were at hand
	nameVisitors headWriter
}

func newDraft() draft {
	k := newPacker()
	d := draft{head: headWriter{packer: k}, nameVisitors: headWriter{packer: k}}
	for i := range d.sets {
		d.sets[i].packer = k
	}
	return d
}

// rowCount returns how many rows there are.
func (d *draft) rowCount() int { return int(d.starts[len(d.starts)-1]) }

// writeFacts writes the first record.
func (d *draft) writeFacts() {
	d.head.uv(uint64(d.rowCount()))
	d.head.uv(uint64(len(d.ordinals)))
	d.head.sv(int64(d.minTime))
	d.head.sv(int64(d.maxTime))
	d.head.uv(uint64(d.minSeq))
	d.head.uv(uint64(d.maxSeq))
}

// writeColumn writes column c of columnSpecs.
func (d *draft) writeColumn(c int, n *numbered) {
	spec := columnSpecs[c]
	codes, texts, isSorted := n.settle(spec.listed)
	d.writeCodes(&d.head, string(spec.name), codes, uint32(len(texts)), spec.cold)
	if isSorted {
		d.head.sorted(string(spec.name)+" texts", texts)
	} else {
		list := lister{packer: d.head.packer, kind: string(spec.name) + " texts", ids: true}
		for _, text := range texts {
			list.add(text)
		}
		list.write(&d.head)
	}
	d.noteSets(spec.name, codes, uint32(len(texts)))
}

// built makes the sections of all that was written.
func (d *draft) built() *Built {
	built := &Built{Sizes: map[string]int{}}
	built.Sections = frameSections(&d.head, built.Sizes)
	return built
}

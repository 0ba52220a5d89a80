package index

import (
	"cmp"
	"slices"
	"strings"
)

// The objects of most rows differ in their values only. So each is taken apart into a shape, which
// is the object without its values ({"plan":,"price":}), and values, of which the columns take what
// they may need while it is at hand. A row's shape is mostly that of the last row with the same
// event name: then comparing a few short texts replaces looking up each name.

// shapesMax is how many shapes are remembered; objects of more are taken apart anew each time.
const shapesMax = typedNamesMax

// shape is what objects have in common whose values alone differ.
type shape struct {
	text    string
	parts   []string // one before each value, and one behind the last
	members []*typed // by value; nil where none may become a column
}

// extent is where in an object a value stands.
type extent struct{ start, end int }

// objects takes the properties of all rows apart.
type objects struct {
	broken  bool // an object isn't compact JSON: nothing can be said of any
	known   numberer
	shapes  []*shape
	shapeOf []uint32 // by row; shapesMax: it isn't remembered
	likely  []uint32 // by the number of the event name: the shape seen last
	byName  map[string]*typed
	values  []extent // of the object at hand
	scratch []byte
	copies  bool // the objects given don't stay: what is kept of them is copied
	turn    turn // of columns that are new
}

// add takes apart the object of row i, whose event name has this number.
func (o *objects) add(i int, object string, name uint32) {
	if o.broken {
		return
	}
	for int(name) >= len(o.likely) {
		o.likely = append(o.likely, 0)
	}
	number := o.likely[name]
	var s *shape
	if int(number) < len(o.shapes) && o.fits(o.shapes[number], object) {
		s = o.shapes[number]
	} else if s, number = o.find(object); s == nil {
		o.broken = true
		return
	}
	o.likely[name], o.shapeOf[i] = number, number
	for k, t := range s.members {
		if t != nil {
			t.add(uint32(i), object[o.values[k].start:o.values[k].end])
		}
	}
}

// fits reports whether an object has a shape, and finds its values then.
func (o *objects) fits(s *shape, object string) bool {
	o.values = o.values[:0]
	last := len(s.parts) - 1
	at := 0
	for _, part := range s.parts[:last] {
		if !strings.HasPrefix(object[at:], part) {
			return false
		}
		if at += len(part); at == len(object) {
			return false
		}
		n := valueEnd(object[at : len(object)-1])
		if n <= 0 {
			return false
		}
		o.values = append(o.values, extent{at, at + n})
		at += n
	}
	return object[at:] == s.parts[last]
}

// find returns the shape of an object and its number, and finds its values; nil where it is none.
func (o *objects) find(object string) (*shape, uint32) {
	o.values, o.scratch = o.values[:0], o.scratch[:0]
	copied := 0
	if !walkObject(object, func(_ string, start, end int) bool {
		o.values = append(o.values, extent{start, end})
		o.scratch, copied = append(o.scratch, object[copied:start]...), end
		return true
	}) {
		return nil, 0
	}
	o.scratch = append(o.scratch, object[copied:]...)
	if len(o.shapes) == shapesMax {
		return o.newShape(object), shapesMax
	}
	number := o.known.numberBytes(o.scratch)
	if int(number) == len(o.shapes) {
		o.shapes = append(o.shapes, o.newShape(object))
	}
	return o.shapes[number], number
}

func (o *objects) newShape(object string) *shape {
	s := &shape{text: string(o.scratch)}
	copied := 0
	walkObject(object, func(name string, start, end int) bool {
		s.parts = append(s.parts, strings.Clone(object[copied:start]))
		copied = end
		t := o.column(name)
		if slices.Contains(s.members, t) {
			t = nil // the second of its name
		}
		s.members = append(s.members, t)
		return true
	})
	s.parts = append(s.parts, strings.Clone(object[copied:]))
	return s
}

// column returns the column that a property may become. A dot may lead into an object where the
// literal name is missing, which a column can't tell: such names have none.
func (o *objects) column(name string) *typed {
	t := o.byName[name]
	if t == nil && len(o.byName) < typedNamesMax && !strings.Contains(name, ".") {
		if o.byName == nil {
			o.byName = map[string]*typed{}
		}
		t = &typed{name: strings.Clone(name), turn: o.turn}
		t.written.copies = o.copies
		o.byName[t.name] = t
	}
	return t
}

// common returns the properties that enough rows have, the most common first.
func (o *objects) common(rows int) []*typed {
	if o.broken {
		return nil
	}
	var columns []*typed
	for _, t := range o.byName {
		if t.rowCount()*typedShare >= rows {
			columns = append(columns, t)
		}
	}
	slices.SortFunc(columns, moreCommon)
	return columns
}

// moreCommon orders columns by how many rows they have, then by name.
func moreCommon(a, z *typed) int {
	return cmp.Or(cmp.Compare(z.rowCount(), a.rowCount()), cmp.Compare(a.name, z.name))
}

// typedMost returns how many columns there may be where the options say most.
func typedMost(most int) int {
	if most == 0 {
		return typedColumnsMax
	}
	return max(most, 0)
}

// settle returns the properties that become columns, of which there may be so many at most.
func (o *objects) settle(rows, most int) []*typed {
	var columns []*typed
	common := o.common(rows)
	for _, t := range common[:min(len(common), most)] {
		if t.settle() {
			columns = append(columns, t)
		}
	}
	return columns
}

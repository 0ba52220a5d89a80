package index

import "slices"

// Where the rests of a source have codes, each is taken apart once: what it says in clear, and which
// columns of the source fill its holes. That tells for all rows with that rest which members their
// objects have, in which order, so no object is made. Names are met in the order of the rows that
// first have them, and every column gets its values in the order of the rows, as from objects.
//
// Where rests have no codes, objects are made and taken apart again: such rests are hardly ever the
// same. And a column whose values aren't all cut, or that the result hasn't, has them written into
// the rests row by row.

// restMerge merges the properties.
type restMerge struct {
	m       *merger
	objects objects
	sources []*restSource
	held    int // how many bytes the values of typed columns may take
	texts   arena
	buffer  []byte
}

// restSource is the properties of one source.
type restSource struct {
	segment *Segment
	dict    *Dict
	plans   []*mergePlan // by the code of a rest
	holes   map[string]*hole
	whole   *restReader // of objects, where rests have no codes
}

// mergePlan is a rest taken apart.
type mergePlan struct {
	members []mergeMember
	tail    string // what follows the last value
	rows    int
	decided bool // it is known what is left of objects of this rest
	varies  bool // that isn't the same for all rows
	rest    fixedRest
}

type mergeMember struct {
	part  string // what comes before the value: its name, and what is before that
	t     *typed // that the property may become
	cut   *int   // how many members of t a scan has passed; nil where t becomes no column
	hole  *hole
	value *written // where there is no hole
}

func (m *merger) writeMergedProperties(opt MergeOptions) error {
	w := &restMerge{m: m, objects: objects{copies: true}, held: opt.typedBytes}
	if w.held == 0 {
		w.held = max(typedBytes*m.rowCount(), typedBytesMin)
	}
	for _, s := range m.sources {
		source := &restSource{segment: s.segment, holes: map[string]*hole{}}
		if s.segment.rest.shape == restByRow {
			source.whole = s.segment.restReader(nil, &w.texts)
			if w.objects.shapeOf == nil {
				w.objects.shapeOf = make([]uint32, m.rowCount())
			}
		} else {
			source.dict = s.segment.dict(&s.segment.rest.store, false)
			source.plans = make([]*mergePlan, source.dict.Len())
		}
		w.sources = append(w.sources, source)
	}
	columns, err := w.columns(typedMost(opt.TypedMax))
	if err != nil {
		return err
	}
	m.head.uv(uint64(len(columns)))
	for _, c := range columns {
		m.head.join(&c.record)
	}
	return m.writeRest(func(out *rests) error { return w.rests(columns, out) })
}

// mergedColumn is a typed column of the result.
type mergedColumn struct {
	*typed
	fits   bool // it becomes one
	record headWriter
}

// columns makes the typed columns: it counts who has which property, then takes the values of as many
// columns at a time as may be held, the most common first. A column that gives up because of its
// values may turn out less common than it was counted, and others come before it.
func (w *restMerge) columns(most int) ([]mergedColumn, error) {
	if err := w.count(); err != nil {
		return nil, err
	}
	common := w.objects.common(w.m.rowCount())
	var done []mergedColumn
	for len(common) > 0 {
		sure := 0 // columns that will stay before all that are left
		for _, c := range done {
			if c.count > common[0].count {
				sure++
			}
		}
		if sure >= most {
			break
		}
		batch := 1
		for members := common[0].count; batch < len(common) && (members+common[batch].count)*memberBytes <= w.held; batch++ {
			members += common[batch].count
		}
		made, err := w.take(common[:batch])
		if err != nil {
			return nil, err
		}
		done, common = append(done, made...), common[batch:]
	}
	slices.SortFunc(done, func(a, z mergedColumn) int { return moreCommon(a.typed, z.typed) })
	return slices.DeleteFunc(done[:min(len(done), most)], func(c mergedColumn) bool { return !c.fits }), nil
}

const (
	// memberBytes is what a value of a typed column takes until it is written.
	memberBytes = 14
	// typedBytes is how many bytes for each row the values of typed columns may take together, and
	// typedBytesMin what they may always take: each time they don't fit is a pass over all rows.
	typedBytes    = 16
	typedBytesMin = 4 << 20
)

// count finds out which properties there are, and how many rows have each.
func (w *restMerge) count() error {
	w.objects.turn = turnCounts
	err := w.walk(func(_ *restSource, p *mergePlan, _, _ uint32) error {
		p.rows++
		return nil
	}, w.addObject, func() bool { return w.objects.broken })
	for _, s := range w.sources {
		for _, p := range s.plans {
			if p != nil {
				p.count()
			}
		}
	}
	for _, t := range w.objects.byName {
		t.turn = turnPasses
	}
	w.objects.turn = turnPasses
	return err
}

// count counts the rows of the plan as such that have its members.
func (p *mergePlan) count() {
	for _, member := range p.members {
		if member.t != nil {
			member.t.count += p.rows
		}
	}
}

// take takes the values of some columns and writes their records.
func (w *restMerge) take(columns []*typed) ([]mergedColumn, error) {
	for _, t := range columns {
		t.begin()
	}
	w.rewind()
	if err := w.walk(w.addPlan, w.addObject, func() bool { return false }); err != nil {
		return nil, err
	}
	made := make([]mergedColumn, len(columns))
	for i, t := range columns {
		made[i] = mergedColumn{typed: t, fits: t.settle(), record: headWriter{packer: w.m.head.packer}}
		if made[i].fits {
			made[i].record.property(t)
		}
		t.end()
	}
	return made, nil
}

// rewind makes another pass begin at the first row.
func (w *restMerge) rewind() {
	for _, s := range w.sources {
		for _, h := range s.holes {
			h.chunk = -1
		}
	}
}

// walk calls plan for rows whose rests have codes, object for the others, until enough returns true:
// with the row of the source and that of the result.
func (w *restMerge) walk(plan func(s *restSource, p *mergePlan, row, to uint32) error, object func(object string, to uint32) error, enough func() bool) error {
	none := &codeColumn{limit: 1, shape: shapeOne}
	column := func(s *Segment) *codeColumn {
		if s.rest.shape == restByRow {
			return none
		}
		return &s.rest.codes
	}
	return w.m.walk(column, func(source int, row, to uint32, codes []uint32) (err error) {
		s := w.sources[source]
		for i, code := range codes {
			if enough() {
				return nil
			}
			at := uint32(i)
			if s.whole != nil {
				var text string
				if text, err = s.whole.object(row+at, 0); err == nil {
					err = object(text, to+at)
				}
			} else {
				p := s.plans[code]
				if p == nil {
					p, err = w.plan(s, code)
				}
				if err == nil {
					err = plan(s, p, row+at, to+at)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// plan takes a rest apart.
func (w *restMerge) plan(s *restSource, code uint32) (*mergePlan, error) {
	rest, err := s.dict.At(code)
	if err != nil {
		return nil, err
	}
	p := &mergePlan{}
	copied := 0
	var filled []*hole
	whole := walkMembers(rest, len(s.segment.properties) > 0, func(name string, start, end int) bool {
		member := mergeMember{part: rest[copied:start], t: w.objects.column(name)}
		if slices.ContainsFunc(p.members, func(other mergeMember) bool { return other.t == member.t }) {
			member.t = nil // the second of its name
		}
		if copied = end; end > start {
			member.value = writtenOf(rest[start:end])
		} else if member.hole = s.hole(name); member.hole == nil || slices.Contains(filled, member.hole) {
			err = damaged("a rest lacks a property that has no column")
			return false
		} else {
			filled = append(filled, member.hole)
		}
		p.members = append(p.members, member)
		return true
	})
	if err != nil {
		return nil, err
	}
	if p.tail = rest[copied:]; !whole {
		if len(s.segment.properties) > 0 {
			return nil, damaged("a rest of %d bytes", len(rest))
		}
		w.objects.broken = true
		p.members, p.tail = nil, rest
	}
	s.plans[code] = p
	return p, nil
}

// hole returns the column that fills a hole, nil where the source has none.
func (s *restSource) hole(name string) *hole {
	h := s.holes[name]
	if p := s.segment.Property(name); h == nil && p != nil {
		h = newHole(p)
		s.holes[name] = h
	}
	return h
}

// addPlan adds the members of an object whose rest is taken apart to the columns.
func (w *restMerge) addPlan(_ *restSource, p *mergePlan, row, to uint32) error {
	for i := range p.members {
		member := &p.members[i]
		switch {
		case member.t == nil:
		case member.hole == nil:
			member.t.addWritten(to, member.value)
		default:
			if err := member.hole.addTo(member.t, row, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// addObject adds the members of an object to the columns.
func (w *restMerge) addObject(object string, to uint32) error {
	w.objects.add(int(to), object, uint32(w.m.hints[to]))
	return nil
}

// rests adds the objects of all rows without what the columns of the result hold.
func (w *restMerge) rests(columns []mergedColumn, out *rests) error {
	w.rewind()
	cuts := cuts{}
	for _, c := range columns {
		cuts[c.typed] = new(int)
	}
	cutters := make([]*cutter, len(w.objects.shapes))
	for _, s := range w.sources {
		for _, p := range s.plans {
			if p != nil {
				p.decided = false
			}
		}
	}
	return w.walk(func(_ *restSource, p *mergePlan, row, to uint32) error {
		if !p.decided {
			p.decide(cuts)
		}
		if !p.varies {
			out.addFixed(int(to), &p.rest)
			return nil
		}
		rest, err := p.append(w.buffer[:0], row)
		w.buffer = rest
		out.addBytes(int(to), rest)
		return err
	}, func(object string, to uint32) error {
		if len(columns) == 0 {
			out.addText(int(to), object)
		} else {
			w.objects.addRest(int(to), object, w.objects.cutterOf(int(to), cutters, cuts), cuts, out)
		}
		return nil
	}, out.full)
}

// decide finds out what is left of objects of this rest.
func (p *mergePlan) decide(cuts cuts) {
	p.decided, p.varies, p.rest = true, false, fixedRest{code: -1}
	var text []byte
	for i := range p.members {
		member := &p.members[i]
		member.cut = cuts[member.t]
		text = append(text, member.part...)
		switch cut := member.cut != nil; {
		case cut && !member.t.wholly, !cut && member.hole != nil:
			p.varies = true
		case !cut:
			text = append(text, member.value.text...)
		}
	}
	p.rest.text = string(append(text, p.tail...))
}

// append appends what is left of the object of a row of the source.
func (p *mergePlan) append(dst []byte, row uint32) (rest []byte, err error) {
	for i := range p.members {
		member := &p.members[i]
		dst = append(dst, member.part...)
		if member.cut != nil {
			cut := member.t.wholly || member.t.cut[*member.cut]
			*member.cut++
			if cut {
				continue
			}
		}
		if member.hole == nil {
			dst = append(dst, member.value.text...)
		} else if dst, err = member.hole.append(dst, row); err != nil {
			return nil, err
		}
	}
	return append(dst, p.tail...), nil
}

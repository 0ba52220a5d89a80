package index

import "slices"

// renumber gives the codes of a column new numbers, in the order of their first rows: number says
// which a code of a source gets. They are in m.merged afterwards.
func (m *merger) renumber(column func(s *Segment) *codeColumn, number func(source int, code uint32) (uint32, error)) error {
	known := m.remaps(func(s *Segment) int { return int(column(s).limit) })
	return m.walk(column, func(source int, _, to uint32, codes []uint32) (err error) {
		table, out := known[source], m.merged[to:int(to)+len(codes)]
		for i, c := range codes {
			n := table[c]
			if n == unset {
				if n, err = number(source, c); err != nil {
					return err
				}
				table[c] = n
			}
			out[i] = n
		}
		return nil
	})
}

// dicts returns a reader of each source's texts.
func (m *merger) dicts(store func(s *Segment) *textStore) []*Dict {
	all := make([]*Dict, len(m.sources))
	for i, s := range m.sources {
		own := store(s.segment)
		all[i] = s.segment.dict(own, own.kind == storeListed) // lists are asked in their order
	}
	return all
}

// writeMergedColumn writes column c of columnSpecs.
func (m *merger) writeMergedColumn(c int) error {
	name := columnSpecs[c].name
	dicts := m.dicts(func(s *Segment) *textStore { return &s.columns[name].store })
	merged := &numbered{codes: m.merged}
	err := m.renumber(func(s *Segment) *codeColumn { return &s.columns[name].codes }, func(source int, code uint32) (uint32, error) {
		text, err := dicts[source].At(code)
		return merged.number(text), err
	})
	if err == nil && c == nameColumn && m.makesObjects() {
		m.hints = make([]uint8, m.rowCount())
		for row, code := range m.merged {
			m.hints[row] = uint8(code)
		}
	}
	if err == nil {
		m.writeColumn(c, merged)
	}
	return err
}

// makesObjects reports whether the properties of some source must be read as objects.
func (m *merger) makesObjects() bool {
	return slices.ContainsFunc(m.sources, func(s *mergeSource) bool { return s.segment.rest.shape == restByRow })
}

func (m *merger) writeMergedTouches() error {
	var dicts [len(touchNames)][]*Dict
	tables := make([][len(touchNames)][]uint32, len(m.sources))
	for i := range touchNames {
		dicts[i] = m.dicts(func(s *Segment) *textStore { return &s.touches.stores[i] })
		for at, s := range m.sources {
			var err error
			if tables[at][i], err = s.segment.touchTable(i); err != nil {
				return err
			}
		}
	}
	merged := &touchNumbers{codes: m.merged}
	err := m.renumber(func(s *Segment) *codeColumn { return &s.touches.codes }, func(source int, code uint32) (uint32, error) {
		var t touch
		var take taker
		for i := range t {
			t[i] = take.text(dicts[i][source], tables[source][i][code])
		}
		return merged.number(t), take.err
	})
	if err == nil {
		m.writeTouches(merged)
	}
	return err
}

// writeFlags writes a column of 0 and 1.
func (m *merger) writeFlags(kind string, column func(s *Segment) *codeColumn) error {
	err := m.walk(column, func(_ int, _, to uint32, codes []uint32) error {
		copy(m.merged[to:], codes)
		return nil
	})
	if err == nil {
		m.writeCodes(&m.head, kind, m.merged, 2, false)
	}
	return err
}

// writeIDs writes the event ids, or one where all are equal.
func (m *merger) writeIDs() error {
	const kind = "event ids"
	same, first, begun := true, "", false
	err := m.eachID(func(d *Dict, at uint32) (bool, error) {
		id, err := d.At(at)
		if !begun {
			first, begun = id, true
		}
		same = id == first
		return same, err
	})
	if err != nil {
		return err
	}
	if same {
		m.head.sorted(kind, []string{first})
		return nil
	}
	list := lister{packer: m.head.packer, kind: kind, ids: true}
	if err := m.eachID(func(d *Dict, at uint32) (bool, error) { return true, d.addTo(&list, at) }); err != nil {
		return err
	}
	list.write(&m.head)
	return nil
}

// eachID calls yield with where the event id of each row is, until it returns false or an error.
func (m *merger) eachID(yield func(d *Dict, at uint32) (bool, error)) error {
	dicts := m.dicts(func(s *Segment) *textStore { return &s.ids })
	for _, part := range m.stretches {
		d := dicts[part.source]
		for row := part.from; row < part.to; row++ {
			if more, err := yield(d, rowOf(d, row)); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

package query

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"millimetric/index/event"
)

// groupByMax bounds the fields of one group_by: more of them make every row a group of its own.
const groupByMax = 16

// Dimension is a field by which visits or touches are grouped.
type Dimension struct {
	Name     string // as it was asked for, and as rows call it
	Kind     DimensionKind
	Column   event.Column // of DimensionColumn
	Property string       // of DimensionProperty
}

// DimensionKind says where the value of a dimension is read.
type DimensionKind byte

// The kinds of dimensions. All but the pages are read from one event of the visit: its entry, or
// its touch.
const (
	DimensionColumn DimensionKind = iota
	DimensionProperty
	DimensionHost         // the host of the URL
	DimensionReferrerHost // the host of the referrer
	DimensionEntryPath    // the path of the visit's first page view
	DimensionExitPath     // the path of the visit's last page view
)

const (
	nameHost         = "host"
	nameReferrerHost = "referrer_host"
	nameEntryPath    = "entry_path"
	nameExitPath     = "exit_path"
	entryPrefix      = "entry."
)

// dimensionColumns are the columns that visits and touches are grouped by.
func dimensionColumns() []event.Column {
	return append(plainColumns(), event.ColumnReferrer, event.ColumnSourceConfidence, event.ColumnSourceRule,
		event.ColumnUserID, event.ColumnAnonymousID, event.ColumnSessionID)
}

// dimensions reads a group_by. Beside the columns it takes hosts, properties and the pages given; a
// field of the entry may be spelt entry.<field> where entries is set.
func (r *reader) dimensions(name string, entries bool, pages ...string) []Dimension {
	list := r.list(name)
	if len(list) > groupByMax {
		r.errs.Add(name, "Must have at most "+strconv.Itoa(groupByMax)+" fields")
		return nil
	}
	dims := make([]Dimension, 0, len(list))
	for _, word := range list {
		d, ok := dimensionOf(word, entries, pages)
		switch {
		case !ok:
			r.refused = &event.Error{Kind: event.ErrInput, Code: codeInvalidGroupBy, Extra: map[string]any{"allowed": dimensionNames(entries, pages)}}
		case slices.ContainsFunc(dims, func(other Dimension) bool { return other.Name == word }):
			r.errs.Add(name, "Names "+shortName(word)+" twice")
		}
		dims = append(dims, d)
	}
	return dims
}

func dimensionOf(word string, entries bool, pages []string) (d Dimension, ok bool) {
	field, ofEntry := strings.CutPrefix(word, entryPrefix)
	d = Dimension{Name: word, Column: event.Column(field)}
	if ofEntry && !entries {
		return d, false
	}
	property, isProperty := strings.CutPrefix(field, propertyPrefix)
	switch {
	case isProperty:
		d.Kind, d.Property, d.Column = DimensionProperty, property, ""
		return d, property != "" && len(property) <= propertyNameMax
	case field == nameHost:
		d.Kind = DimensionHost
	case field == nameReferrerHost:
		d.Kind = DimensionReferrerHost
	case slices.Contains(pages, word):
		d.Kind = DimensionEntryPath
		if word == nameExitPath {
			d.Kind = DimensionExitPath
		}
	default:
		return d, slices.Contains(dimensionColumns(), d.Column)
	}
	d.Column = ""
	return d, true
}

func dimensionNames(entries bool, pages []string) []string {
	list := append(names(dimensionColumns()), nameHost, nameReferrerHost)
	list = append(append(list, pages...), propertyPrefix+"<name>")
	if entries {
		list = append(list, entryPrefix+"<field>")
	}
	return list
}

// reader returns what reads the dimension's key from an event, nil for pages. The key of a property is its
// JSON, spelt so that equal values have equal keys; all other keys are plain text. "" is missing.
func (d Dimension) reader() func(*scanRow) string {
	switch d.Kind {
	case DimensionColumn:
		read, ok := textColumn(d.Column)
		if !ok {
			panic("group by " + string(d.Column) + ", which is no text column")
		}
		return read
	case DimensionProperty:
		p := newPropertyReader(d.Property)
		var number decimal
		return func(e *scanRow) string { return propertyKey(p.of(e), &number) }
	case DimensionHost:
		return readHost
	case DimensionReferrerHost:
		return readReferrerHost
	}
	return nil
}

// coded is the column that has nothing but the key; noColumn where there is none.
func (d Dimension) coded() column {
	switch d.Kind {
	case DimensionColumn:
		return columnOf(d.Column)
	case DimensionReferrerHost:
		return colReferrer
	}
	return noColumn
}

// value is a key as answers show it.
func (d Dimension) value(key string) Value {
	if d.Kind == DimensionProperty && key != "" {
		return Value{text: key, kind: valueJSON}
	}
	return TextOrNull(key)
}

// compareKeys orders two keys of the dimension, missing ones last. Properties of different kinds stand
// apart: numbers, strings, true and false, then the rest.
func (d Dimension) compareKeys(a, b string) int {
	if a == b {
		return 0
	}
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a))
	}
	if d.Kind != DimensionProperty {
		return cmp.Compare(a, b)
	}
	kind := keyKind(a)
	if order := cmp.Compare(kind, keyKind(b)); order != 0 {
		return order
	}
	switch kind {
	case keyNumber:
		var x, y decimal
		x.read(a)
		y.read(b)
		return x.compare(&y)
	case keyText:
		x, _ := textOf([]byte(a))
		y, _ := textOf([]byte(b))
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

const (
	keyNumber = iota
	keyText
	keyOther
)

func keyKind(key string) int {
	switch key[0] {
	case '"':
		return keyText
	case 't', 'f', '[', '{':
		return keyOther
	}
	return keyNumber
}

// grouping gives dense numbers to the groups of visits. A visit's group is known only once its pages
// are, so it is numbered in two steps: fields of an event when that is seen, pages at the end.
type grouping struct {
	dims   []Dimension
	fields *groups
	whole  *numbering[wholeGroup]
}

type wholeGroup struct {
	fields      uint32
	entry, exit string // paths, where they are asked for
}

func newGrouping(dims []Dimension) *grouping {
	var columns []groupColumn
	for _, d := range dims {
		if read := d.reader(); read != nil {
			columns = append(columns, groupColumn{read: read, coded: d.coded()})
		}
	}
	return &grouping{dims: dims, fields: newGroupsOf(columns), whole: newNumbering[wholeGroup]()}
}

func (g *grouping) has(kind DimensionKind) bool {
	return slices.ContainsFunc(g.dims, func(d Dimension) bool { return d.Kind == kind })
}

// number returns the group of a visit with these fields and pages.
func (g *grouping) number(fields uint32, entry, exit string) uint32 {
	w := wholeGroup{fields: fields}
	if g.has(DimensionEntryPath) {
		w.entry = entry
	}
	if g.has(DimensionExitPath) {
		w.exit = exit
	}
	return g.whole.number(w)
}

// keys returns the keys of a group, one per dimension.
func (g *grouping) keys(group uint32) []string {
	w := g.whole.list[group]
	fields := g.fields.valuesOf(w.fields)
	keys := make([]string, 0, len(g.dims))
	for _, d := range g.dims {
		switch d.Kind {
		case DimensionEntryPath:
			keys = append(keys, w.entry)
		case DimensionExitPath:
			keys = append(keys, w.exit)
		default:
			keys = append(keys, fields[0])
			fields = fields[1:]
		}
	}
	return keys
}

func (g *grouping) compare(a, b []string) int {
	for i, d := range g.dims {
		if order := d.compareKeys(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

// row begins the row of a group.
func (g *grouping) row(row []Value, keys []string) []Value {
	for i, d := range g.dims {
		row = append(row, d.value(keys[i]))
	}
	return row
}

func (g *grouping) names() []string {
	list := make([]string, len(g.dims))
	for i, d := range g.dims {
		list[i] = d.Name
	}
	return list
}

func (g *grouping) size() int { return g.fields.size() + len(g.whole.list) }

package query

// touchKinds tells what touches events could be. In a segment it asks the codes, not the texts.
type touchKinds struct{ tables perSegment[touchTables] }

// touchTables are what the codes of a segment say about touches.
type touchTables struct {
	sources   []sourceKind // by code
	addresses [3]addressTable
}

// addressTable tells which code of a column means that there is no such part of an address.
type addressTable struct {
	column column
	none   uint32
	some   bool // all rows have it
}

// sourceKind is what a source means for touches.
type sourceKind byte

const (
	sourceOther sourceKind = iota
	sourceIsInternal
	sourceIsDirect
)

// touchKindOf tells what touch an event could be.
func touchKindOf(e *scanRow) touchKind {
	switch {
	case !e.hasAddress():
		return touchNone
	case e.text(colSource) == sourceInternal:
		return touchDropped
	case e.text(colSource) == sourceDirect && e.sessionDerived():
		return touchCut
	}
	return touchWanted
}

// of tells what touch an event could be.
func (k *touchKinds) of(e *scanRow) touchKind {
	if e.live != nil {
		return touchKindOf(e)
	}
	t := k.tablesOf(e.view)
	hasAddress := false
	for _, a := range t.addresses {
		hasAddress = hasAddress || a.some || e.view.codesOf(a.column)[e.at] != a.none
	}
	if !hasAddress && !e.view.flag(flagInURL, e.at) {
		return touchNone
	}
	switch t.sources[e.code(colSource)] {
	case sourceIsInternal:
		return touchDropped
	case sourceIsDirect:
		if e.sessionDerived() {
			return touchCut
		}
	}
	return touchWanted
}

func (k *touchKinds) tablesOf(v *view) *touchTables {
	t, found := k.tables.turn(v.sealed)
	if found {
		return t
	}
	for i, c := range []column{colReferrer, colSite, colRest} {
		none, found, err := v.sealed.column(c).dict.Find("")
		if err != nil {
			v.fail(err)
		}
		t.addresses[i] = addressTable{column: c, none: none, some: !found}
	}
	t.sources = make([]sourceKind, v.sealed.column(colSource).dict.Len())
	for code := range t.sources {
		switch v.textOf(colSource, uint32(code)) {
		case sourceInternal:
			t.sources[code] = sourceIsInternal
		case sourceDirect:
			t.sources[code] = sourceIsDirect
		}
	}
	return t
}

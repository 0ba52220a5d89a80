package query

import (
	"cmp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// What Stats groups by beside the columns of events.
const (
	columnHost         event.Column = "host"          // of the URL
	columnReferrerHost event.Column = "referrer_host" // of the referrer, where that is a URL
	columnProperties   event.Column = "properties.x"  // stands for all properties where columns are listed
)

// plainColumns are the columns of events that every question groups by.
func plainColumns() []event.Column {
	return []event.Column{
		event.ColumnName, event.ColumnSource, event.ColumnMedium, event.ColumnCampaign, event.ColumnCountry,
		event.ColumnDevice, event.ColumnBrowser, event.ColumnOS, event.ColumnPath,
	}
}

// groupColumns are the columns that Stats groups by.
func groupColumns() []event.Column {
	return append(plainColumns(), columnHost, columnReferrerHost, event.ColumnSessionID, event.ColumnUserID, columnProperties)
}

// propertyOf returns the name of the property that a column is, "" where it is none.
func propertyOf(column event.Column) string {
	name, isProperty := strings.CutPrefix(string(column), propertyPrefix)
	if !isProperty || len(name) > propertyNameMax {
		return ""
	}
	return name
}

// groupColumn is one column that events are grouped by. Values are text, "" where they are missing;
// those of properties are JSON in one form per value, so that 1 and 1.0 are one group and "1" is
// another.
type groupColumn struct {
	name     event.Column
	read     func(*scanRow) string
	coded    column // the column that has nothing but the value; noColumn where there is none
	property bool
}

func newGroupColumn(column event.Column) groupColumn {
	if name := propertyOf(column); name != "" {
		c := &canonical{reader: newPropertyReader(name)}
		return groupColumn{name: column, read: c.read, coded: noColumn, property: true}
	}
	switch column {
	case columnHost:
		return groupColumn{name: column, read: readHost, coded: noColumn}
	case columnReferrerHost:
		return groupColumn{name: column, read: readReferrerHost, coded: colReferrer}
	}
	read, ok := textColumn(column)
	if !ok {
		panic("group by " + string(column) + ", which is no text column")
	}
	return groupColumn{name: column, read: read, coded: columnOf(column)}
}

func readHost(e *scanRow) string         { return hostOf(e.url()) }
func readReferrerHost(e *scanRow) string { return hostOf(e.text(colReferrer)) }

func hostOf(address string) string {
	if address == "" {
		return ""
	}
	u, _ := event.SplitURL(address)
	return u.Host
}

func (c groupColumn) show(value string) Value {
	if c.property && value != "" {
		return Value{text: value, kind: valueJSON}
	}
	return TextOrNull(value)
}

// compare orders values: texts by bytes, numbers as numbers. Of properties, numbers come first,
// then texts, then false and true, then lists and objects by their text. Missing ones come last.
func (c groupColumn) compare(a, b string) int {
	switch {
	case a == "" || b == "":
		return cmp.Compare(bit(a == ""), bit(b == ""))
	case !c.property:
		return cmp.Compare(a, b)
	}
	if order := cmp.Compare(rankOfKind(a), rankOfKind(b)); order != 0 {
		return order
	}
	switch {
	case rankOfKind(a) == rankNumber:
		var x, y decimal
		x.read(a)
		y.read(b)
		return x.compare(&y)
	case a[0] == '"':
		x, _ := textOf(jsontext.Value(a))
		y, _ := textOf(jsontext.Value(b))
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

const rankNumber = 0

func rankOfKind(value string) int {
	switch value[0] {
	case '"':
		return 1
	case 'f', 't':
		return 2
	case '[', '{':
		return 3
	}
	return rankNumber
}

// canonical reads a property in the one form of its value. Numbers become plain decimals, strings
// lose escapes that they don't need; lists and objects stay as they were written.
type canonical struct {
	reader  *propertyReader
	scratch decimal
}

func (c *canonical) read(e *scanRow) string {
	value := c.reader.of(e)
	switch {
	case isMissing(value):
		return ""
	case value[0] == '"':
		if strings.IndexByte(value, '\\') < 0 {
			return value
		}
		text, _ := textOf(jsontext.Value(value))
		return string(appendText(nil, text))
	case rankOfKind(value) == rankNumber:
		return c.number(value)
	}
	return value
}

func (c *canonical) number(value string) string {
	if !strings.ContainsAny(value, ".eE") && value != "-0" {
		return value
	}
	c.scratch.read(value)
	return c.scratch.shortText()
}

// shortText spells the decimal out, or where that would take too many zeros, with an exponent.
func (d *decimal) shortText() string {
	if d.point <= numberPlacesMax && d.point >= -numberPlacesMax {
		return d.text()
	}
	scientific := *d
	scientific.point = 1
	return scientific.text() + "e" + Int(d.point-1).text
}

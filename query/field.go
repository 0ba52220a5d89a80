package query

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Field names one value of an event: a column, a part of one, or a property.
type Field struct {
	Name       string // as clients spell it; what stands after "first_touch.", if FirstTouch
	Property   string // the name after "properties."; "" for a column
	FirstTouch bool   // the value is that of the actor's first touch
}

// The fields that are no columns: parts of one, or another name for it.
const (
	fieldHost         = "host"          // of the url
	fieldReferrerHost = "referrer_host" // of the referrer
	fieldEntryPath    = "entry_path"    // of a touch: the path of its visit's first page view
)

const firstTouchPrefix = "first_touch."

// String spells the field as clients do.
func (f Field) String() string {
	if f.FirstTouch {
		return firstTouchPrefix + f.Name
	}
	return f.Name
}

// fieldOf finds the field of that name. touched says whether first touches are fields, too.
func fieldOf(name string, touched bool) (f Field, ok bool) {
	f.Name = name
	if rest, isTouch := strings.CutPrefix(name, firstTouchPrefix); isTouch && touched {
		f.Name, f.FirstTouch = rest, true
	}
	if property, is := strings.CutPrefix(f.Name, propertyPrefix); is {
		f.Property = property
		return f, property != "" && len(property) <= propertyNameMax
	}
	return f, (f.Name != fieldEntryPath || f.FirstTouch) && f.columnReader() != nil
}

// reader returns what reads the field of an event, "" where it is missing. Values that are the same
// have the same text. It is not safe for concurrent use.
func (f Field) reader() func(*scanRow) string {
	if f.Property == "" {
		return f.columnReader()
	}
	find := newPropertyReader(f.Property).of
	var number decimal
	return func(e *scanRow) string { return propertyKey(find(e), &number) }
}

func (f Field) columnReader() func(*scanRow) string {
	switch f.Name {
	case fieldHost:
		return readHost
	case fieldReferrerHost:
		return readReferrerHost
	case fieldEntryPath:
		return (*scanRow).path
	}
	read, ok := textColumn(event.Column(f.Name))
	if !ok {
		return nil
	}
	return read
}

// groupColumn is the field as a column to group by.
func (f Field) groupColumn() groupColumn {
	c := groupColumn{read: f.reader(), coded: noColumn}
	switch {
	case f.Property != "":
	case f.Name == fieldReferrerHost:
		c.coded = colReferrer
	case f.Name == fieldEntryPath:
		c.coded = colPath
	default:
		c.coded = columnOf(event.Column(f.Name))
	}
	return c
}

// propertyKey is the text of a property's JSON: strings are quoted in one way, numbers are written as
// the decimals that they are. Lists and objects are the same where their JSON is.
func propertyKey(value string, number *decimal) string {
	if isMissing(value) {
		return ""
	}
	switch value[0] {
	case '"':
		if strings.IndexByte(value, '\\') < 0 {
			return value
		}
		text, _ := jsontext.AppendUnquote(nil, value)
		return string(appendText(nil, string(text)))
	case 't', 'f', '[', '{':
		return value
	}
	number.read(value)
	return string(number.appendText(nil))
}

// value is what an answer shows of a text that reader returned.
func (f Field) value(text string) Value {
	if f.Property == "" || text == "" {
		return TextOrNull(text)
	}
	return Value{text: text, kind: valueJSON}
}

// compare orders texts that reader returned: missing ones last, columns by bytes, properties by kind
// (numbers, strings, false, true, the rest) and then as filters order them.
func (f Field) compare(a, b string) int { return groupColumn{property: f.Property != ""}.compare(a, b) }

package query

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Page says where an answer goes on after what earlier answers to the same question showed.
type Page struct {
	Skip int        // groups
	Time event.Time // of the last event shown, if Seq isn't 0
	Seq  event.Seq
	Now  event.Time // what the clock showed, where that matters; 0 for the clock of the position
}

// A cursor is a question and a page in one word: base64 of a checksum and of a JSON object
//
//	{"question":"stats","as_of":"17","skip":100,"time":0,"seq":0,"now":0,"params":{"limit":"100"},"fields":{}}
//
// whose params are fields that came as text of a URL, and fields those that came as JSON. The
// checksum also covers the project. It is no secret: who makes up a cursor has only asked a
// question. It tells cursors that were cut, mangled, or given by another project, whose positions
// are others.
const checksumBytes = 12

// cursorBytesMax bounds what is decoded; the question in it came as a body of at most a mebibyte.
const cursorBytesMax = 2 << 20

func checksum(project event.Project, content []byte) []byte {
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(project))
	sum := sha256.Sum256(append(number[:], content...))
	return sum[:checksumBytes]
}

// Cursor is the word with which the same question goes on at a page, as of a position.
func (c *Common) Cursor(asOf event.Seq, page Page) string {
	params, fields := []byte(`{`), []byte(`{`)
	for _, name := range slices.Sorted(maps.Keys(c.form.fields)) {
		if name == "project_id" || name == "project_slug" || name == "as_of" {
			continue
		}
		f := c.form.fields[name]
		switch {
		case f.json != nil:
			fields = append(appendName(fields, name), f.json...)
		case f.more != nil:
			fields = Texts(append([]string{f.text}, f.more...)).AppendJSON(appendName(fields, name))
		default:
			params = appendText(appendName(params, name), f.text)
		}
	}
	content := appendMembers([]byte(`{`), []Member{
		{"question", Text(c.name)}, {"as_of", Text(strconv.FormatUint(uint64(asOf), 10))}, {"skip", Int(int64(page.Skip))},
		{"time", Int(int64(page.Time))}, {"seq", Int(int64(page.Seq))}, {"now", Int(int64(c.pagesNow()))},
		{"params", Value{text: string(params) + "}", kind: valueJSON}}, {"fields", Value{text: string(fields) + "}", kind: valueJSON}},
	})
	return cursorWord(c.form.project, append(content, '}'))
}

// pagesNow is the clock of further pages: that of the first one, where the answer depends on it. Who answers
// such a question sets Now to what its clock shows.
func (c *Common) pagesNow() event.Time {
	if !c.clocked {
		return 0
	}
	return c.Now
}

func cursorWord(project event.Project, content []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(checksum(project, content), content...))
}

func appendName(object []byte, name string) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	return append(appendText(object, name), ':')
}

// resume returns the form of the question that a cursor in the form holds, and the page; the form
// itself where it has none. Who is asked may stand beside a cursor, and nothing else.
func (f Form) resume(name string) (Form, Page, error) {
	sent, ok := f.fields["cursor"]
	if !ok {
		return f.limited(), Page{}, nil
	}
	errs := event.FieldErrors{}
	for other := range f.fields {
		if other != "cursor" && other != "project_id" && other != "project_slug" {
			errs.Add(shortName(other), "Must not stand beside cursor, which holds the whole question")
		}
	}
	if len(errs) > 0 {
		return f, Page{}, refusal(errs)
	}
	text := sent.text
	if sent.json != nil {
		text, _ = textOf(sent.json)
	}
	held, page, ok := f.unpack(name, text)
	if !ok {
		return f, Page{}, event.InvalidField(event.CodeInvalidParams, "cursor", "Isn't one that an answer to this question of this project gave")
	}
	held.limit = f.limit
	return held.limited(), page, nil
}

// unpack reads a cursor. Once the checksum is right, so is the rest, unless someone made it up.
func (f Form) unpack(name, text string) (held Form, page Page, ok bool) {
	if len(text) > cursorBytesMax {
		return Form{}, Page{}, false
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(packed) < checksumBytes {
		return Form{}, Page{}, false
	}
	content := jsontext.Value(packed[checksumBytes:])
	if !bytes.Equal(checksum(f.project, content), packed[:checksumBytes]) || !content.IsValid() {
		return Form{}, Page{}, false
	}
	members, _ := membersOf(content)
	held = Form{fields: map[string]field{}, project: f.project}
	for _, m := range members {
		var number int64
		switch m.name {
		case "question":
			asked, _ := textOf(m.value)
			ok = asked == name
		case "as_of":
			held.fields["as_of"] = field{json: m.value}
		case "skip", "time", "seq", "now":
			if number, err = strconv.ParseInt(string(m.value), 10, 64); err != nil || number < 0 {
				return Form{}, Page{}, false
			}
			page.set(m.name, number)
		case "params", "fields":
			held.fill(m.value, m.name == "params")
		}
	}
	return held, page, ok
}

func (p *Page) set(name string, number int64) {
	switch name {
	case "skip":
		p.Skip = int(number)
	case "time":
		p.Time = event.Time(number)
	case "seq":
		p.Seq = event.Seq(number)
	case "now":
		p.Now = event.Time(number)
	}
}

// fill takes over the fields of a cursor.
func (f Form) fill(object jsontext.Value, params bool) {
	members, _ := membersOf(object)
	for _, m := range members {
		if text, isText := textOf(m.value); params && isText {
			f.fields[m.name] = field{text: text}
		} else if !params {
			f.fields[m.name] = field{json: m.value}
		}
	}
}

package query

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Actor says who is counted.
type Actor string

// The actors. The zero Actor is a visitor.
const (
	ActorVisitor Actor = "visitor"
	ActorUser    Actor = "user"
	ActorPerson  Actor = "person"
	ActorSession Actor = "session"
)

// Parse reads the question of that name, which is that of its path in the API. Everything that is wrong is
// reported at once, by field. A field that the question doesn't have is refused: a misspelt
// setting must not change an answer silently.
func Parse(name string, form Form) (Question, error) {
	form, page, err := form.resume(name)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(questions, func(q described) bool { return q.Name == name })
	if i < 0 {
		return nil, &event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound, Notes: []string{"There is no question of this name"}}
	}
	r := newReader(form)
	question := questions[i].parse(r)
	common := question.Settings()
	common.name, common.form, common.Page = name, form, page
	return question, r.finish()
}

// reader reads fields from a form, and keeps what is wrong with them and which of them it knows.
type reader struct {
	form  Form
	known map[string]bool
	errs  event.FieldErrors
	// refused outranks errs: an error with a code of its own.
	refused *event.Error
	// entries lets the question's filters ask about the entries of visits.
	entries bool
	// filtered counts the filters of the whole question, nested forms included.
	filtered *int
}

func newReader(form Form) *reader {
	return &reader{form: form, known: map[string]bool{}, errs: event.FieldErrors{}, filtered: new(int)}
}

// finish is the verdict over all that was read.
func (r *reader) finish() error {
	r.addUnknown()
	if r.refused != nil {
		return r.refused
	}
	return refusal(r.errs)
}

// addUnknown refuses the fields that nobody asked for.
func (r *reader) addUnknown() {
	for name := range r.form.fields {
		if !r.known[name] {
			r.errs.Add(shortName(name), "Unknown field")
		}
	}
}

// common reads what every question has.
func (r *reader) common() Common {
	zone := r.zone("tz")
	from := r.time("from", zone)
	to := r.time("to", zone)
	if len(r.errs) == 0 && from >= to {
		r.errs.Add("to", "Must be later than from")
	}
	c := r.commonButRange(zone)
	c.From, c.To = from, to
	return c
}

// commonButRange reads what every question has, for questions whose range follows from the clock.
func (r *reader) commonButRange(zone *time.Location) Common {
	c := Common{Zone: zone}
	c.IncludeBots = r.flag("include_bots")
	c.Explain = r.flag("explain")
	c.Actor = Actor(r.choice("actor", string(ActorVisitor), string(ActorUser), string(ActorPerson), string(ActorSession)))
	c.AsOf, c.Replay = r.position("as_of")
	c.Filters, c.filtersText = r.filters("filters", c.Zone)
	c.Format = r.format(FormatJSON, FormatCSV, FormatSVG)
	r.take("project_id") // who is asked was settled before the question was read
	r.take("project_slug")
	return c
}

func (r *reader) take(name string) (field, bool) {
	r.known[name] = true
	f, ok := r.form.fields[name]
	return f, ok
}

// text reads a field that must be text if it is there.
func (r *reader) text(name string) (string, bool) {
	f, ok := r.take(name)
	if !ok {
		return "", false
	}
	text := f.text
	if f.json != nil {
		if text, ok = textOf(f.json); !ok {
			r.errs.Add(name, "Expected a string")
			return "", false
		}
	}
	switch {
	case text == "":
		r.errs.Add(name, "Must not be empty")
	case len(text) > textBytesMax:
		r.errs.Add(name, "Too long")
	default:
		return text, true
	}
	return "", false
}

// match reads a parameter that asks for one value of a column, and adds it to matches.
func (r *reader) match(matches []Match, param string, column event.Column) []Match {
	if value, ok := r.text(param); ok {
		matches = append(matches, Match{Param: param, Column: column, Value: value})
	}
	return matches
}

// choice reads one of a few words; the first is the default.
func (r *reader) choice(name string, words ...string) string {
	text, ok := r.text(name)
	if !ok {
		return words[0]
	}
	if !slices.Contains(words, text) {
		r.errs.Add(name, "Must be one of: "+strings.Join(words, ", "))
	}
	return text
}

func (r *reader) flag(name string) bool {
	f, ok := r.take(name)
	if !ok {
		return false
	}
	switch {
	case f.json == nil && (f.text == "true" || f.text == "1"), f.json.Kind() == jsontext.KindTrue:
		return true
	case f.json == nil && (f.text == "false" || f.text == "0"), f.json.Kind() == jsontext.KindFalse:
		return false
	}
	r.errs.Add(name, "Must be true or false")
	return false
}

// limit reads a whole number from 1 to most.
func (r *reader) limit(name string, preset, most int) int {
	f, ok := r.take(name)
	if !ok {
		return preset
	}
	text := f.text
	if f.json != nil && f.json.Kind() == jsontext.KindNumber {
		text = string(f.json)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most || text[0] == '+' {
		r.errs.Add(name, "Must be a whole number from 1 to "+strconv.Itoa(most))
		return preset
	}
	return n
}

// position reads a position of the log: decimal digits, in JSON in quotes or without.
func (r *reader) position(name string) (event.Seq, bool) {
	f, ok := r.take(name)
	if !ok {
		return 0, false
	}
	text := f.text
	if f.json != nil {
		if text, ok = textOf(f.json); !ok {
			text = string(f.json)
		}
	}
	// ParseUint takes no sign, no space and no exponent.
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.errs.Add(name, "Must be a position: decimal digits")
		return 0, false
	}
	return event.Seq(n), true
}

// listMax bounds every list of names, before any is looked at: what takes fewer says so itself. Lists are searched
// for what comes twice.
const listMax = 256

// list reads a comma list, or in JSON a list of strings as well.
func (r *reader) list(name string) []string {
	f, ok := r.take(name)
	if !ok {
		return nil
	}
	elements, isList := elementsOf(f.json)
	var words []string
	if !isList {
		text, ok := r.text(name)
		if !ok {
			return nil
		}
		words = strings.Split(text, ",")
	}
	if len(elements) > listMax || len(words) > listMax {
		r.errs.Add(name, "Must have at most "+strconv.Itoa(listMax)+" elements")
		return nil
	}
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	for i, element := range elements {
		word, ok := textOf(element)
		if !ok {
			r.errs.Add(name+"."+strconv.Itoa(i), "Expected a string")
			return nil
		}
		words = append(words, word)
	}
	return words
}

// words reads values that were given one by one: a parameter that comes several times, or in JSON a
// string or a list of strings. No value is taken apart at commas.
func (r *reader) words(name string) (words []string, sent bool) {
	f, ok := r.take(name)
	if !ok {
		return nil, false
	}
	if f.json == nil {
		words = append([]string{f.text}, f.more...)
	} else if _, isList := elementsOf(f.json); isList {
		words = r.list(name)
	} else if word, ok := r.text(name); ok {
		words = []string{word}
	}
	for _, word := range words {
		if word == "" || len(word) > textBytesMax {
			r.errs.Add(name, "Must be names")
			break
		}
	}
	return words, true
}

func (r *reader) time(name string, zone *time.Location) event.Time {
	if _, sent := r.take(name); !sent {
		r.errs.Add(name, "Required")
		return 0
	}
	text, ok := r.text(name)
	if !ok {
		return 0
	}
	if len(text) > len("2026-05-01T00:00:00") && strings.LastIndexByte(text, ' ') > len("2026-05-01") {
		// A "+" that wasn't escaped in a URL arrives as a space; no other time has one there.
		at := strings.LastIndexByte(text, ' ')
		text = text[:at] + "+" + text[at+1:]
	}
	t, err := event.ParseTime(text, zone)
	if err != nil {
		r.errs.Add(name, err.Error())
	}
	return t
}

// zone reads the name of a time zone; UTC where there is none or it is wrong.
func (r *reader) zone(name string) *time.Location {
	text, ok := r.text(name)
	if !ok {
		return time.UTC
	}
	zone, err := time.LoadLocation(text)
	if err != nil || !isZoneName(text) {
		r.errs.Add(name, "Must be the IANA name of a time zone, such as Europe/Berlin")
		return time.UTC
	}
	return zone
}

// isZoneName tells names of zones from what else time.LoadLocation would open: the server's own
// zone ("Local"), and files beside the zones (posixrules, right/…), which differ from host to host.
func isZoneName(text string) bool {
	if text == "Local" || text == "Factory" || len(text) > fieldNameMax {
		return false
	}
	for part := range strings.SplitSeq(text, "/") {
		if part == "" || part[0] < 'A' || part[0] > 'Z' {
			return false
		}
		for _, c := range []byte(part) {
			letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
			if !letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '+' {
				return false
			}
		}
	}
	return true
}

package privacy

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Properties takes personal data out of the properties of events. It remembers the names that it has
// judged, since the same ones come with every event. Its zero value is ready; it is not safe for
// concurrent use.
type Properties struct {
	rules map[string]judged // by the name as it was written
	near  [nearRules]judged // those asked for last, by marks of their names

	raw     string
	cuts    []cut
	options PropertyOptions
	found   func(Finding) // told of all that goes; nil where nobody asks
}

// PropertyOptions say what goes.
type PropertyOptions struct {
	Allowed []string // properties that stay whatever they hold, at every depth
	Person  bool     // the properties are about a person: a "name" is theirs, not a product's
	// Private takes out, too, by what a visitor would be known again who asked not to be: ids of clicks
	// and of persons, and what a script adds by itself about the device.
	Private bool
}

// judged is a name, in memory of its own, and its rule.
type judged struct {
	name string
	rule rule
}

// cut is a stretch of the text that goes, and what takes its place.
type cut struct {
	from, to int
	by       string
}

// rulesMax bounds the names that are remembered. Beyond it all are forgotten: those that recur come
// back at once.
const rulesMax = 4096

// nearRules is how many names are known without a look into the map: more than most events have.
const nearRules = 64

// nameBytesMax keeps names that are texts, which seldom recur, from filling the memory.
const nameBytesMax = 128

// Strip returns a valid JSON object without the personal data in it. All else stays byte for byte.
//
//  1. A member goes whose name gives it away, or whose name or value shows personal data.
//  2. A value that is a link is stripped as a URL is, and stays.
//  3. In a list, "redacted" takes the place of an element, so that the others keep theirs.
//
// Where nothing goes, nothing is copied.
func (p *Properties) Strip(raw string, options PropertyOptions) string {
	p.raw, p.options, p.cuts = raw, options, p.cuts[:0]
	p.object(p.blank(0))
	p.raw, p.options = "", PropertyOptions{}
	if len(p.cuts) == 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	at := 0
	for _, c := range p.cuts {
		b.WriteString(raw[at:c.from])
		b.WriteString(c.by)
		at = c.to
	}
	b.WriteString(raw[at:])
	clear(p.cuts)
	return b.String()
}

// FindProperties returns what Strip takes out.
func FindProperties(raw string, options PropertyOptions) (found []Finding) {
	p := Properties{found: func(f Finding) { found = append(found, f) }}
	p.Strip(raw, options)
	return found
}

// object walks the members of the object that begins at a place, and returns where it ends. Its text is
// known to be valid.
func (p *Properties) object(at int) (end int) {
	kept, last := false, 0 // whether a member before stays, and where the one before ends
	at = p.blank(at + 1)
	for p.raw[at] != '}' {
		start := at
		at = p.stringEnd(at)
		name := p.raw[start+1 : at-1]
		at = p.blank(p.blank(at) + 1) // over the colon
		value := at
		var goes bool
		at, goes = p.member(name, at)
		next := p.blank(at)
		if p.raw[next] == ',' {
			next = p.blank(next + 1)
		}
		switch {
		case !goes:
			kept = true
		case kept:
			p.cuts = append(p.cuts, cut{from: last, to: at}) // with the comma before it
		default:
			p.cuts = append(p.cuts, cut{from: start, to: next}) // with the comma behind it
		}
		if goes {
			p.tell(name, p.raw[value:at])
		}
		last, at = at, next
	}
	return at + 1
}

// member judges one member, and returns where its value ends.
func (p *Properties) member(name string, at int) (end int, goes bool) {
	if p.options.Allowed != nil && allows(p.options.Allowed, unquoted(name)) {
		return p.valueEnd(at), false
	}
	r := p.ruleOf(name)
	switch c := p.raw[at]; c {
	case 't', 'f', 'n':
		return p.valueEnd(at), r == named
	case '{', '[':
		if r == always || r == named {
			return p.valueEnd(at), true
		}
		if c == '{' {
			return p.object(at), false
		}
		return p.list(name, r, at), false
	}
	return p.leaf(name, r, at)
}

// list walks the elements of a list. The rule of its name is theirs.
func (p *Properties) list(name string, r rule, at int) (end int) {
	at = p.blank(at + 1)
	for p.raw[at] != ']' {
		start, goes := at, false
		switch p.raw[at] {
		case '{':
			at = p.object(at)
		case '[':
			at = p.list(name, r, at)
		case 't', 'f', 'n':
			at = p.valueEnd(at)
		default:
			at, goes = p.leaf(name, r, at)
		}
		if goes {
			p.cuts = append(p.cuts, cut{from: start, to: at, by: `"` + Redacted + `"`})
			p.tell(name, p.raw[start:at])
		}
		if at = p.blank(at); p.raw[at] == ',' {
			at = p.blank(at + 1)
		}
	}
	return at + 1
}

const (
	// cardDigitsMin is how many digits the number of a card has at least.
	cardDigitsMin = 13
	// tellingDigits is from how many digits on a whole number may be somebody's.
	tellingDigits = 4
)

// leaf judges a string or a number.
func (p *Properties) leaf(name string, r rule, at int) (end int, goes bool) {
	end = p.valueEnd(at)
	text := p.raw[at:end]
	if text[0] != '"' {
		return end, r == named || r != 0 && isTelling(text) && holdsFor(r, text) || len(text) >= cardDigitsMin && holdsCard(text)
	}
	text = unquoted(text[1 : len(text)-1])
	if text == "" {
		return end, false // tells nothing
	}
	if r == named || holdsFor(r, text) {
		return end, true
	}
	seen, digits := look(text)
	if text[0] == '/' || seen&sawColon != 0 && strings.Contains(text, "://") {
		return end, p.link(text, at, end)
	}
	if (seen&sawMark != 0 || digits >= phoneDigitsMin || strings.Contains(text, "eyJ")) && personalValue(text) {
		return end, true
	}
	return end, seen&(sawOther|sawMark) == 0 && isAddress(text) && !isVersionName(name)
}

// What a look at the bytes of a text shows.
const (
	sawMark  = 1 << iota // without one of "@%=" and without many digits, nearly nothing is personal
	sawColon             // as in a URL
	sawOther             // a byte that no address has
)

// phoneDigitsMin is how many digits the shortest of all that is told by digits has: a phone's number.
const phoneDigitsMin = 8

// look looks at each byte once: for nearly all texts that is enough to let them pass.
func look(text string) (seen, digits int) {
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			digits++
		case c == ':':
			seen |= sawColon
		case c == '@' || c == '%' || c == '=':
			seen |= sawMark
		case c|0x20 >= 'a' && c|0x20 <= 'f' || c == '.' || c == '[' || c == ']':
		default:
			seen |= sawOther
		}
	}
	return seen, digits
}

// isTelling reports whether a number is more than a count, a price or a flag.
func isTelling(number string) bool {
	return len(number) >= tellingDigits && !strings.ContainsAny(number, ".eE")
}

// link strips a value that is a URL or a path. The member stays, unless it names no place but says who.
func (p *Properties) link(text string, at, end int) (goes bool) {
	clean := StripURL(text, p.options.Allowed...)
	if p.options.Private {
		clean = StripClicks(clean)
	}
	if clean == text {
		return false
	}
	if strings.IndexByte(text, ' ') >= 0 {
		return true // a sentence with a link in it
	}
	quoted, err := jsontext.AppendQuote(nil, clean)
	if err != nil {
		return true
	}
	p.cuts = append(p.cuts, cut{from: at, to: end, by: string(quoted)})
	if p.found != nil {
		for _, f := range FindURL(text, p.options.Allowed...) {
			p.found(f)
		}
	}
	return false
}

func (p *Properties) tell(name, value string) {
	if p.found != nil {
		p.found(findingOf(unquoted(name), unquoted(strings.Trim(value, `"`))))
	}
}

// ruleOf judges a name as it was written.
func (p *Properties) ruleOf(name string) rule {
	r := p.knownRule(name)
	if p.options.Person && r == 0 && strings.EqualFold(name, "name") {
		return always
	}
	if p.options.Private && tellsVisitor(unquoted(name)) {
		return named
	}
	return r
}

// knownRule is propertyRule for a name as it was written.
func (p *Properties) knownRule(name string) rule {
	if name == "" || len(name) > nameBytesMax {
		return propertyRule(unquoted(name))
	}
	near := &p.near[(len(name)*31+int(name[0])*7+int(name[len(name)-1]))%nearRules]
	if near.name == name {
		return near.rule
	}
	j, known := p.rules[name]
	if !known {
		r := propertyRule(unquoted(name))
		if r == named {
			return r // it may say who somebody is
		}
		if p.rules == nil || len(p.rules) >= rulesMax {
			p.rules = map[string]judged{}
		}
		j = judged{strings.Clone(name), r}
		p.rules[j.name] = j
	}
	*near = j
	return j.rule
}

// propertyRule says when a property of that name is taken out. Products, plans and lists have a "name" as
// well: among properties, the word alone tells nothing.
func propertyRule(name string) rule {
	if personalValue(name) {
		return named
	}
	if isCampaignName(strings.TrimPrefix(name, "$")) {
		return 0
	}
	var first, second [96]byte
	spaced, compact := splitName(first[:0], second[:0], name)
	if string(compact) == "name" {
		return 0
	}
	return nameRule(string(spaced), string(compact))
}

// persons are words before an "id" that make it somebody's.
var persons = set("user visitor customer client member account device session person distinct anonymous profile fingerprint contact lead")

// tellsVisitor reports whether a property would let a visitor be known again.
func tellsVisitor(name string) bool {
	plain, automatic := strings.CutPrefix(name, "$")
	if len(plain) >= 4 && strings.EqualFold(plain[:4], "utm_") {
		return false
	}
	if automatic || IsClickID(plain) {
		return true
	}
	spaced, compact := splitName(nil, nil, name)
	rest, last := lastWord(string(spaced))
	if last == "id" {
		_, before := lastWord(rest)
		return persons[before]
	}
	owner, found := strings.CutSuffix(string(compact), "id")
	return found && persons[owner]
}

package privacy

import "strings"

// Kind says what a piece of personal data is.
type Kind string

// The kinds of findings.
const (
	KindEmail   Kind = "email"
	KindPhone   Kind = "phone"
	KindCard    Kind = "card"
	KindIBAN    Kind = "iban"
	KindToken   Kind = "token"   // a JSON web token
	KindAddress Kind = "address" // an IP address
	KindUser    Kind = "user"    // user information before a URL's host
	KindName    Kind = "name"    // the name of the parameter or property gives it away
)

// Finding is a piece of personal data that is taken out.
type Finding struct {
	Kind Kind
	Name string // of the parameter or the property, "" where it has none or the name itself is personal
	// Example is the value, with all that tells who it is covered up.
	Example string
}

// FindURL returns what StripURL takes out.
func FindURL(raw string, allowed ...string) (found []Finding) {
	s := stripper{raw: raw, allowed: allowed, found: func(f Finding) { found = append(found, f) }}
	s.url()
	return found
}

// findingOf says what a value is that goes.
func findingOf(name, value string) Finding {
	f := Finding{Kind: KindName, Name: name, Example: mask(value)}
	for _, test := range []struct {
		kind  Kind
		holds func(string) bool
	}{
		{KindEmail, holdsEmail}, {KindToken, holdsToken}, {KindCard, holdsCard}, {KindIBAN, isIBAN},
		{KindPhone, func(text string) bool { return isPhone(strings.TrimPrefix(text, "tel:")) || holdsPhone(text) }},
		{KindAddress, isAddress},
	} {
		if anyDecoding(value, test.holds) {
			f.Kind = test.kind
			break
		}
	}
	if personalValue(name) {
		f.Name = ""
	}
	return f
}

// maskShownMax is how many bytes a masked example has at most.
const maskShownMax = 40

// mask covers up letters and digits but the first, so that what remains shows the form alone.
func mask(text string) string {
	var b strings.Builder
	shown := len(text) <= 4 // of which the first would be too much
	for _, r := range text {
		if b.Len() >= maskShownMax {
			b.WriteString("…")
			break
		}
		switch {
		case r < 0x80 && !isWordByte(byte(r)):
			if r < ' ' {
				r = ' '
			}
			b.WriteRune(r)
		case !shown && r < 0x80:
			shown = true
			b.WriteRune(r)
		default:
			b.WriteByte('*')
		}
	}
	return b.String()
}

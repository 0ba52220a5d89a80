package classify

import (
	"strings"

	"millimetric/index/event"
)

// parameters is what a page's query says about the click that led there.
type parameters struct {
	gclid, msclkid, ttclid, liFatID, fbclid bool

	source, medium string // utm_source and utm_medium, trimmed and in lower case
	campaign       string // utm_campaign as it was sent
}

func readParameters(query string) parameters {
	var p parameters
	for name, value := range event.Params(query) {
		// A blank value is no signal: templates leave "gclid=" behind on links that nobody bought.
		if strings.TrimSpace(value) == "" {
			continue
		}
		switch name {
		case "gclid", "gbraid", "wbraid", "dclid":
			p.gclid = true
		case "msclkid":
			p.msclkid = true
		case "ttclid":
			p.ttclid = true
		case "li_fat_id":
			p.liFatID = true
		case "fbclid":
			p.fbclid = true
		case "utm_source":
			p.source = or(p.source, tidy(value))
		case "utm_medium":
			p.medium = or(p.medium, tidy(value))
		case "utm_campaign":
			p.campaign = or(p.campaign, valid(value))
		}
	}
	return p
}

func tidy(value string) string { return strings.ToLower(valid(strings.TrimSpace(value))) }

// valid replaces what isn't UTF-8. Escaped bytes can be anything, and an answer in JSON can't.
func valid(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }

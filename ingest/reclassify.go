package ingest

import (
	"strings"

	"millimetric/ingest/classify"
	"millimetric/ingest/privacy"
)

// RulesVersion is that of the rules by which events come to their sources.
const RulesVersion = classify.RulesVersion

// Touch says where a visit came from, as an event keeps it.
type Touch struct {
	Source, Medium, Campaign string
	Confidence, Rule         string
}

// Reclassify says where an event that is kept came from by today's rules; internalHosts are the site's further
// hosts. It sees the URL and the referrer as they are kept. What was taken out of them before that, because it
// was personal or the visitor asked for it, can't speak again: where it alone told the source, that stays.
func Reclassify(internalHosts []string, url, referrer string, now Touch) Touch {
	found := classify.Classify(classify.Input{URL: url, Referrer: referrer, InternalHosts: internalHosts})
	then := Touch{
		Source: label(found.Source), Medium: label(found.Medium), Campaign: label(found.Campaign),
		Confidence: found.Confidence, Rule: found.Rule,
	}
	switch {
	case toldByClick(now.Rule) && !toldByClick(then.Rule) && !holdsClick(url):
		return now
	case now.Campaign != "" && then.Campaign == "", now.Source == privacy.Redacted, now.Medium == privacy.Redacted:
		return now
	}
	return then
}

// toldByClick reports whether a rule needs the id of a click.
func toldByClick(rule string) bool {
	switch rule {
	case "gclid", "msclkid", "ttclid", "li_fat_id", "fb_ad_redirect", "fbclid_utm", "fbclid_only":
		return true
	}
	return false
}

// holdsClick reports whether the id of a click is left in a URL.
func holdsClick(url string) bool {
	for _, id := range [...]string{"gclid=", "gbraid=", "wbraid=", "dclid=", "msclkid=", "ttclid=", "li_fat_id=", "fbclid="} {
		if strings.Contains(url, id) {
			return true
		}
	}
	return false
}

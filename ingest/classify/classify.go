// Package classify says where a visit came from: source, medium and campaign, out of nothing but
// the page's URL and the referrer.
//
// It is a fixed, ordered list of rules of which the first that matches decides: ad click ids, then
// campaign parameters, then the referrer. The same input always gives the same answer, so history
// can be classified again when the rules change; RulesVersion says that they did.
//
// Only the parameters of the query count, under their exact lower-case names, unescaped. A blank
// parameter is as if it weren't there, and of several with one name the first counts. Hosts are
// compared in lower case and in their ASCII form ("xn--…").
//
// It strips nothing: that is privacy's work, before anything is stored. It starts no goroutines,
// knows no clock and touches no disk; the lists of hosts are compiled in.
package classify

import "millimetric/index/event"

// RulesVersion is raised with every change of the rules or of the lists of hosts that can change an
// answer, so that stored events can be told from those that today's rules would give.
const RulesVersion = 1

// Input is what is known of a page view. The site's own host is taken from URL.
type Input struct {
	URL      string
	Referrer string
	// InternalHosts are the project's own further hosts; each stands for its subdomains too.
	InternalHosts []string
}

// Result is where a visit came from. All but Campaign are always given. The strings may share
// memory with the input's.
type Result struct {
	Source     string
	Medium     string
	Campaign   string // utm_campaign as it was sent, whichever rule decided
	Confidence string // high, medium or low
	Rule       string // which rule decided
}

const (
	high   = "high"
	medium = "medium"
	low    = "low"

	paid    = "paid"
	unknown = "unknown"
)

// Classify finds the first rule that matches.
func Classify(in Input) Result {
	page, _ := event.SplitURL(in.URL)
	p := readParameters(page.Query)
	from := readReferrer(in.Referrer)

	result, ok := byClick(p, from)
	if !ok {
		result, ok = byCampaign(p)
	}
	if !ok {
		result = byReferrer(from, asciiHost(page.Host), in.InternalHosts)
	}
	result.Campaign = p.campaign
	return result
}

// byClick holds the rules about the ids that ad networks add to a click.
func byClick(p parameters, from referrer) (Result, bool) {
	switch {
	case p.gclid:
		return Result{Source: "google", Medium: paid, Confidence: high, Rule: "gclid"}, true
	case p.msclkid:
		return Result{Source: "bing", Medium: paid, Confidence: high, Rule: "msclkid"}, true
	case p.ttclid:
		return Result{Source: "tiktok", Medium: paid, Confidence: high, Rule: "ttclid"}, true
	case p.liFatID:
		return Result{Source: "linkedin", Medium: paid, Confidence: high, Rule: "li_fat_id"}, true
	case p.fbclid && (under(from.host, "l.facebook.com") || under(from.host, "lm.facebook.com")):
		return Result{Source: "facebook", Medium: paid, Confidence: high, Rule: "fb_ad_redirect"}, true
	}
	return Result{}, false
}

// byCampaign holds the rules about utm parameters. A bare fbclid stands among them because it
// counts only where no utm_source says otherwise: Facebook adds it to unpaid links as well.
func byCampaign(p parameters) (Result, bool) {
	meta := metaNetwork(p.source)
	bought := isPaid(p.medium)
	switch {
	case p.fbclid && meta != "":
		return Result{Source: meta, Medium: paid, Confidence: high, Rule: "fbclid_utm"}, true
	case bought && meta == "facebook":
		return Result{Source: meta, Medium: paid, Confidence: high, Rule: "paid_utm_facebook"}, true
	case bought && meta == "instagram":
		return Result{Source: meta, Medium: paid, Confidence: high, Rule: "paid_utm_instagram"}, true
	case bought && p.source != "":
		return Result{Source: p.source, Medium: paid, Confidence: high, Rule: "paid_utm"}, true
	case bought:
		return Result{Source: unknown, Medium: paid, Confidence: medium, Rule: "paid_utm_no_source"}, true
	case p.fbclid && p.source == "":
		return Result{Source: "facebook", Medium: paid, Confidence: medium, Rule: "fbclid_only"}, true
	case p.source != "" || p.medium != "" || p.campaign != "":
		return Result{Source: or(p.source, unknown), Medium: or(p.medium, unknown), Confidence: high, Rule: "utm"}, true
	}
	return Result{}, false
}

// byReferrer holds the rules about the page before. One of them always matches.
func byReferrer(from referrer, own string, internal []string) Result {
	if from.host == "" {
		return Result{Source: "direct", Medium: "direct", Confidence: high, Rule: "direct"}
	}
	if isInternal(from.host, own, internal) {
		return Result{Source: "internal", Medium: "direct", Confidence: high, Rule: "internal"}
	}
	result := Result{Source: from.site.source, Medium: from.site.medium, Confidence: medium}
	switch from.site.medium {
	case mediumSocial:
		result.Rule = socialRule(from.site.source)
	case mediumAI:
		result.Rule = "ref_ai"
	case mediumOrganic:
		result.Rule = "ref_search"
	case mediumEmail:
		result.Rule = "ref_email"
	default:
		return Result{Source: from.registrable(), Medium: "referral", Confidence: low, Rule: "referral"}
	}
	return result
}

// socialRule tells the two networks that have rules of their own from the rest.
func socialRule(source string) string {
	switch source {
	case "facebook":
		return "ref_facebook"
	case "instagram":
		return "ref_instagram"
	}
	return "ref_social"
}

// metaNetwork returns which of Meta's networks a utm_source means, "" for any other source.
func metaNetwork(source string) string {
	switch source {
	case "facebook", "fb", "meta":
		return "facebook"
	case "instagram", "ig":
		return "instagram"
	}
	return ""
}

// isPaid reports whether a utm_medium says that the click was bought.
func isPaid(utmMedium string) bool {
	switch utmMedium {
	case "cpc", "ppc", "cpm", "cpv", "cpa", "paid", "paid_social", "paidsocial", "paid_search",
		"paidsearch", "display", "banner", "retargeting":
		return true
	}
	return false
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

package classify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"millimetric/index/event"
)

// The twin is the table of rules written down row by row, with no thought of speed: every list is
// scanned from end to end, every row asks all it needs anew.

// facts are what the rows of the table look at.
type facts struct {
	in       Input
	referrer string // host, "" where there is none that counts
	web      bool
	listed   site
}

func (f facts) param(name string) string {
	page, _ := event.SplitURL(f.in.URL)
	for _, pair := range strings.Split(page.Query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		value = event.Unescape(value)
		if event.Unescape(key) == name && strings.TrimSpace(value) != "" {
			return strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return ""
}

func (f facts) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return f.param(name) != "" })
}

func (f facts) utm(name string) string {
	return strings.ToLower(strings.TrimSpace(f.param("utm_" + name)))
}

func (f facts) sourceIs(names ...string) bool { return slices.Contains(names, f.utm("source")) }

func (f facts) paid() bool {
	const set = "cpc, ppc, cpm, cpv, cpa, paid, paid_social, paidsocial, paid_search, paidsearch, display, banner, retargeting"
	return slices.Contains(strings.Split(set, ", "), f.utm("medium"))
}

func (f facts) internal() bool {
	page, _ := event.SplitURL(f.in.URL)
	host := strings.TrimPrefix(f.referrer, "www.")
	if host == strings.TrimPrefix(page.Host, "www.") {
		return host != ""
	}
	return slices.ContainsFunc(f.in.InternalHosts, func(h string) bool {
		return h != "" && (host == h || strings.HasSuffix(host, "."+h))
	})
}

// always gives one source and medium, whatever the facts.
func always(source, medium string) func(facts) (string, string) {
	return func(facts) (string, string) { return source, medium }
}

func asListed(f facts) (string, string) { return f.listed.source, f.listed.medium }

var table = []struct {
	rule       string
	when       func(facts) bool
	gives      func(facts) (source, medium string)
	confidence string
}{
	{"gclid", func(f facts) bool { return f.has("gclid", "gbraid", "wbraid", "dclid") }, always("google", "paid"), "high"},
	{"msclkid", func(f facts) bool { return f.has("msclkid") }, always("bing", "paid"), "high"},
	{"ttclid", func(f facts) bool { return f.has("ttclid") }, always("tiktok", "paid"), "high"},
	{"li_fat_id", func(f facts) bool { return f.has("li_fat_id") }, always("linkedin", "paid"), "high"},
	{"fb_ad_redirect", func(f facts) bool {
		host := "." + f.referrer
		return f.has("fbclid") && (strings.HasSuffix(host, ".l.facebook.com") || strings.HasSuffix(host, ".lm.facebook.com"))
	}, always("facebook", "paid"), "high"},
	{"fbclid_utm", func(f facts) bool { return f.has("fbclid") && f.sourceIs("facebook", "fb", "meta") }, always("facebook", "paid"), "high"},
	{"fbclid_utm", func(f facts) bool { return f.has("fbclid") && f.sourceIs("instagram", "ig") }, always("instagram", "paid"), "high"},
	{"paid_utm_facebook", func(f facts) bool { return f.paid() && f.sourceIs("facebook", "fb", "meta") }, always("facebook", "paid"), "high"},
	{"paid_utm_instagram", func(f facts) bool { return f.paid() && f.sourceIs("instagram", "ig") }, always("instagram", "paid"), "high"},
	{"paid_utm", func(f facts) bool { return f.paid() && f.has("utm_source") }, func(f facts) (string, string) { return f.utm("source"), "paid" }, "high"},
	{"paid_utm_no_source", facts.paid, always("unknown", "paid"), "medium"},
	{"fbclid_only", func(f facts) bool { return f.has("fbclid") && !f.has("utm_source") }, always("facebook", "paid"), "medium"},
	{"utm", func(f facts) bool { return f.has("utm_source", "utm_medium", "utm_campaign") }, func(f facts) (string, string) {
		source, medium := f.utm("source"), f.utm("medium")
		if source == "" {
			source = "unknown"
		}
		if medium == "" {
			medium = "unknown"
		}
		return source, medium
	}, "high"},
	{"internal", facts.internal, always("internal", "direct"), "high"},
	{"ref_facebook", func(f facts) bool { return f.listed == site{"facebook", "social"} }, asListed, "medium"},
	{"ref_instagram", func(f facts) bool { return f.listed == site{"instagram", "social"} }, asListed, "medium"},
	{"ref_ai", func(f facts) bool { return f.listed.medium == "ai" }, asListed, "medium"},
	{"ref_social", func(f facts) bool { return f.listed.medium == "social" }, asListed, "medium"},
	{"ref_search", func(f facts) bool { return f.listed.medium == "organic" }, asListed, "medium"},
	{"ref_email", func(f facts) bool { return f.listed.medium == "email" }, asListed, "medium"},
	{"direct", func(f facts) bool { return f.referrer == "" }, always("direct", "direct"), "high"},
	{"referral", func(facts) bool { return true }, func(f facts) (string, string) {
		if domain, err := publicsuffix.EffectiveTLDPlusOne(f.referrer); f.web && err == nil {
			return domain, "referral"
		}
		return f.referrer, "referral"
	}, "low"},
}

// listRow is a line of one of the lists.
type listRow struct {
	pattern string
	site    site
}

func listRows() []listRow {
	var rows []listRow
	for _, line := range strings.Split(publicList+ownList, "\n") {
		if fields := strings.Split(line, "\t"); len(fields) == 3 {
			rows = append(rows, listRow{fields[0], site{fields[1], fields[2]}})
		}
	}
	return rows
}

// covers returns how much of host a pattern covers, 0 where it doesn't match.
func covers(pattern, host string) int {
	if name, ok := strings.CutSuffix(pattern, "*"); ok {
		suffix, icann := publicsuffix.PublicSuffix(host)
		labels := strings.Split(suffix, ".")
		if !icann || len(labels[len(labels)-1]) != 2 || len(labels) > 2 {
			return 0
		}
		if len(labels) == 2 && !slices.Contains([]string{"co", "com", "it"}, labels[0]) {
			return 0
		}
		pattern = name + suffix
	}
	if host == pattern || strings.HasSuffix(host, "."+pattern) {
		return len(pattern)
	}
	return 0
}

func twinSite(rows []listRow, host string, web bool) site {
	var found site
	longest := 0
	for _, row := range rows {
		size := covers(row.pattern, host)
		if !web && row.pattern != host {
			size = 0
		}
		// A later line wins over an equal one: our own list comes last. A host wins over a pattern.
		if size > longest || size == longest && size > 0 && !strings.HasSuffix(row.pattern, ".*") {
			found, longest = row.site, size
		}
	}
	if web && strings.HasPrefix(host, "webmail.") && longest < len(host) {
		return site{"email", "email"}
	}
	return found
}

func twin(rows []listRow, in Input) Result {
	f := facts{in: in}
	if u, ok := event.SplitURL(in.Referrer); ok {
		f.referrer, f.web = u.Host, u.IsWeb()
		f.listed = twinSite(rows, f.referrer, f.web)
	}
	if f.listed.medium == "login" {
		f.referrer, f.listed = "", site{}
	}
	for _, row := range table {
		if row.when(f) {
			source, medium := row.gives(f)
			return Result{source, medium, f.param("utm_campaign"), row.confidence, row.rule}
		}
	}
	panic("no row of the table matches")
}

func TestTheTwinAgreesOnEveryCase(t *testing.T) {
	rows := listRows()
	for _, c := range readCases(t) {
		if strings.Contains(c.in.URL+c.in.Referrer, "ü") || strings.Contains(c.in.Referrer, "п") || len(c.in.InternalHosts) > 0 {
			continue // the twin reads hosts and settings only in their plain form
		}
		if got, want := Classify(c.in), twin(rows, c.in); got != want {
			t.Errorf("%s:%d: %+v\n got %s\ntwin %s", casesFile, c.line, c.in, show(got), show(want))
		}
	}
}

// parts make up random inputs.
type parts struct {
	rand  *rand.Rand
	hosts []string
}

func (p parts) pick(from ...string) string { return from[p.rand.IntN(len(from))] }

func (p parts) host() string {
	host := p.hosts[p.rand.IntN(len(p.hosts))]
	host = strings.Replace(host, "*", p.pick("de", "co.uk", "com.br", "fr", "it.ao", "zz", "com", "blogspot.com", "co", "chiba.jp"), 1)
	return p.pick("", "", "", "www.", "m.", "webmail.", "a.b.", "x") + host + p.pick("", "", "", "", ".", ".uk", ":443")
}

func (p parts) query() string {
	var b strings.Builder
	if p.rand.IntN(4) == 0 { // the pairs that chance alone would seldom bring together
		b.WriteString("utm_source=" + p.pick("fb", "meta", "ig", "Instagram", "x") + "&utm_medium=" + p.pick("cpc", "CPM", "social") + "&")
	}
	for range p.rand.IntN(5) {
		b.WriteString(p.pick("gclid", "dclid", "msclkid", "ttclid", "li_fat_id", "fbclid", "fbclid", "fbclid",
			"utm_source", "utm_source", "utm_medium", "utm_medium", "utm_campaign", "utm%5Fsource", "q"))
		b.WriteString(p.pick("=", "=", "=", "=", "=", ""))
		b.WriteString(p.pick("", "a", "%20", "facebook", "FB", "ig", "instagram", "meta", "cpc", "CPC", "paid_social",
			"+display", "email", "%zz", "%ff", "Google"))
		b.WriteString(p.pick("&", "&", "&", ";", "&&"))
	}
	return b.String()
}

func (p parts) input() Input {
	in := Input{URL: "https://example.com/" + p.pick("", "?") + p.query()}
	if p.rand.IntN(4) > 0 {
		in.URL = "https://" + p.pick("example.com", "www.example.com", p.host()) + "/?" + p.query() + p.pick("", "#gclid=1")
	}
	in.Referrer = p.pick("https://", "https://", "https://", "http://", "android-app://", "HTTPS://", "") + p.host() + p.pick("", "/", "/path?q=x")
	if p.rand.IntN(8) == 0 {
		in.Referrer = p.pick("", "https://example.com/", "https://l.instagram.com/", "https://shop.example.org/", "https://l.facebook.com/", "http://127.0.0.1/", "news")
	}
	if p.rand.IntN(4) == 0 {
		in.InternalHosts = []string{"example.org", p.hosts[p.rand.IntN(len(p.hosts))]}
	}
	return in
}

func TestTheTwinAgreesOnRandomVisits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rows := listRows()
	p := parts{rand: rand.New(rand.NewPCG(seed, 0))}
	for _, row := range rows {
		p.hosts = append(p.hosts, row.pattern)
	}
	p.hosts = append(p.hosts, "example.com", "example.org", "shop.example.co.uk", "localhost", "192.0.2.1", "a.github.io")
	decided := map[string]int{}
	for range 10000 {
		in := p.input()
		got, want := Classify(in), twin(rows, in)
		decided[got.Rule]++
		if got != want {
			t.Fatalf("seed %d: %+v\n got %s\ntwin %s", seed, in, show(got), show(want))
		}
	}
	t.Logf("seed %d: %v", seed, decided)
	for _, rule := range rules {
		if decided[rule] == 0 {
			t.Errorf("seed %d: no random visit was decided by %s: the generator is too narrow", seed, rule)
		}
	}
}

func FuzzClassifyAlwaysAnswersInItsOwnWords(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.in.URL, c.in.Referrer, strings.Join(c.in.InternalHosts, ","))
	}
	f.Fuzz(func(t *testing.T, url, referrer, internal string) {
		in := Input{URL: url, Referrer: referrer, InternalHosts: strings.Split(internal, ",")}
		got := Classify(in)
		if !slices.Contains(rules, got.Rule) || !slices.Contains([]string{high, medium, low}, got.Confidence) {
			t.Fatalf("%+v: %s", in, show(got))
		}
		for _, text := range []string{got.Source, got.Medium, got.Campaign} {
			if !utf8.ValidString(text) {
				t.Fatalf("%+v: %q is not UTF-8", in, text)
			}
		}
		if got.Source == "" || got.Medium == "" || got.Source != strings.ToLower(got.Source) {
			t.Fatalf("%+v: source %q, medium %q", in, got.Source, got.Medium)
		}
		if again := Classify(in); again != got {
			t.Fatalf("%+v: first %s, then %s", in, show(got), show(again))
		}
	})
}

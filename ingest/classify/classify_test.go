package classify

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite expected outputs from what the code does now")

// rules are the ids of all rules, in their order.
var rules = []string{
	"gclid", "msclkid", "ttclid", "li_fat_id", "fb_ad_redirect", "fbclid_utm", "paid_utm_facebook",
	"paid_utm_instagram", "paid_utm", "paid_utm_no_source", "fbclid_only", "utm", "internal",
	"ref_facebook", "ref_instagram", "ref_ai", "ref_social", "ref_search", "ref_email", "direct", "referral",
}

const casesFile = "testdata/cases.txt"

// oneCase is an input line of the case file with the indented line below it.
type oneCase struct {
	line int
	in   Input
	want string
}

func readCases(t testing.TB) []oneCase {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []oneCase
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		switch line = strings.TrimRight(line, "\n"); {
		case line == "" || line[0] == '#':
		case line[0] == '\t':
			cases[len(cases)-1].want = line[1:]
		default:
			cases = append(cases, oneCase{line: number, in: readInput(t, line)})
		}
	}
	return cases
}

func readInput(t testing.TB, line string) Input {
	t.Helper()
	parts := strings.Split(line, " | ")
	if len(parts) != 3 {
		t.Fatalf("%s: %q has %d parts, not 3", casesFile, line, len(parts))
	}
	for i := range parts {
		if parts[i] == "-" {
			parts[i] = ""
		}
	}
	in := Input{URL: parts[0], Referrer: parts[1]}
	if parts[2] != "" {
		in.InternalHosts = strings.Split(parts[2], ", ")
	}
	return in
}

func show(r Result) string {
	campaign := "-"
	if r.Campaign != "" {
		campaign = fmt.Sprintf("%q", r.Campaign)
	}
	return strings.Join([]string{r.Source, r.Medium, campaign, r.Confidence, r.Rule}, " | ")
}

func TestCasesAreClassifiedAsWritten(t *testing.T) {
	if *rewrite {
		rewriteCases(t)
	}
	for _, c := range readCases(t) {
		if got := show(Classify(c.in)); got != c.want {
			t.Errorf("%s:%d: %+v\n got %s\nwant %s", casesFile, c.line, c.in, got, c.want)
		}
	}
}

func rewriteCases(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if line[0] == '\t' {
			continue
		}
		out.WriteString(line)
		if line[0] != '\n' && line[0] != '#' {
			out.WriteString("\t" + show(Classify(readInput(t, strings.TrimRight(line, "\n")))) + "\n")
		}
	}
	if err := os.WriteFile(casesFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryRuleDecidesACase(t *testing.T) {
	decided := map[string]int{}
	for _, c := range readCases(t) {
		decided[Classify(c.in).Rule]++
	}
	for _, rule := range rules {
		if decided[rule] == 0 {
			t.Errorf("no case is decided by %s", rule)
		}
		delete(decided, rule)
	}
	if len(decided) > 0 {
		t.Errorf("unknown rules: %v", decided)
	}
}

// The one allocation is the public suffix list's, which first asks whether a host is an address.
func TestAVisitCostsAtMostOneAllocation(t *testing.T) {
	for kind, in := range benchmarked {
		allowed := 0.0
		if kind == "search" || kind == "referral" {
			allowed = 1
		}
		if n := testing.AllocsPerRun(100, func() { Classify(in) }); n > allowed {
			t.Errorf("%s: %v allocations, want at most %v", kind, n, allowed)
		}
	}
}

// benchmarked are the common kinds of visit.
var benchmarked = map[string]Input{
	"direct":   {URL: "https://example.com/pricing"},
	"paid":     {URL: "https://example.com/?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=EAIaIQobChMI", Referrer: "https://www.google.com/"},
	"campaign": {URL: "https://example.com/?utm_source=newsletter&utm_medium=email&utm_campaign=may"},
	"internal": {URL: "https://example.com/b", Referrer: "https://app.example.com/a", InternalHosts: []string{"app.example.com"}},
	"search":   {URL: "https://example.com/", Referrer: "https://www.google.co.uk/"},
	"social":   {URL: "https://example.com/", Referrer: "https://t.co/abc"},
	"referral": {URL: "https://example.com/", Referrer: "https://news.example.org/2026/05/a"},
}

func BenchmarkClassify(b *testing.B) {
	for _, kind := range []string{"direct", "paid", "campaign", "internal", "search", "social", "referral"} {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(benchmarked[kind])
			}
		})
	}
}

// BenchmarkClassifyHostile is about the worst that fits into the longest URL and referrer.
func BenchmarkClassifyHostile(b *testing.B) {
	long := func(part string) string { return strings.Repeat(part, 2000/len(part)) }
	for name, in := range map[string]Input{
		"labels":  {URL: "https://example.com/?" + long("&="), Referrer: "https://" + long("a.") + "google.co.uk"},
		"params":  {URL: "https://example.com/?" + long("utm_source=%20&"), Referrer: "https://" + long("x")},
		"unicode": {URL: "https://" + strings.Repeat("ü.", 80) + "de/", Referrer: "https://" + strings.Repeat("字", 80) + ".de/"},
		"escapes": {URL: "https://example.com/?utm_campaign=" + long("%ff"), Referrer: "https://" + long("ü")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(in)
			}
		})
	}
}

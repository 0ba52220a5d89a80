package classify

import (
	"strings"
	"testing"
)

func TestEveryListedHostIsFoundAsItsListSays(t *testing.T) {
	seen := map[string]site{}
	for _, row := range listRows() {
		seen[row.pattern] = row.site // the later list wins
	}
	if len(seen) < 900 {
		t.Fatalf("only %d hosts: a list is not read whole", len(seen))
	}
	for pattern, want := range seen {
		host := strings.Replace(pattern, "*", "co.uk", 1)
		if got := known().match(host); got != want {
			t.Errorf("%s: got %v, want %v", host, got, want)
		}
		if got := known().match("sub." + host); got != want {
			t.Errorf("sub.%s: got %v, want %v", host, got, want)
		}
	}
}

func TestListsKeepToTheirForm(t *testing.T) {
	for name, text := range map[string]string{"hosts.txt": publicList, "own.txt": ownList} {
		seen := map[string]bool{}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			fields := strings.Split(line, "\t")
			if len(fields) != 3 {
				t.Errorf("%s: %q has no 3 fields", name, line)
				continue
			}
			host, of := fields[0], site{fields[1], fields[2]}
			if seen[host] {
				t.Errorf("%s: %s stands there twice", name, host)
			}
			seen[host] = true
			if host != strings.ToLower(host) || !isASCII(host) || strings.HasPrefix(host, ".") || strings.ContainsAny(host, "/:{} ") {
				t.Errorf("%s: %q is no host", name, host)
			}
			unlisted := of.medium == mediumNone || of.medium == mediumLogin
			if unlisted != (of.source == "-") || of.source != strings.ToLower(of.source) || !isASCII(of.source) {
				t.Errorf("%s: %s: source %q with medium %q", name, host, of.source, of.medium)
			}
			if strings.Contains(strings.TrimSuffix(host, ".*"), "*") {
				t.Errorf("%s: %s: a pattern ends in its star", name, host)
			}
		}
	}
}

// The second-level domains under which Google serves its countries are the odd cases of country
// domains, so all of them are spelt out.
func TestGoogleIsFoundInEveryCountry(t *testing.T) {
	const endings = `com ad ae com.af com.ag al am co.ao com.ar as at com.au az ba com.bd be bf bg com.bh bi bj
		com.bn com.bo com.br bs bt co.bw by com.bz ca cd cf cg ch ci co.ck cl cm cn com.co co.cr com.cu cv com.cy cz
		de dj dk dm com.do dz com.ec ee com.eg es com.et fi com.fj fm fr ga ge gg com.gh com.gi gl gm gr com.gt gy
		com.hk hn hr ht hu co.id ie co.il im co.in iq is it je com.jm jo co.jp co.ke com.kh ki kg co.kr com.kw kz la
		com.lb li lk co.ls lt lu lv com.ly co.ma md me mg mk ml com.mm mn com.mt mu mv mw com.mx com.my co.mz com.na
		com.ng com.ni ne nl no com.np nr nu co.nz com.om com.pa com.pe com.pg com.ph com.pk pl pn com.pr ps pt com.py
		com.qa ro ru rw com.sa com.sb sc se com.sg sh si sk com.sl sn so sm sr st com.sv td tg co.th com.tj tl tm tn
		to com.tr tt com.tw co.tz com.ua co.ug co.uk com.uy co.uz com.vc co.ve co.vi com.vn vu ws rs co.za co.zm
		co.zw cat`
	for _, ending := range strings.Fields(endings) {
		for _, prefix := range []string{"", "www.", "images."} {
			host := prefix + "google." + ending
			if got, want := known().match(host), (site{"google", mediumOrganic}); got != want {
				t.Errorf("%s: got %v", host, got)
			}
		}
	}
}

func TestOnlyTheEndOfALongHostIsLookedUp(t *testing.T) {
	host := strings.Repeat("a.", 1000) + "google.de"
	if got := known().match(host); got.source != "google" {
		t.Errorf("got %v", got)
	}
	// Each look-up reads its whole name, so this bound is what keeps a long host cheap.
	if known().longest > 64 {
		t.Errorf("the longest listed name has %d bytes", known().longest)
	}
}

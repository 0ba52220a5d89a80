package classify

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"millimetric/index/event"
)

// referrer is the place that a visitor came from.
type referrer struct {
	host string // "" where there is none, or none that says anything
	web  bool   // whether host is a host of the web, not the name of an app
	site site   // what the lists know of it
}

// readReferrer takes a referrer apart. One without a host says nothing, and neither does a log-in
// page: the visitor was sent through it, and came from elsewhere.
func readReferrer(raw string) referrer {
	u, ok := event.SplitURL(raw)
	if !ok {
		return referrer{}
	}
	from := referrer{host: u.Host, web: u.IsWeb()}
	if from.web {
		from.host = asciiHost(u.Host)
		from.site = known().match(from.host)
	} else {
		// An app (android-app://com.google.android.gm/) is its whole name. Read as a host it would lie
		// under strangers: com.example.reddit.com is not Reddit's.
		from.site = known().hosts[from.host]
	}
	if from.site.medium == mediumLogin {
		return referrer{}
	}
	return from
}

// registrable returns the part of the host that somebody registered: example.co.uk of
// news.example.co.uk. What isn't below a public suffix (an address, localhost, an app) stays whole.
func (r referrer) registrable() string {
	if !r.web {
		return r.host
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(r.host)
	if err != nil {
		return r.host
	}
	return domain
}

// isInternal reports whether host belongs to the site itself: it is the page's own host, "www."
// aside, or lies on one of the project's internal hosts.
func isInternal(host, own string, internal []string) bool {
	host = withoutWWW(host)
	if host == withoutWWW(own) {
		return true
	}
	for _, setting := range internal {
		if under(host, withoutWWW(hostOfSetting(setting))) {
			return true
		}
	}
	return false
}

// hostOfSetting reads an internal host as people write one: with a port, a scheme or "*." before it.
func hostOfSetting(setting string) string {
	setting = strings.TrimPrefix(strings.TrimSpace(setting), "*.")
	if strings.ContainsAny(setting, "/:@?#[") {
		if !strings.Contains(setting, "://") {
			setting = "https://" + setting
		}
		u, _ := event.SplitURL(setting)
		return asciiHost(u.Host)
	}
	return asciiHost(strings.TrimSuffix(strings.ToLower(setting), "."))
}

// hostBytesMax is the longest name that the domain system knows. Longer hosts are nobody's, and
// aren't worth the conversion, whose time grows faster than its input.
const hostBytesMax = 253

// asciiHost brings an international name into its ASCII form, in which browsers send it and lists
// hold it. A name that has none stays.
func asciiHost(host string) string {
	if isASCII(host) || len(host) > hostBytesMax {
		return host
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil || ascii == "" {
		return host
	}
	return ascii
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func withoutWWW(host string) string { return strings.TrimPrefix(host, "www.") }

// under reports whether host is above, or a subdomain of it.
func under(host, above string) bool {
	rest, ok := strings.CutSuffix(host, above)
	return ok && above != "" && (rest == "" || rest[len(rest)-1] == '.')
}

package classify

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// The list is that of Debian's package matomo-searchengine-and-social-list, at the paths where the
// package puts it.
//
//go:generate go run ./hostlist /usr/share/php/matomo/searchengine-and-social-list/SearchEngines.yml /usr/share/php/matomo/searchengine-and-social-list/Socials.yml hosts.txt

//go:embed hosts.txt
var publicList string

//go:embed own.txt
var ownList string

// The mediums of the lists.
const (
	mediumSocial  = "social"
	mediumOrganic = "organic"
	mediumAI      = "ai"
	mediumEmail   = "email"
	mediumLogin   = "login" // counts as no referrer
	mediumNone    = "none"  // an exception from a host above: like a host that isn't listed
)

// site is what the lists say of a host. The zero site is that of a host which isn't listed.
type site struct{ source, medium string }

// lists holds the known hosts. It is never changed once made.
type lists struct {
	hosts map[string]site
	// brands are names under any country's domain: "google" for google.de and google.co.uk. Spelt out
	// for every country they would be most of the list, and wrong with the next new suffix, which
	// comes by itself with the public suffix list.
	brands map[string]site

	// longest is the length of the longest name in the maps. Longer ends of a host can't be in them,
	// so skipping those keeps the walk linear on a host of a thousand labels.
	longest int
}

// known reads the lists at their first use.
var known = sync.OnceValue(func() *lists {
	l := &lists{hosts: map[string]site{}, brands: map[string]site{}}
	l.add(publicList)
	l.add(ownList)
	return l
})

// add notes the lines of a list; they win over those noted before.
func (l *lists) add(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 3 || !isMedium(fields[2]) {
			panic(fmt.Sprintf("list of hosts: line %q is not host, source, medium", line))
		}
		of := site{source: fields[1], medium: fields[2]}
		name, isBrand := strings.CutSuffix(fields[0], ".*")
		if isBrand {
			l.brands[name] = of
		} else {
			l.hosts[name] = of
		}
		l.longest = max(l.longest, len(name))
	}
}

func isMedium(s string) bool {
	switch s {
	case mediumSocial, mediumOrganic, mediumAI, mediumEmail, mediumLogin, mediumNone:
		return true
	}
	return false
}

// match returns the site of the longest listed host that host is or lies under.
func (l *lists) match(host string) site {
	found, length := l.walk(l.hosts, host)
	if brand, size := l.matchBrand(host); size > length {
		found, length = brand, size
	}
	// Mail on an own domain: no list could name them all. Only a host listed whole knows better.
	if length < len(host) && strings.HasPrefix(host, "webmail.") {
		return site{source: "email", medium: mediumEmail}
	}
	return found
}

// matchBrand looks for a name under a country's domain, and returns how much of host it covers.
func (l *lists) matchBrand(host string) (found site, length int) {
	name, ok := withoutCountry(host)
	if !ok {
		return site{}, 0
	}
	found, length = l.walk(l.brands, name)
	if length == 0 {
		return site{}, 0
	}
	// Asked last because it costs the most: by now the host is all but certainly the brand's.
	ending := host[len(name)+1:]
	suffix, icann := publicsuffix.PublicSuffix(host)
	if !icann || suffix != ending {
		return site{}, 0
	}
	return found, length + 1 + len(ending)
}

// withoutCountry cuts a country's domain from the end of host: two letters, and below them the
// usual "co" and "com", or Angola's "it".
func withoutCountry(host string) (name string, ok bool) {
	dot := len(host) - len(".xx")
	if dot <= 0 || host[dot] != '.' || host[dot+1] == '.' || host[dot+2] == '.' {
		return "", false
	}
	name = host[:dot]
	for _, second := range []string{".co", ".com", ".it"} {
		if short, cut := strings.CutSuffix(name, second); cut {
			return short, short != ""
		}
	}
	return name, true
}

// walk looks up host and then each host above it, and returns the first listed one and its length.
func (l *lists) walk(in map[string]site, host string) (found site, length int) {
	for rest := host; rest != ""; _, rest, _ = strings.Cut(rest, ".") {
		if len(rest) > l.longest {
			continue
		}
		if of, ok := in[rest]; ok {
			return of, len(rest)
		}
	}
	return site{}, 0
}

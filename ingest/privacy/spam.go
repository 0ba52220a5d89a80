package privacy

import (
	_ "embed"
	"strings"
	"sync"
)

// BotReferrerSpam is the reason for events that come with a spammer's referrer.
const BotReferrerSpam = "referrer-spam"

//go:embed spammers.txt
var spammersText string

var spammers = sync.OnceValue(func() map[string]bool {
	hosts := map[string]bool{}
	for line := range strings.Lines(spammersText) {
		if host := strings.TrimSpace(line); host != "" && host[0] != '#' {
			hosts[host] = true
		}
	}
	return hosts
})

// SpamReferrer reports whether host, or a domain that it belongs to, is known to fake visits for
// the sake of being seen in reports.
func SpamReferrer(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for hosts := spammers(); host != ""; {
		if hosts[host] {
			return true
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return false
}

package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/index/event"
)

// Settings are a project's choices. Its retention window isn't among them: the engine keeps that.
type Settings struct {
	Cookieless    bool     `json:"cookieless,omitempty"`     // a missing visitor id becomes one of the day
	InternalHosts []string `json:"internal_hosts,omitempty"` // more hosts that count as the site itself
	TZ            string   `json:"tz,omitempty"`             // of questions that name none; UTC where it is empty

	// RateLimits bound the requests of the project's keys, by the name of the route; others aren't bounded.
	RateLimits map[string]RateLimit `json:"rate_limits,omitempty"`

	// Private visitors, who say by Sec-GPC or DNT that they don't want to be followed, are believed unless
	// the project says otherwise.
	IgnoreGPC bool `json:"ignore_gpc,omitempty"`
	IgnoreDNT bool `json:"ignore_dnt,omitempty"`

	// AllowedParams and AllowedProperties stay in what is kept, though they look like personal data.
	AllowedParams     []string `json:"allowed_params,omitempty"`     // parameters of URLs
	AllowedProperties []string `json:"allowed_properties,omitempty"` // properties of events

	// K is how many visitors a number must be about to be shown to the project's own keys; 0 shows all.
	K int `json:"k,omitempty"`

	// RetentionSince is when the window that the engine keeps was last changed, in milliseconds since
	// 1970: of replays from before, nobody knows what was shown then.
	RetentionSince event.Time `json:"retention_since,omitempty"`

	// RetentionReach is how far the windows of before may have destroyed events: up to this time, in
	// milliseconds since 1970. A longer window doesn't bring them back.
	RetentionReach event.Time `json:"retention_reach,omitempty"`

	// Reclassified is when the sources of the history were last told anew, in milliseconds since 1970: of
	// replays from before, nobody knows what they said then. RulesVersion is that of the rules; Reclassifying
	// says that the work isn't done yet.
	Reclassified  event.Time `json:"reclassified,omitempty"`
	RulesVersion  int        `json:"rules_version,omitempty"`
	Reclassifying bool       `json:"reclassifying,omitempty"`
}

// RateLimit is how fast requests may come: a bucket of tokens, of which each request takes one.
type RateLimit struct {
	PerSecond float64 `json:"per_s"` // tokens that come back
	Burst     int     `json:"burst"` // that fit the bucket
}

// rateMost is beyond what a server can take at all.
const rateMost = 1_000_000

// HostsMax bounds the internal hosts: each referrer is held against all.
const HostsMax = 100

// AllowedMax bounds each list of names that stay.
const AllowedMax = 100

// KMax bounds k: beyond it nothing but totals of large sites would be left.
const KMax = 1000

// checkK notes a k that is out of range. 1 hides nothing, as nobody is less than one.
func checkK(k int, fields event.FieldErrors) {
	if k < 0 || k == 1 || k > KMax {
		fields.Add("k", fmt.Sprintf("Expected 0 (all is shown) or 2 to %d", KMax))
	}
}

func checkAllowed(field string, names []string, fields event.FieldErrors) {
	if len(names) > AllowedMax {
		fields.Add(field, fmt.Sprintf("Must be at most %d", AllowedMax))
		return
	}
	for i, name := range names {
		if name == "" || len(name) > NameMax {
			fields.Add(fmt.Sprintf("%s.%d", field, i), fmt.Sprintf("Must have 1 to %d bytes", NameMax))
		}
	}
}

// check notes what is wrong, and spells hosts as referrers are compared.
func (s *Settings) check(fields event.FieldErrors) {
	if len(s.InternalHosts) > HostsMax {
		fields.Add("internal_hosts", fmt.Sprintf("Must be at most %d", HostsMax))
		return
	}
	s.InternalHosts = slices.Clone(s.InternalHosts) // what was given may be shared
	for i, host := range s.InternalHosts {
		normal := strings.ToLower(strings.TrimSpace(host))
		u, ok := event.SplitURL("https://" + normal + "/")
		if !ok || u.Host != normal || normal == "" {
			fields.Add(fmt.Sprintf("internal_hosts.%d", i), "Expected a host, such as shop.example")
			continue
		}
		s.InternalHosts[i] = normal
	}
	checkAllowed("allowed_params", s.AllowedParams, fields)
	checkAllowed("allowed_properties", s.AllowedProperties, fields)
	checkK(s.K, fields)
	for route, limit := range s.RateLimits {
		if !(limit.PerSecond > 0 && limit.PerSecond <= rateMost) || limit.Burst < 1 || limit.Burst > rateMost {
			fields.Add("rate_limits."+route, fmt.Sprintf("Expected per_s above 0 and burst from 1 on, both at most %d", rateMost))
		}
	}
	if _, err := time.LoadLocation(s.TZ); err != nil || s.TZ == "Local" {
		fields.Add("tz", "Expected a time zone, such as Europe/Berlin")
	}
}

// Zone returns the time zone of a project's questions that name none, "" for UTC.
func (b *Book) Zone(number event.Project) string { return b.index.Load().zones[number] }

// Reclassified returns when the sources of a project's history were last told anew; 0 for never.
func (b *Book) Reclassified(number event.Project) event.Time {
	return b.index.Load().retold[number]
}

// PastWindows says what is known of the retention windows that a project had before: when the last of them
// ended, and up to which time they may have destroyed events. Both are 0 where there was none.
func (b *Book) PastWindows(number event.Project) (ended, reach event.Time) {
	past := b.index.Load().windows[number]
	return past.ended, past.reach
}

type pastWindows struct{ ended, reach event.Time }

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

	// RetentionSince is when the window that the engine keeps was last changed, in milliseconds since
	// 1970: of replays from before, nobody knows what was shown then.
	RetentionSince event.Time `json:"retention_since,omitempty"`
}

// HostsMax bounds the internal hosts: each referrer is held against all.
const HostsMax = 100

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
	if _, err := time.LoadLocation(s.TZ); err != nil || s.TZ == "Local" {
		fields.Add("tz", "Expected a time zone, such as Europe/Berlin")
	}
}

// Zone returns the time zone of a project's questions that name none, "" for UTC.
func (b *Book) Zone(number event.Project) string { return b.index.Load().zones[number] }

// RetentionSince returns when the retention window of a project was last changed; 0 for never.
func (b *Book) RetentionSince(number event.Project) event.Time {
	return b.index.Load().windows[number]
}

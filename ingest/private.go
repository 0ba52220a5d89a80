package ingest

import (
	"strings"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

// What comes of the events of a visitor who asked, by Sec-GPC or DNT, not to be followed. They are
// counted, and nothing in them tells that two of them are one visitor's:
//
//  1. each has a visitor of its own, a random one, and a session of its own; the ids that were sent, the
//     user's among them, are dropped;
//  2. a call to identify, or an event of that name, has nothing but a link to say: it is checked and
//     acknowledged, and not kept;
//  3. click ids go, in URLs and properties, and of the referrer all but its origin; the source that
//     they told stays, as it is the same for all who came that way;
//  4. of what the connection tells, the country stays, and whether it is a machine.
//
// The event_id stays: it makes a retry count once, and says nothing beyond that one event.

// unlink drops the ids from a draft.
func (d *draft) unlink() {
	d.anonymousID, d.userID, d.sessionID = "", "", ""
}

// forgetVisitor drops from an event what would help to know its visitor again.
func forgetVisitor(e *event.Event) {
	e.IPHash, e.Device, e.Browser, e.OS = "", "", "", ""
	e.URL, e.Path = privacy.StripClicks(e.URL), privacy.StripClicks(e.Path)
	e.Referrer = origin(e.Referrer)
}

// origin is the beginning of a URL that names its site and no page of it; "" of what is no URL.
func origin(raw string) string {
	u, ok := event.SplitURL(raw)
	if !ok {
		return ""
	}
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port != "" {
		host += ":" + u.Port
	}
	return u.Scheme + "://" + host + "/"
}

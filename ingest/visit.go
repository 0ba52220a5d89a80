package ingest

import (
	"slices"
	"strings"

	"millimetric/index/event"
	"millimetric/ingest/classify"
	"millimetric/ingest/privacy"
)

// visit is what the URLs of an event came to. Its texts lie in those URLs or are constants, unless
// it comes from a memo, which has copies of its own.
type visit struct {
	url, path, referrer      string // without personal data
	source, medium, campaign string
	confidence, rule         string
	spam                     bool     // the referrer is a spammer's
	hosts                    []string // the site's further hosts, on which the source depends
	allowed                  []string // the parameters that stay, on which the URLs depend
}

// knownVisit is a visit, and all that it depends on besides its page and the site's hosts.
type knownVisit struct {
	visit
	project      event.Project
	sentPath     string
	sentReferrer string
}

// page is a URL, and the visits to it that are remembered. The last is added where next is, once there
// is no more room.
type page struct {
	visits []knownVisit
	next   int
}

const (
	// visitsMax bounds a memo. Beyond it all are forgotten: what recurs comes back at once, and a
	// flood of URLs that never do costs no more than that.
	visitsMax = 2048
	// pageVisitsMax bounds the visits to a page: they are looked through one by one.
	pageVisitsMax = 16
	// visitBytesMax keeps long URLs, which seldom recur, from filling the memory.
	visitBytesMax = 512
)

// visitMemo remembers visits, since the same pages are seen again and again. It holds only visits
// in whose URLs nothing personal was found: what an event may not keep, a memo may not keep either.
// The zero value is ready; it is not safe for concurrent use.
type visitMemo struct {
	pages map[string]*page
	count int // of visits
}

// page returns a page that is remembered, whose URL therefore is one of the web, or nil.
func (m *visitMemo) page(url string) *page { return m.pages[url] }

// visitOf returns the visit of a draft; owned says that it shares no memory with the draft.
func (m *visitMemo) visitOf(site *Site, d *draft) (v visit, owned bool) {
	seen := d.seen
	if seen == nil {
		seen = m.pages[d.url]
	}
	if seen != nil {
		for i := range seen.visits {
			k := &seen.visits[i]
			if k.sentReferrer == d.referrer && k.sentPath == d.path && k.project == site.Project &&
				slices.Equal(k.hosts, site.InternalHosts) && slices.Equal(k.allowed, site.AllowedParams) {
				return k.visit, true
			}
		}
	}
	v = newVisit(site, d)
	clean := v.url == d.url && v.referrer == d.referrer && (d.path == "" || v.path == d.path)
	if !clean || len(d.url)+len(d.path)+len(d.referrer) > visitBytesMax {
		return v, false
	}
	v = v.clone()
	m.remember(v, site.Project, d.path != "")
	return v, true
}

// remember adds a visit, whose texts are as they were sent.
func (m *visitMemo) remember(v visit, project event.Project, pathSent bool) {
	if m.pages == nil || m.count >= visitsMax {
		m.pages, m.count = map[string]*page{}, 0
	}
	k := knownVisit{visit: v, project: project, sentReferrer: v.referrer}
	if pathSent {
		k.sentPath = v.path
	}
	p := m.pages[v.url]
	if p == nil {
		p = &page{}
		m.pages[v.url] = p
	}
	if len(p.visits) < pageVisitsMax {
		p.visits = append(p.visits, k)
		m.count++
		return
	}
	p.visits[p.next] = k
	p.next = (p.next + 1) % pageVisitsMax
}

// newVisit reads the URLs. The source is read from them as they were sent, because what is stripped
// from them may tell it; they are stripped before they get into the event.
func newVisit(site *Site, d *draft) visit {
	touch := classify.Classify(classify.Input{URL: d.url, Referrer: d.referrer, InternalHosts: site.InternalHosts})
	v := visit{
		referrer: privacy.StripURL(d.referrer, site.AllowedParams...),
		source:   label(touch.Source), medium: label(touch.Medium), campaign: label(touch.Campaign),
		confidence: touch.Confidence, rule: touch.Rule,
		hosts: site.InternalHosts, allowed: site.AllowedParams,
	}
	v.url, v.path = strippedPlace(d, site.AllowedParams)
	if d.referrer != "" {
		from, ok := event.SplitURL(d.referrer)
		v.spam = ok && privacy.SpamReferrer(from.Host)
	}
	return v
}

func (v visit) clone() visit {
	for _, text := range []*string{&v.url, &v.path, &v.referrer, &v.source, &v.medium, &v.campaign} {
		*text = strings.Clone(*text)
	}
	v.hosts, v.allowed = slices.Clone(v.hosts), slices.Clone(v.allowed)
	return v
}

// label cleans what comes from a utm parameter. Mailing tools put e-mail addresses there: what the
// URL may not keep must not come back as its source. And unescaping can make the one character that
// no text of an event may hold.
func label(text string) string {
	if strings.IndexByte(text, '@') >= 0 {
		text = privacy.StripURL(text)
	}
	return strings.ReplaceAll(text, "\x00", "\uFFFD")
}

// strippedPlace returns the URL and the path, that of the URL where none was sent, without personal
// data.
func strippedPlace(d *draft, allowed []string) (url, path string) {
	url = privacy.StripURL(d.url, allowed...)
	if d.path != "" || d.url == "" {
		return url, privacy.StripURL(d.path, allowed...)
	}
	if d.seen != nil {
		d.page, _ = event.SplitURL(d.url) // nobody has looked at a URL that was known
	}
	path = d.page.Path
	if path == "" {
		path = "/"
	}
	if url == d.url {
		return url, path // nothing was in the URL, so nothing is in its path
	}
	return url, privacy.StripURL(path, allowed...)
}

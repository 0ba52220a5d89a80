package ingest

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"

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

// knownVisit is a visit, and what it depends on besides its page, its referrer and the site's hosts.
type knownVisit struct {
	visit
	project  event.Project
	sentPath string
}

// page is a URL, and the visits to it that are remembered. The last is added where next is, once there
// is no more room.
type page struct {
	url       string
	shard     *visitShard // whose mutex guards what follows
	referrers []string    // of each visit, side by side, as they are looked through
	visits    []knownVisit
	next      int
}

const (
	// visitShards share a memo, so that requests that are read at the same time seldom wait for each other.
	visitShards = 16
	// visitsMax bounds a memo: with URLs of common length it takes some 15 MB. Of a shop of 13,000 URLs it
	// knows nineteen of twenty visits, an eighth of it three of five.
	visitsMax = 1 << 15
	// pageVisitsMax bounds the visits to a page: they are looked through one by one.
	pageVisitsMax = 32
	// visitBytesMax keeps long URLs, which seldom recur, from filling the memory.
	visitBytesMax = 512
	// visitWordsMax bounds the referrers and labels that visits share. Beyond it all are forgotten.
	visitWordsMax = 4096
)

// visitMemo remembers visits, since the same pages are seen again and again. It holds only visits
// in whose URLs nothing personal was found: what an event may not keep, a memo may not keep either.
// It is safe for concurrent use. Locks are taken one at a time.
type visitMemo struct {
	seed   maphash.Seed
	shards [visitShards]visitShard

	mu    sync.Mutex        // guards words
	words map[string]string // of visits: equal ones lie in one place
}

// visitShard is the pages of some URLs. Where the young have their share of the visits, they become the old
// ones, and what were these are forgotten. An old page that is seen again is young again.
type visitShard struct {
	mu         sync.Mutex // guards what follows, and the shard's pages
	young, old map[string]*page
	count      int // of visits to the young
}

func newVisitMemo() *visitMemo { return &visitMemo{seed: maphash.MakeSeed()} }

// page returns a page that is remembered, whose URL therefore is one of the web, or nil.
func (m *visitMemo) page(url string) *page {
	s := m.shardOf(url)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page(url)
}

func (m *visitMemo) shardOf(url string) *visitShard {
	return &m.shards[maphash.String(m.seed, url)%visitShards]
}

// page is visitMemo.page. The caller holds mu, as of the two that follow.
func (s *visitShard) page(url string) *page {
	if p := s.young[url]; p != nil {
		return p
	}
	p := s.old[url]
	if p != nil {
		s.add(p)
	}
	return p
}

// add makes a page a young one.
func (s *visitShard) add(p *page) {
	s.makeRoom()
	s.young[p.url] = p
	s.count += len(p.visits)
}

// makeRoom makes room for a visit, or those of a page, among the young.
func (s *visitShard) makeRoom() {
	if s.young == nil || s.count >= visitsMax/visitShards/2 {
		s.young, s.old, s.count = map[string]*page{}, s.young, 0
	}
}

// visitOf returns the visit of a draft; owned says that it shares no memory with the draft.
func (m *visitMemo) visitOf(site *Site, d *draft) (v visit, owned bool) {
	seen := d.seen
	if seen == nil {
		seen = m.page(d.url)
	}
	if seen != nil {
		if v, found := seen.visitOf(site, d); found {
			return v, true
		}
	}
	v = newVisit(site, d)
	clean := v.url == d.url && v.referrer == d.referrer && (d.path == "" || v.path == d.path)
	if !clean || len(d.url)+len(d.path)+len(d.referrer) > visitBytesMax {
		return v, false
	}
	v = m.own(v)
	m.remember(v, site.Project, d.path != "")
	return v, true
}

// visitOf looks for the visit of a draft among those that are remembered.
func (p *page) visitOf(site *Site, d *draft) (v visit, found bool) {
	p.shard.mu.Lock()
	defer p.shard.mu.Unlock()
	for i, referrer := range p.referrers {
		if referrer != d.referrer {
			continue
		}
		k := &p.visits[i]
		if k.sentPath == d.path && k.project == site.Project &&
			slices.Equal(k.hosts, site.InternalHosts) && slices.Equal(k.allowed, site.AllowedParams) {
			return k.visit, true
		}
	}
	return visit{}, false
}

// remember adds a visit, whose texts are as they were sent.
func (m *visitMemo) remember(v visit, project event.Project, pathSent bool) {
	k := knownVisit{visit: v, project: project}
	if pathSent {
		k.sentPath = v.path
	}
	s := m.shardOf(v.url)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom()
	p := s.page(v.url)
	if p == nil {
		p = &page{url: v.url, shard: s}
		s.add(p)
	}
	if len(p.visits) < pageVisitsMax {
		p.referrers, p.visits = append(p.referrers, v.referrer), append(p.visits, k)
		s.count++
		return
	}
	p.referrers[p.next], p.visits[p.next] = v.referrer, k
	p.next = (p.next + 1) % pageVisitsMax
}

// own returns a visit in memory of its own, which it shares with other visits.
func (m *visitMemo) own(v visit) visit {
	v.url, v.hosts, v.allowed = strings.Clone(v.url), slices.Clone(v.hosts), slices.Clone(v.allowed)
	if at := strings.Index(v.url, v.path); at >= 0 {
		v.path = v.url[at : at+len(v.path)]
	} else {
		v.path = strings.Clone(v.path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range []*string{&v.referrer, &v.source, &v.medium, &v.campaign} {
		*text = m.word(*text)
	}
	return v
}

// word returns a text in the memory that equal ones lie in. The caller holds mu.
func (m *visitMemo) word(text string) string {
	if known, ok := m.words[text]; ok {
		return known
	}
	if m.words == nil || len(m.words) >= visitWordsMax {
		m.words = map[string]string{}
	}
	text = strings.Clone(text)
	m.words[text] = text
	return text
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

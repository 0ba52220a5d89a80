package ingest

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

// knownVisit is a visit that is remembered, and what it depends on besides its URLs and the site's settings. It
// doesn't change.
type knownVisit struct {
	visit
	hash     uint64
	project  event.Project
	sentPath string
}

const (
	// visitsMax bounds a memo: with URLs of common length it takes some 15 MB. Of the first 600,000 views of a shop
	// with 30,000 URLs, to which people come in 57,000 ways, it knows nine of ten.
	visitsMax = 1 << 15
	// visitWays is how many visits share a place by their hashes: few, as they are looked through one by one.
	visitWays = 4
	// visitBytesMax keeps long URLs, which seldom recur, from filling the memory.
	visitBytesMax = 512
	// visitWordsMax bounds the URLs and labels that visits share. Beyond it all are forgotten.
	visitWordsMax = 1 << 15
)

// visitMemo remembers visits, since the same pages are seen again and again. It holds only visits
// in whose URLs nothing personal was found: what an event may not keep, a memo may not keep either.
//
// It is safe for concurrent use. Visits are found without a lock: a place is read and written by itself. Who
// moves two visits at the same time as somebody else may lose one of them or leave it twice, and nothing else.
type visitMemo struct {
	seed maphash.Seed
	sets [visitsMax / visitWays]visitSet

	mu    sync.Mutex        // guards words
	words map[string]string // of visits: equal ones lie in one place
}

// visitSet is the visits of one place. One that is seen again changes places with the one before it, and a new one
// takes the last place: so what recurs stays, however many come that don't. Half of each hash lies beside, so that
// other visits are passed over without a look at them.
type visitSet struct {
	marks  [visitWays]atomic.Uint32
	visits [visitWays]atomic.Pointer[knownVisit]
}

func (s *visitSet) put(i int, k *knownVisit) {
	s.visits[i].Store(k)
	s.marks[i].Store(uint32(k.hash))
}

func newVisitMemo() *visitMemo { return &visitMemo{seed: maphash.MakeSeed()} }

// hash is that of all that tells visits of one site apart.
func (m *visitMemo) hash(site *Site, d *draft) uint64 {
	h := maphash.String(m.seed, d.url)*3 + maphash.String(m.seed, d.referrer) + uint64(site.Project)
	if d.path != "" {
		h += bits.RotateLeft64(maphash.String(m.seed, d.path), 1)
	}
	return h
}

// setOf returns the set of a hash. The product spreads what only differs in low bits, such as projects do.
func (m *visitMemo) setOf(hash uint64) *visitSet {
	return &m.sets[hash*0x9e3779b97f4a7c15>>32%uint64(len(m.sets))]
}

// find returns the visit of a draft, if it is remembered. Its URL is one of the web then.
func (m *visitMemo) find(site *Site, d *draft) *knownVisit {
	hash := m.hash(site, d)
	set := m.setOf(hash)
	for i := range set.marks {
		if set.marks[i].Load() != uint32(hash) {
			continue
		}
		k := set.visits[i].Load()
		if k == nil || k.hash != hash || !k.isOf(site, d) {
			continue
		}
		if i > 0 {
			if before := set.visits[i-1].Load(); before != nil {
				set.put(i, before)
			}
			set.put(i-1, k)
		}
		return k
	}
	return nil
}

// isOf reports whether a visit is that of a draft.
func (k *knownVisit) isOf(site *Site, d *draft) bool {
	return k.url == d.url && k.referrer == d.referrer && k.sentPath == d.path && k.project == site.Project &&
		slices.Equal(k.hosts, site.InternalHosts) && slices.Equal(k.allowed, site.AllowedParams)
}

// visitOf returns the visit of a draft that isn't remembered yet; owned says that it shares no memory with the draft.
func (m *visitMemo) visitOf(site *Site, d *draft) (v visit, owned bool) {
	v = newVisit(site, d)
	clean := v.url == d.url && v.referrer == d.referrer && (d.path == "" || v.path == d.path)
	if !clean || len(d.url)+len(d.path)+len(d.referrer) > visitBytesMax {
		return v, false
	}
	v = m.own(v)
	k := &knownVisit{visit: v, hash: m.hash(site, d), project: site.Project}
	if d.path != "" {
		k.sentPath = v.path
	}
	m.setOf(k.hash).add(k)
	return v, true
}

// add takes a visit into the first place that is free, else into the last.
func (s *visitSet) add(k *knownVisit) {
	for i := range s.visits {
		if i == visitWays-1 || s.visits[i].Load() == nil {
			s.put(i, k)
			return
		}
	}
}

// own returns a visit in memory of its own, which it shares with other visits.
func (m *visitMemo) own(v visit) visit {
	v.hosts, v.allowed = slices.Clone(v.hosts), slices.Clone(v.allowed)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range []*string{&v.url, &v.referrer, &v.source, &v.medium, &v.campaign} {
		*text = m.word(*text)
	}
	if at := strings.Index(v.url, v.path); at >= 0 {
		v.path = v.url[at : at+len(v.path)]
	} else {
		v.path = m.word(v.path)
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
	path = d.page.Path
	if path == "" {
		path = "/"
	}
	if url == d.url {
		return url, path // nothing was in the URL, so nothing is in its path
	}
	return url, privacy.StripURL(path, allowed...)
}

package history

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"millimetric/ingest/classify"
	"millimetric/ingest/privacy"
)

const (
	pageCount    = 5000
	itemCount    = 2000
	personCount  = 1 << 14 // kinds of visitors: with as many, no two columns follow from each other
	addressCount = 4096
)

var (
	categories = []string{"chairs", "lamps", "tables", "rugs", "shelves", "beds", "kitchen", "garden"}
	otherNames = []string{
		"click", "scroll", "search", "video_play", "video_end", "newsletter", "share", "filter", "sort", "zoom", "review", "wishlist", "chat_open", "download",
	}
	languages = []string{"en-US", "en-US", "en-US", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "zh-CN", "en-GB"}
	viewports = []string{"1440x900", "1920x1080", "390x844", "412x915", "393x852", "1536x864", "768x1024", "2560x1440"}
)

// world is what the visits of a history choose from.
type world struct {
	pages, items, plans []string
	page, item          *rand.Zipf
	traffic             []*traffic // each as often as its weight
	inside              *traffic   // from one page of the site to the next
	persons             []person
	seed                uint64
}

// traffic is where a visit comes from, and what the server's rules say of it.
type traffic struct {
	referrer string
	query    string
	click    string // a parameter of ads, with an id of its own for each visit
	weight   int

	Source, Medium, Campaign, Confidence, Rule string
}

// person is what all visits of a visitor have in common.
type person struct {
	address  netip.Addr // invalid in a plain history
	agent    string
	language string
	viewport string

	Country, Device, Browser, OS string
	bot, joins, sendsSession     bool
}

func newWorld(random *rand.Rand, connections bool) (*world, error) {
	w := &world{seed: random.Uint64()}
	w.pages = append(w.pages, "/")
	for i := 1; i < pageCount; i++ {
		kind := []string{"/products/", "/blog/", "/help/", "/collections/"}[i%4]
		w.pages = append(w.pages, kind+categories[i/4%len(categories)]+"-"+strconv.Itoa(i))
	}
	for i := range itemCount {
		w.items = append(w.items, "/items/sku-"+strconv.Itoa(i))
	}
	for _, plan := range []string{"free", "free", "pro", "team"} {
		w.plans = append(w.plans, fmt.Sprintf(`{"plan":%q}`, plan))
	}
	w.page = rand.NewZipf(random, 1.15, 3, pageCount-1)
	w.item = rand.NewZipf(random, 1.1, 8, itemCount-1)
	for _, t := range origins() {
		t.classify()
		for range t.weight {
			w.traffic = append(w.traffic, &t)
		}
	}
	w.inside = &traffic{referrer: host + "/"}
	w.inside.classify()
	return w, w.populate(random, connections)
}

func (t *traffic) classify() {
	query := t.query
	if t.click != "" {
		query = t.click + "=x"
	}
	r := classify.Classify(classify.Input{URL: host + "/?" + query, Referrer: t.referrer})
	t.Source, t.Medium, t.Campaign, t.Confidence, t.Rule = r.Source, r.Medium, r.Campaign, r.Confidence, r.Rule
}

// origins returns where visits come from: a third of them directly, the rest from few great sources
// and many small ones.
func origins() []traffic {
	all := []traffic{
		{weight: 340},
		{weight: 200, referrer: "https://www.google.com/"}, {weight: 25, referrer: "https://www.bing.com/"}, {weight: 12, referrer: "https://duckduckgo.com/"},
		{weight: 60, referrer: "https://www.google.com/", click: "gclid"}, {weight: 10, click: "msclkid"}, {weight: 12, click: "ttclid"},
		{weight: 30, referrer: "https://l.facebook.com/", click: "fbclid"},
		{weight: 30, referrer: "https://www.facebook.com/"}, {weight: 20, referrer: "https://t.co/"}, {weight: 25, referrer: "https://www.instagram.com/"},
		{weight: 10, referrer: "https://www.reddit.com/"}, {weight: 14, referrer: "https://www.youtube.com/"}, {weight: 16, referrer: "https://chatgpt.com/"},
		{weight: 6, referrer: "https://www.perplexity.ai/"}, {weight: 4, referrer: "https://mail.google.com/"},
	}
	for i := range 24 {
		medium := []string{"email", "cpc", "social", "partner"}[i%4]
		query := fmt.Sprintf("utm_source=%s&utm_medium=%s&utm_campaign=%s", []string{"newsletter", "adnet", "influencer", "partner"}[i%4], medium, categories[i%len(categories)]+"-"+strconv.Itoa(2020+i/8))
		all = append(all, traffic{weight: 1 + 24/(i+1), query: query})
	}
	for i := range 60 {
		all = append(all, traffic{weight: 1 + 40/(i+2), referrer: fmt.Sprintf("https://blog%d.example/posts/%d", i, i*i)})
	}
	return all
}

// entry is where a visit comes from.
func (w *world) entry(random *rand.Rand) *traffic { return w.traffic[random.IntN(len(w.traffic))] }

// person is the visitor's kind.
func (w *world) person(visitor uint32) *person {
	return &w.persons[mix(w.seed^uint64(visitor))%personCount]
}

// user is the name under which the visitor logs in. A quarter share theirs with a neighbour, who may
// not log in at all: these are the people with more than one device.
func user(visitor uint32) string {
	if mix(uint64(visitor))%4 == 0 {
		visitor &^= 7
	}
	return "user-" + strconv.FormatUint(uint64(visitor), 10)
}

// populate makes the kinds of visitors.
func (w *world) populate(random *rand.Rand, connections bool) error {
	agents, err := privacy.NewAgents()
	if err != nil {
		return err
	}
	addresses := addressesOf(random)
	for range personCount {
		p := person{
			language: languages[random.IntN(len(languages))], viewport: viewports[random.IntN(len(viewports))],
			joins: random.IntN(5) == 0, sendsSession: random.IntN(16) > 0,
		}
		if connections {
			p.address, p.agent = addresses[random.IntN(len(addresses))], agentTexts[random.IntN(len(agentTexts))]
			if random.IntN(100) == 0 {
				p.agent, p.joins = botAgents[random.IntN(len(botAgents))], false
			}
			a := agents.Parse(p.agent)
			p.Country, p.Device, p.Browser, p.OS, p.bot = privacy.Country(p.address), a.Device, a.Browser, a.OS, a.Bot != ""
		}
		w.persons = append(w.persons, p)
	}
	return nil
}

// addressesOf returns addresses spread as the registries gave them out, which is much as people are.
func addressesOf(random *rand.Rand) []netip.Addr {
	var all []netip.Addr
	for len(all) < addressCount {
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], random.Uint32())
		if addr := netip.AddrFrom4(four); privacy.Country(addr) != "" {
			all = append(all, addr)
		}
	}
	return all
}

var agentTexts = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
}

var botAgents = []string{
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
}

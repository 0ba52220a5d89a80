package privacy

import (
	"hash/maphash"
	"strings"

	"github.com/maypok86/otter/v2"
	"github.com/mileusna/useragent"
)

const (
	// agentBytesMax bounds what is read of an agent. Real ones are below 300 bytes; a stranger's
	// megabyte must not be parsed.
	agentBytesMax = 512
	// agentsMax bounds the cache. A site sees a few thousand agents in a day; a flood of invented
	// ones pushes out each other rather than those, and costs about 1 MB at most.
	agentsMax = 8192
)

// Agent is what is kept of a user agent. All values are from short fixed lists.
type Agent struct {
	Device  string // desktop, mobile, tablet or ""
	Browser string // chrome, firefox, safari, edge, opera or ""
	OS      string // windows, macos, android, ios, linux or ""
	Bot     string // why it is held to be a machine, "" for people; see the Bot constants
}

// Agents parses user agents and remembers the results.
type Agents struct {
	seed     maphash.Seed // its own for each process: a dump of the cache can't be searched for an agent
	cache    *otter.Cache[uint64, Agent]
	crawlers *crawlers
}

// NewAgents compiles the list of crawlers. It also unpacks the table of countries, so that no
// visitor has to wait for that.
func NewAgents() (*Agents, error) {
	if err := loadCountries(); err != nil {
		return nil, err
	}
	list, err := newCrawlers(crawlersText)
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[uint64, Agent]{
		MaximumSize: agentsMax,
		Executor:    func(task func()) { task() }, // upkeep by the caller: no goroutines of ours
	})
	if err != nil {
		return nil, err
	}
	return &Agents{seed: maphash.MakeSeed(), cache: cache, crawlers: list}, nil
}

// Parse says what the agent stands for. The empty agent is a bot to it; a caller that never had an
// agent to begin with shouldn't ask.
func (a *Agents) Parse(userAgent string) Agent {
	userAgent = userAgent[:min(len(userAgent), agentBytesMax)]
	// The key is a hash and never the text: see the package comment. Two agents meet in 64 bits once
	// in some billions of processes, and then one visitor gets the other's browser.
	key := maphash.String(a.seed, userAgent)
	if agent, ok := a.cache.GetIfPresent(key); ok {
		return agent
	}
	agent := a.parse(userAgent)
	a.cache.Set(key, agent)
	return agent
}

// parse reads the agent. Its result must hold constants only: a substring would keep the whole
// agent alive in the cache.
func (a *Agents) parse(userAgent string) Agent {
	parsed := useragent.Parse(userAgent)
	os := system(parsed, userAgent)
	return Agent{
		Device:  device(parsed, userAgent, os),
		Browser: browser(userAgent),
		OS:      os,
		Bot:     a.crawlers.reason(userAgent),
	}
}

func system(parsed useragent.UserAgent, userAgent string) string {
	switch parsed.OS {
	case useragent.Windows:
		return "windows"
	case useragent.MacOS:
		// An iPad that asks for desktop pages calls itself a Macintosh, but no Mac has this token.
		if strings.Contains(userAgent, " Mobile/") {
			return "ios"
		}
		return "macos"
	case useragent.Android, useragent.WindowsPhone:
		if strings.Contains(userAgent, "Windows Phone") { // which also says Android, to get its pages
			return "windows"
		}
		// The library takes every Samsung browser for Android's, but a phone on a desk says Linux.
		if strings.Contains(userAgent, "Android") {
			return "android"
		}
	case useragent.IOS:
		return "ios"
	case useragent.Linux, useragent.ChromeOS: // ChromeOS is a Linux, and has no name of its own here
		return "linux"
	}
	if strings.Contains(userAgent, "iPod") {
		return "ios"
	}
	if strings.Contains(userAgent, "CrOS ") || strings.Contains(userAgent, "Linux") {
		return "linux"
	}
	return ""
}

func device(parsed useragent.UserAgent, userAgent, os string) string {
	switch {
	case isTelevision(userAgent):
		return "" // neither desktop nor mobile nor tablet
	case parsed.Tablet, os == "ios" && parsed.OS == useragent.MacOS:
		return "tablet"
	case os == "android" && strings.Contains(userAgent, " Safari/") && !strings.Contains(userAgent, "Mobile"):
		return "tablet" // browsers on Android say "Mobile" on phones, and leave it out on tablets
	case os == "linux" && !strings.Contains(userAgent, "Mobile"):
		return "desktop"
	case parsed.Mobile, strings.Contains(userAgent, "Opera Mini/"), strings.Contains(userAgent, "IEMobile/"):
		return "mobile"
	case parsed.Desktop:
		return "desktop"
	}
	return ""
}

func isTelevision(userAgent string) bool {
	for _, token := range []string{"SMART-TV", "SmartTV", "Smart TV", "GoogleTV", "Android TV", "Web0S", "BRAVIA", "HbbTV", "AppleTV", "; AFT"} {
		if strings.Contains(userAgent, token) {
			return true
		}
	}
	return false
}

// browsers maps the tokens of agents to the five names, the telling ones first: Edge and Opera also
// say Chrome, and Chrome also says Safari.
var browsers = []struct{ token, name string }{
	{"Edg/", "edge"}, {"EdgA/", "edge"}, {"EdgiOS/", "edge"}, {"Edge/", "edge"},
	{"OPR/", "opera"}, {"OPT/", "opera"}, {"OPiOS/", "opera"}, {"OPX/", "opera"}, {"Opera", "opera"},
	{"FxiOS/", "firefox"}, {"Focus/", "firefox"}, {"Firefox/", "firefox"},
	{"CriOS/", "chrome"}, {"Chrome/", "chrome"}, {"Chromium/", "chrome"},
}

// browser names the browser. There are five names and many more brands: a brand built on Chromium
// (Samsung Internet, Brave, Vivaldi, Yandex, the web views of Android) counts as chrome and one
// built on Apple's WebKit (the web views of iOS, the Google app) as safari, since it is the engine
// that a site has to work in. What has neither, such as Internet Explorer, stays without a name.
func browser(userAgent string) string {
	for _, b := range browsers {
		if strings.Contains(userAgent, b.token) {
			return b.name
		}
	}
	apple := strings.Contains(userAgent, "Macintosh") || strings.Contains(userAgent, "iPhone") ||
		strings.Contains(userAgent, "iPad") || strings.Contains(userAgent, "iPod")
	if apple && strings.Contains(userAgent, "AppleWebKit/") {
		return "safari"
	}
	return ""
}

package privacy

import "strings"

// tell is a text that gives a machine away which no list has.
type tell struct {
	text   string
	edges  edge
	reason string
}

// edge says where a tell must stand alone: a letter or digit beside it makes another word of it.
type edge uint8

const (
	edgeLeft edge = 1 << iota
	edgeRight
)

// tells is in the order in which the reasons are wanted: what says the purpose comes first.
var tells = []tell{
	{"headless", 0, BotHeadless},
	{"phantomjs", 0, BotHeadless},
	{"selenium", 0, BotHeadless},
	{"puppeteer", 0, BotHeadless},
	{"playwright", 0, BotHeadless},
	{"webdriver", 0, BotHeadless},
	{"cypress/", 0, BotHeadless},
	{"feed", 0, BotFeedReader},
	{"rss", edgeRight, BotFeedReader},
	{"simplepie", 0, BotFeedReader},
	{"newsblur", 0, BotFeedReader},
	{"newsify/", 0, BotFeedReader},
	{"reeder/", 0, BotFeedReader},
	{"liferea/", 0, BotFeedReader},
	{"aggregator", 0, BotFeedReader},
	{"monitor", 0, BotMonitoring},
	{"uptime", 0, BotMonitoring},
	{"pingdom", 0, BotMonitoring},
	{"linkcheck", 0, BotMonitoring},
	{"link check", 0, BotMonitoring},
	{"validator", 0, BotMonitoring},
	{"nikto", 0, BotScanner},
	{"sqlmap", 0, BotScanner},
	{"nessus", 0, BotScanner},
	{"masscan", 0, BotScanner},
	{"nmap", edgeLeft, BotScanner},
	{"httrack", 0, BotArchiver},
	{"archive", 0, BotArchiver},
	{"bot", edgeRight, BotCrawler},
	{"bots", edgeRight, BotCrawler},
	{"crawl", 0, BotCrawler},
	{"spider", 0, BotCrawler},
	{"slurp", 0, BotCrawler},
	{"scrape", 0, BotCrawler},
	{"scrapy", 0, BotCrawler},
	{"nutch", 0, BotCrawler},
	{"fetch", 0, BotCrawler},
	{"google favicon", 0, BotCrawler},
	{"preview", 0, BotSocialPreview},
	{"node", edgeLeft | edgeRight, BotHTTPLibrary},
	{"node.js", 0, BotHTTPLibrary},
	{"undici", 0, BotHTTPLibrary},
	{"deno/", edgeLeft, BotHTTPLibrary},
	{"bun/", edgeLeft, BotHTTPLibrary},
	{"postman", 0, BotHTTPLibrary},
	{"insomnia", 0, BotHTTPLibrary},
	{"python", 0, BotHTTPLibrary},
	{"perl", edgeLeft | edgeRight, BotHTTPLibrary},
	{"ruby", edgeLeft | edgeRight, BotHTTPLibrary},
	{"php/", edgeLeft, BotHTTPLibrary},
	{"java/", edgeLeft, BotHTTPLibrary},
	{"curl/", 0, BotHTTPLibrary},
	{"wget", edgeLeft, BotHTTPLibrary},
	{"httpclient", 0, BotHTTPLibrary},
	{"http-client", 0, BotHTTPLibrary},
	{"okhttp", 0, BotHTTPLibrary},
	{"dart:io", 0, BotHTTPLibrary},
	{"winhttp", 0, BotHTTPLibrary},
	// People's browsers don't say where to complain about them.
	{"http://", 0, BotCrawler},
	{"https://", 0, BotCrawler},
	{"www.", edgeLeft, BotCrawler},
}

// innocent are words of people's agents that hold a tell: the phones of Cubot, an app's name.
var innocent = []string{"cubot", "feedly ios", "newsfeed"}

// looks judges an agent, in lower case, that no list names.
func looks(agent string) string {
	for _, word := range innocent {
		if strings.Contains(agent, word) {
			agent = strings.ReplaceAll(agent, word, "")
		}
	}
	for i := range tells {
		if tells[i].in(agent) {
			return tells[i].reason
		}
	}
	switch {
	case namesContact(agent):
		return BotCrawler
	case strings.HasPrefix(agent, "mozilla/"), strings.HasPrefix(agent, "opera/"):
		if !namesSystem(agent) {
			return BotCrawler
		}
	case strings.HasPrefix(agent, "dalvik/"):
		// Android's own client. An app that is worth the name adds its own behind the brackets.
		if strings.HasSuffix(agent, ")") {
			return BotHTTPLibrary
		}
	case strings.Contains(agent, "cfnetwork/"):
		return "" // an app on an Apple device: there is a person behind it
	case strings.HasPrefix(agent, "lynx/"), strings.Contains(agent, "midp-"):
		return "" // people's text browsers and old phones are as brief as programs
	case !strings.Contains(agent, "("):
		return BotHTTPLibrary // "name/1.0": no other browser is that brief
	}
	return ""
}

func (t *tell) in(agent string) bool {
	for from := 0; ; {
		at := strings.Index(agent[from:], t.text)
		if at < 0 {
			return false
		}
		start, end := from+at, from+at+len(t.text)
		leftFine := t.edges&edgeLeft == 0 || start == 0 || !isWordByte(agent[start-1])
		rightFine := t.edges&edgeRight == 0 || end == len(agent) || !isLetter(agent[end])
		if leftFine && rightFine {
			return true
		}
		from = end
	}
}

// namesContact finds an e-mail address, which crawlers leave for the site's owner. Ecosia's
// browsers write "ios@10.1": a digit behind the sign is a version.
func namesContact(agent string) bool {
	_, domain, found := strings.Cut(agent, "@")
	return found && domain != "" && isLetter(domain[0]) && strings.Contains(domain, ".")
}

// namesSystem says whether there is more than the "Mozilla/5.0" or "Mozilla/5.0 (compatible)" that
// programs send to look like a browser: every browser names the system it runs on in brackets.
func namesSystem(agent string) bool {
	_, system, found := strings.Cut(agent, "(")
	if !found {
		return false
	}
	system, _, _ = strings.Cut(system, ")")
	system = strings.TrimPrefix(strings.TrimSpace(system), "compatible")
	return strings.Trim(system, "; ") != ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) }

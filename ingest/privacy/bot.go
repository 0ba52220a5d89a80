package privacy

import (
	_ "embed"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// The reasons why an agent is held to be a machine: what it is for, where that is known.
const (
	BotSearchEngine  = "search-engine"
	BotAI            = "ai-crawler"
	BotSEO           = "seo"
	BotMonitoring    = "monitoring"
	BotScanner       = "scanner"
	BotAdvertising   = "advertising"
	BotSocialPreview = "social-preview"
	BotFeedReader    = "feed-reader"
	BotHTTPLibrary   = "http-library"
	BotArchiver      = "archiver"
	BotAcademic      = "academic"
	BotHeadless      = "headless-browser"
	BotCrawler       = "crawler"       // a machine by its looks, of unknown purpose
	BotNoUserAgent   = "no-user-agent" // browsers always send one
)

//go:embed crawlers.txt
var crawlersText string

// botReasons are the reasons that the list may give, so that its text needn't stay alive.
var botReasons = []string{
	BotSearchEngine, BotAI, BotSEO, BotMonitoring, BotScanner, BotAdvertising, BotSocialPreview,
	BotFeedReader, BotHTTPLibrary, BotArchiver, BotAcademic, BotHeadless, BotCrawler,
}

// crawlers finds which pattern of the list an agent matches. Trying 1,500 expressions in turn would
// take a millisecond, which a stranger could ask for with every request. Instead:
//
//  1. Every pattern has a piece of text that must occur in whatever it matches, its literal.
//  2. Of each literal, the three bytes that are rarest among all literals are its gram.
//  3. One pass over the agent looks up each three bytes; only where they are some literal's gram is
//     that literal compared, and only where it is there is the expression run.
type crawlers struct {
	list  []crawler
	seen  [1 << 10]uint64    // a bit per hashed gram: most places of an agent end here
	grams map[uint32][]place // by gram, in the order of the list
}

type crawler struct {
	reason  string
	literal string
	expr    *regexp.Regexp // nil where the literal is the whole pattern
}

// place says that a gram stands in the literal of a crawler, and where.
type place struct{ crawler, offset int }

const gramBytes = 3

func newCrawlers(text string) (*crawlers, error) {
	c := &crawlers{grams: map[uint32][]place{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		reason, pattern, _ := strings.Cut(line, "\t")
		if err := c.add(reason, pattern); err != nil {
			return nil, fmt.Errorf("read crawler %q: %w", pattern, err)
		}
	}
	c.index()
	return c, nil
}

// add takes a pattern into the list; one that is a choice, such as "a|b", as several.
func (c *crawlers) add(reason, pattern string) error {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return err
	}
	choices := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpAlternate {
		choices = tree.Sub
	}
	for _, known := range botReasons {
		if known == reason {
			reason = known
		}
	}
	for _, choice := range choices {
		entry := crawler{reason: reason, literal: literal(choice)}
		if len(entry.literal) < gramBytes {
			return fmt.Errorf("no text of %d bytes is certain to occur", gramBytes)
		}
		if choice.Op != syntax.OpLiteral {
			if entry.expr, err = regexp.Compile(choice.String()); err != nil {
				return err
			}
		}
		c.list = append(c.list, entry)
	}
	return nil
}

// literal returns the longest text that occurs in everything that the expression matches.
func literal(tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase == 0 {
			return string(tree.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literal(tree.Sub[0])
	case syntax.OpConcat:
		longest := ""
		for _, part := range tree.Sub {
			if text := literal(part); len(text) > len(longest) {
				longest = text
			}
		}
		return longest
	}
	return ""
}

// everyday is text that most browsers send. Its grams make a poor index.
const everyday = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) (Macintosh; Intel Mac OS X 10_15_7) (X11; Linux x86_64) " +
	"(iPhone; CPU iPhone OS 18_0 like Mac OS X) (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/130.0.0.0 Mobile Safari/537.36 Version/18.0 Mobile/15E148 Gecko/20100101 Firefox/130.0 compatible; http://www. https:// .com/ "

func (c *crawlers) index() {
	frequency := map[uint32]int{}
	for i := range len(everyday) - gramBytes + 1 {
		frequency[gram(everyday, i)] += len(c.list)
	}
	for _, entry := range c.list {
		for i := range len(entry.literal) - gramBytes + 1 {
			frequency[gram(entry.literal, i)]++
		}
	}
	for n, entry := range c.list {
		rarest := 0
		for i := range len(entry.literal) - gramBytes + 1 {
			if frequency[gram(entry.literal, i)] < frequency[gram(entry.literal, rarest)] {
				rarest = i
			}
		}
		g := gram(entry.literal, rarest)
		word, bit := seenBit(g)
		c.seen[word] |= bit
		c.grams[g] = append(c.grams[g], place{crawler: n, offset: rarest})
	}
}

func gram(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16
}

func seenBit(gram uint32) (word, bit uint64) {
	hash := gram * 2654435761 >> 16
	return uint64(hash >> 6), 1 << (hash & 63)
}

// listed returns the reason of the first crawler of the list that matches, "" where none does.
func (c *crawlers) listed(agent string) string {
	first := len(c.list)
	for i := range len(agent) - gramBytes + 1 {
		g := gram(agent, i)
		if word, bit := seenBit(g); c.seen[word]&bit == 0 {
			continue
		}
		for _, at := range c.grams[g] {
			if at.crawler >= first {
				break
			}
			if c.list[at.crawler].matches(agent, i-at.offset) {
				first = at.crawler
			}
		}
	}
	if first == len(c.list) {
		return ""
	}
	return c.list[first].reason
}

// matches says whether the crawler's literal begins at the given place, and the rest agrees too.
func (c *crawler) matches(agent string, at int) bool {
	return at >= 0 && strings.HasPrefix(agent[at:], c.literal) && (c.expr == nil || c.expr.MatchString(agent))
}

// reason says why the agent is a machine, "" if it isn't one.
func (c *crawlers) reason(agent string) string {
	if strings.TrimSpace(agent) == "" {
		return BotNoUserAgent
	}
	if listed := c.listed(agent); listed != "" {
		return listed
	}
	return looks(strings.ToLower(agent))
}

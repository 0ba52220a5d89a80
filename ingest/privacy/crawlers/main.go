// Command crawlers reduces the JSON of the npm package crawler-user-agents to what the privacy
// package compiles in: one reason and one pattern per line. It also writes the package's own sample
// agents as test data. Run it in ingest/privacy when the list has a new release:
//
//	go run ./crawlers path/to/package/crawler-user-agents.json
//
// It is not part of the server. It starts no goroutines and writes two files: crawlers.txt and
// testdata/crawlers.txt.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// entry is what the list says about one crawler.
type entry struct {
	Pattern   string   `json:"pattern"`
	Tags      []string `json:"tags"`
	Instances []string `json:"instances"`
}

// dropped are patterns of the list that also match people, with the reason of each.
var dropped = map[string]string{
	`AP3A\.240617\.008`: "an Android build: real phones carry it",
	`Code\/1\.`:         "the web views of an editor that people use",
	`^Silk\/`:           "Amazon's tablets once sent this",
}

const header = `# Patterns of agents that are machines: reason, tab, regular expression (RE2, case matters).
# Made by the program in the folder crawlers; edit that, not this.
#
# Reduced from crawler-user-agents 1.60.0 (npm), which carries this licence:
#
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crawlers crawler-user-agents.json")
		os.Exit(2)
	}
	if err := reduce(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reduce(source string) error {
	raw, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(filepath.Dir(source), "LICENSE"))
	if err != nil {
		return err
	}
	var list []entry
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read %s: %w", source, err)
	}
	var patterns, samples strings.Builder
	patterns.WriteString(header)
	for line := range strings.Lines(string(licence)) {
		patterns.WriteString(strings.TrimRight("# "+strings.TrimSpace(line), " ") + "\n")
	}
	for _, e := range list {
		if dropped[e.Pattern] != "" {
			continue
		}
		if _, err := regexp.Compile(e.Pattern); err != nil || strings.ContainsAny(e.Pattern, "\t\n") {
			return fmt.Errorf("pattern %q doesn't fit: %w", e.Pattern, err)
		}
		fmt.Fprintf(&patterns, "%s\t%s\n", reason(e.Tags), e.Pattern)
		for _, agent := range e.Instances {
			samples.WriteString(strings.Join(strings.Fields(agent), " ") + "\n")
		}
	}
	if err := os.WriteFile("crawlers.txt", []byte(patterns.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile("testdata/crawlers.txt", []byte(samples.String()), 0o644)
}

// reason names a crawler by its tags. What feeds a language model is named so whatever else it is:
// that is what people ask about.
func reason(tags []string) string {
	switch {
	case len(tags) == 0:
		return "crawler"
	case slices.Contains(tags, "ai-crawler"):
		return "ai-crawler"
	case tags[0] == "browser-automation":
		return "headless-browser"
	}
	return tags[0]
}

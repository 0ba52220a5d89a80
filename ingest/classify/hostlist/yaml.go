package main

import (
	"fmt"
	"net/url"
	"strings"
)

// row is one host of a list with the name it stands under.
type row struct{ name, value string }

// read walks the hosts of either list. They use a sliver of YAML: names in the first column, below
// them a list of hosts or of blocks with known members, of which "urls" holds the hosts. A line
// that is anything else is an error, so that a change of the list's shape can't pass unseen.
func read(text string) ([]row, error) {
	var rows []row
	var name, member string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, " \r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line[0] != ' ' {
			raw, ok := strings.CutSuffix(line, ":")
			if !ok {
				return nil, fmt.Errorf("line %d: %q is no name", number, line)
			}
			name, member = unquote(raw), ""
			continue
		}
		next, value, ok := readMember(strings.TrimSpace(line), member)
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d: %q is no member", number, line)
		}
		member = next
		if value != "" && (member == "urls" || member == "") {
			rows = append(rows, row{name, value})
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no hosts")
	}
	return rows, nil
}

// readMember reads one indented line: the start of a block, the start of a member, or an item.
func readMember(line, member string) (next, value string, ok bool) {
	if line == "-" {
		return "", "", true
	}
	item := strings.HasPrefix(line, "- ")
	line = strings.TrimPrefix(line, "- ")
	if known, _, found := strings.Cut(line, ":"); found {
		switch known {
		case "urls", "params", "hiddenkeyword", "charsets", "backlink":
			return known, "", true
		}
	}
	return member, unquote(line), item
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// renamed are the names for which the rule of sourceOf gives no good source.
var renamed = map[string]string{
	"Google+":            "google-plus",
	"Vkontakte":          "vk",
	"Haboo":              "habbo", // the list's own slip, and so is the next
	"Ozone":              "qzone",
	"Mailru":             "mail.ru",
	"ABCsøk":             "abcsok",
	"Cốc Cốc":            "coccoc",
	"La Toile Du Québec": "la-toile-du-quebec",
	"www värav":          "www.ee",
	"묻지마 검색":             "kwzf.net",
}

// brandsOf are the names of one word: "Google Images" is Google's because "Google" is in the list.
func brandsOf(rows []row) map[string]bool {
	brands := map[string]bool{}
	for _, r := range rows {
		if !strings.Contains(r.name, " ") {
			brands[r.name] = true
		}
	}
	return brands
}

// sourceOf makes the source from a name: without a remark in brackets, cut to the brand where the
// first word is one, in lower case, without "!", and with a hyphen for each blank.
func sourceOf(name string, brands map[string]bool) string {
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	name, _, _ = strings.Cut(name, " (")
	if source, ok := renamed[name]; ok {
		return source
	}
	if first, _, _ := strings.Cut(name, " "); brands[first] {
		name = first
	}
	name = strings.ReplaceAll(strings.ToLower(name), "!", "")
	return strings.ReplaceAll(name, " ", "-")
}

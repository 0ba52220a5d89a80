// Command hostlist reduces the public list of search engines and social networks to the one text
// file that package classify embeds.
//
// It reads the two YAML files of Matomo's searchengine-and-social-list (CC0) and keeps the hosts and
// their names. Search terms and back links stay behind: keywords are personal data, and classify
// looks at hosts alone. It starts no goroutines; the file it is told to write is all that reaches
// the disk.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: hostlist SearchEngines.yml Socials.yml hosts.txt")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "hostlist:", err)
		os.Exit(1)
	}
}

func write(enginesFile, socialsFile, hostsFile string) error {
	engines, err := os.ReadFile(enginesFile)
	if err != nil {
		return err
	}
	socials, err := os.ReadFile(socialsFile)
	if err != nil {
		return err
	}
	text, err := reduce(string(engines), string(socials))
	if err != nil {
		return err
	}
	return os.WriteFile(hostsFile, []byte(text), 0o644)
}

const header = `# Search engines and social networks: host, source, medium. A host stands for its subdomains too;
# "name.*" stands for name under every country's domain (name.de, name.co.uk).
# Made by hostlist from Matomo's searchengine-and-social-list 3.14.0 (CC0): don't edit, see own.txt.
`

// site is what the list knows of one host.
type site struct{ source, medium string }

// reduce turns the two lists into the lines of hosts.txt, sorted by host.
func reduce(engines, socials string) (string, error) {
	engineHosts, err := read(engines)
	if err != nil {
		return "", fmt.Errorf("read search engines: %w", err)
	}
	socialHosts, err := read(socials)
	if err != nil {
		return "", fmt.Errorf("read social networks: %w", err)
	}
	hosts := map[string]site{}
	brands := brandsOf(engineHosts)
	for _, row := range engineHosts {
		add(hosts, row.value, site{sourceOf(row.name, brands), "organic"})
	}
	// Second, so that a network wins where both lists claim a host: Facebook's search is Facebook.
	taken := map[string]bool{}
	for _, row := range socialHosts {
		if host, ok := reduceHost(row.value); ok && !taken[host] {
			taken[host] = true
			delete(hosts, host)
		}
		add(hosts, row.value, site{sourceOf(row.name, nil), "social"})
	}
	for host, own := range hosts {
		if covered(hosts, host, own) {
			delete(hosts, host)
		}
	}
	var lines []string
	for host, of := range hosts {
		lines = append(lines, host+"\t"+of.source+"\t"+of.medium+"\n")
	}
	slices.Sort(lines)
	return header + strings.Join(lines, ""), nil
}

// add notes a host. The first name wins: the list puts an engine before its special pages.
func add(hosts map[string]site, raw string, of site) {
	host, ok := reduceHost(raw)
	if !ok {
		return
	}
	if _, there := hosts[host]; !there {
		hosts[host] = of
	}
}

// reduceHost brings a host of the list into the form of hosts.txt. ok is false for an entry with a
// path: it says nothing about the host's other pages.
func reduceHost(raw string) (host string, ok bool) {
	host = strings.ToLower(raw)
	if host == "" || strings.ContainsAny(host, "/ \t") {
		return "", false
	}
	if name, found := strings.CutSuffix(host, ".{}"); found {
		host = name + ".*"
	}
	// A country in front of or within a host is one of its subdomains.
	if at := strings.LastIndex(host, "{}."); at >= 0 {
		host = host[at+len("{}."):]
	}
	return strings.TrimPrefix(host, "www."), true
}

// covered reports whether a host above this one already says the same, and nothing between them
// says otherwise.
func covered(hosts map[string]site, host string, own site) bool {
	for {
		_, above, found := strings.Cut(host, ".")
		if !found || above == "*" {
			return false
		}
		if of, there := hosts[above]; there {
			return of == own
		}
		host = above
	}
}

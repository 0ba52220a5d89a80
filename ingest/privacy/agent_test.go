package privacy

import (
	"bytes"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func newAgents(t testing.TB) *Agents {
	t.Helper()
	agents, err := NewAgents()
	if err != nil {
		t.Fatal(err)
	}
	return agents
}

// rows reads a file of tab-separated fields, without its comments.
func rows(t testing.TB, file string) [][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "# ") {
			all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
	}
	return all
}

func TestPeopleAreKnownByTheirDevice(t *testing.T) {
	agents, people := newAgents(t), rows(t, "testdata/people.txt")
	if len(people) < 60 {
		t.Fatalf("only %d agents", len(people))
	}
	plain := func(field string) string { return strings.TrimPrefix(field, "-") }
	for _, row := range people {
		want := Agent{Device: plain(row[0]), Browser: plain(row[1]), OS: plain(row[2])}
		if got := agents.Parse(row[3]); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", row[3], got, want)
		}
	}
}

func TestMachinesAreKnownByTheirPurpose(t *testing.T) {
	agents := newAgents(t)
	for _, row := range rows(t, "testdata/machines.txt") {
		if got := agents.Parse(row[1]).Bot; got != row[0] {
			t.Errorf("%q: got %q, want %q", row[1], got, row[0])
		}
	}
}

func TestTheListKnowsItsOwnSamples(t *testing.T) {
	agents, samples := newAgents(t), rows(t, "testdata/crawlers.txt")
	missed, unlisted := 0, 0
	for _, row := range samples {
		if agents.Parse(row[0]).Bot == "" {
			missed++
		}
		if agents.crawlers.listed(row[0]) == "" {
			unlisted++
			t.Errorf("no pattern matches %s", row[0])
		}
	}
	t.Logf("samples=%d missed=%d unlisted=%d", len(samples), missed, unlisted)
	if len(samples) < 2000 || missed > 0 {
		t.Errorf("%d of %d samples missed", missed, len(samples))
	}
}

// The index must find what trying every expression in turn finds, and the same one of them.
func TestTheIndexAgreesWithTryingEveryPattern(t *testing.T) {
	list := newAgents(t).crawlers
	slow := func(agent string) string {
		for _, entry := range list.list {
			if entry.expr == nil && strings.Contains(agent, entry.literal) || entry.expr != nil && entry.expr.MatchString(agent) {
				return entry.reason
			}
		}
		return ""
	}
	check := func(agent string) {
		if got, want := list.listed(agent), slow(agent); got != want {
			t.Errorf("%s: got %q, want %q", agent, got, want)
		}
	}
	for i, row := range rows(t, "testdata/crawlers.txt") {
		if i%7 == 0 {
			check(row[0])
		}
	}
	for _, row := range rows(t, "testdata/people.txt") {
		check(row[3])
	}
}

func TestALongAgentIsCutAndAnyAgentIsParsed(t *testing.T) {
	agents := newAgents(t)
	chrome := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	padded := chrome + strings.Repeat(" ", agentBytesMax)
	if agents.Parse(padded+"Googlebot/2.1") != agents.Parse(padded) {
		t.Error("what comes after the bound was read")
	}
	for _, odd := range []string{"\x00", "\xff\xfe", "(((((", ")", ";;;;", "Mozilla/5.0 (", strings.Repeat("(", 10_000), "Android", "/", "[;]"} {
		agents.Parse(odd)
	}
}

func TestTheSameAgentTwiceAllocatesNothing(t *testing.T) {
	agents := newAgents(t)
	agent := rows(t, "testdata/people.txt")[0][3]
	agents.Parse(agent)
	// Maintenance of the cache allocates now and then, so the bound is below one a call, not none.
	if n := testing.AllocsPerRun(1000, func() { agents.Parse(agent) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// What a request gave away must be gone from memory once it is dealt with: the memory of a running
// server can be read by whoever gets hold of a dump of it.
func TestNoAgentStaysInMemory(t *testing.T) {
	agents := newAgents(t)
	// The marks are made up at run time, so that the test's own text doesn't hold them.
	for i := range 200 {
		mark := strings.ToUpper("sentinel") + string(rune('A'+i%26)) + strings.Repeat("z", i/26)
		agents.Parse("Mozilla/5.0 (X11; Linux x86_64) " + mark + "/1.0 Chrome/142.0.0.0 Safari/537.36")
		DayVisitor([32]byte{}, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), mark)
	}
	debug.FreeOSMemory()
	file, err := os.Create(t.TempDir() + "/heap")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	debug.WriteHeapDump(file.Fd())
	runtime.KeepAlive(agents)
	dump, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(dump, []byte("Googlebot")) {
		t.Fatal("the dump doesn't even hold the list")
	}
	// Of 200, the last few may still stand on a stack or in memory that is free but not yet reused.
	live := bytes.Count(dump, []byte(strings.ToUpper("sentinel")))
	t.Logf("live=%d", live)
	if live > 6 {
		t.Errorf("%d agents are still in memory", live)
	}
}

func TestSpammersAreKnownByDomain(t *testing.T) {
	for host, want := range map[string]bool{
		"033nachtvandeliteratuur.nl": true, "WWW.03e.info.": true, "a.b.qiwi.xyz": true,
		"example.com": false, "": false, "info": false, "x03e.info": false,
	} {
		if SpamReferrer(host) != want {
			t.Errorf("%q: want %v", host, want)
		}
	}
}

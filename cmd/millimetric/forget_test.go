package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"millimetric/engine"
)

// heapVariable has a child write its heap to the named file at SIGUSR1.
const heapVariable = "MILLIMETRIC_TEST_HEAP"

// heapDumped has children write their heap to the file that it names. What is looked for is what the server holds, so
// the runtime is told to overwrite what it frees: else a dump shows, at times, places that are free for new objects
// with what lay there before. And where the runtime stops a goroutine between two instructions, it keeps the
// processor's vector registers in the heap until it stops another one there: sixteen bytes of what was copied last.
// These are no program's to clear, so it is told not to stop goroutines that way.
func heapDumped(t *testing.T) (name string) {
	name = filepath.Join(t.TempDir(), "heap")
	t.Setenv(heapVariable, name)
	t.Setenv("GODEBUG", "asyncpreemptoff=1,clobberfree=1")
	return name
}

// dumpHeapOnSignal is called in a child. What a garbage collection would find unused is collected
// first; pools give up what they hold at the second one.
func dumpHeapOnSignal() {
	name := os.Getenv(heapVariable)
	if name == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		<-asked
		for range 3 {
			runtime.GC()
		}
		file, err := os.Create(name + ".part")
		if err != nil {
			panic(err)
		}
		debug.WriteHeapDump(file.Fd())
		if err := file.Close(); err != nil {
			panic(err)
		}
		_ = os.Rename(name+".part", name)
	}()
}

// secretsOf returns the addresses and the whole user agents of a log's page views. Agents shorter
// than thirty characters are words such as "Mozilla/5.0", which a heap holds for other reasons.
func secretsOf(t *testing.T, log string) (addresses, agents []string) {
	t.Helper()
	for line := range strings.Lines(shell(t, pageviews(log)+` | awk -F '"' '{ split($1, at, " "); print at[1] "\t" $(NF-1) }' | sort -u`)) {
		address, agent, _ := strings.Cut(strings.TrimSpace(line), "\t")
		addresses = append(addresses, address)
		if len(agent) >= 30 {
			agents = append(agents, agent)
		}
	}
	if len(addresses) < 10 || len(agents) < 10 {
		t.Fatalf("%d addresses and %d agents: nothing to look for", len(addresses), len(agents))
	}
	return addresses, agents
}

// leaks counts the secrets that stand in text. An address counts where no digit, dot or letter
// touches it: a version number may look like the middle of one.
func leaks(t *testing.T, place string, text []byte, addresses, agents []string) {
	t.Helper()
	for _, agent := range agents {
		if bytes.Contains(text, []byte(agent)) {
			t.Errorf("%s holds the agent %q", place, agent)
		}
	}
	for _, address := range addresses {
		for at, rest := 0, text; ; {
			i := bytes.Index(rest, []byte(address))
			if i < 0 {
				break
			}
			at, rest = at+i+len(address), rest[i+len(address):]
			if standsAlone(text, at-len(address), at) {
				t.Errorf("%s holds the address %s near %q", place, address, text[max(0, at-60):min(len(text), at+20)])
				break
			}
		}
	}
}

func standsAlone(text []byte, from, to int) bool {
	touches := func(c byte) bool {
		return c == '.' || c == '-' || c == '_' || c == ':' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
	return (from == 0 || !touches(text[from-1])) && (to == len(text) || !touches(text[to]))
}

// The one long test of forgetting: all that an import could leave behind is searched for what it
// must not.
func TestNoAddressAndNoAgentOfAnImportIsLeftAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until the server has forgotten")
	}
	log := logs(t)[len(logs(t))-1]
	heap := heapDumped(t)
	w := newWholeWay(t)
	w.importAll(log)

	// Connections that have ended leave their buffers to pools, and those to the collector. The goroutines that
	// served them rest for a moment, with what they held last.
	time.Sleep(5 * time.Second)
	dump := w.heapDump(t, heap)
	if !bytes.Contains(dump, []byte("ref_search")) {
		t.Fatal("the heap dump holds none of the imported events: it proves nothing")
	}
	if w.stop() != 0 {
		t.Fatal(w.errs.String())
	}
	addresses, agents := secretsOf(t, log)
	leaks(t, "the heap", dump, addresses, agents)
	leaks(t, "the server's output", []byte(w.out.String()+w.errs.String()), addresses, agents)
	leaks(t, "the stored events", storedText(t, w.data), addresses, agents)
	err := filepath.WalkDir(w.data, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		leaks(t, "the file "+filepath.Base(name), text, addresses, agents)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// storedText is every text of every event of the first project, decoded.
func storedText(t *testing.T, data string) []byte {
	t.Helper()
	f, err := openFolder(folderOptions{Dir: data, Log: quietLog(io.Discard), Now: time.Now, Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	var text bytes.Buffer
	events, err := f.engine.Snapshot(1).Events()
	if err != nil || len(events) == 0 {
		t.Fatalf("%d events are stored, %v", len(events), err)
	}
	for _, ev := range events {
		for _, s := range []string{ev.Name, ev.ID, ev.AnonymousID, ev.UserID, ev.SessionID, ev.URL, ev.Path, ev.Referrer, ev.Source,
			ev.Medium, ev.Campaign, ev.Country, ev.Device, ev.Browser, ev.OS, ev.IPHash, ev.Bot, ev.Properties} {
			text.WriteString(s)
			text.WriteByte('\n')
		}
	}
	return text.Bytes()
}

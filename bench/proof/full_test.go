package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

// The disk of this proof, and the free space below which events are refused. What the server writes
// in a second, which is how often it looks, must fit into the latter, and then so must the tables that
// Pebble makes of its logs at the next start: up to 90 MB.
const (
	diskSize  = "640m"
	diskFree  = 256 << 20
	diskQuiet = 30 * time.Second // within which events are taken again
)

// fullDisk is a server whose disk is small.
type fullDisk struct {
	t        *testing.T
	disk     string
	data     string
	keys     keys
	server   *server
	ledger   *ledger
	random   *rand.Rand
	refused  int
	slowest  time.Duration // from the lack of space to the first refusal
	recovery time.Duration // from the return of space to the first event taken
	lost     int
}

func TestProofAFullDiskRefusesEventsAndLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and fills a disk")
	}
	seed := enginetest.Seed(t)
	f := &fullDisk{t: t, disk: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0x66756c6c)), ledger: newLedger(time.Now().Add(-time.Hour).Truncate(time.Minute))}
	f.ledger.noise = 1024
	unmount, err := mountTmpfs(f.disk, diskSize)
	if err != nil {
		// The engine's own proof on a disk in memory, TestProofAFullDiskRefusesEventsBeforeAWriteFails, runs anywhere.
		enginetest.Say(t, "R8, real disk", "NOT RUN: a small disk can't be mounted here: %v", err)
		return
	}
	t.Cleanup(func() {
		if f.server != nil {
			f.server.kill()
		}
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	f.data = filepath.Join(f.disk, "data")
	f.keys = initFolder(t, f.data)
	f.start()
	f.fill(200)
	f.lowSpace()
	f.fullByItself()
	f.noSpaceAtAll()
	if code, _ := f.server.stop(); code != 0 {
		t.Errorf("SIGTERM: exit %d: %s", code, f.server.said())
	}
	check(t, f.data)
	enginetest.Say(t, "R8, real disk", "seed=%d sent=%d acked=%d lost=%d refused=%d refused_after_ms=%d recovered_after_ms=%d",
		seed, f.ledger.sends, len(f.ledger.acked), f.lost, f.refused, f.slowest.Milliseconds(), f.recovery.Milliseconds())
	if f.refused == 0 || f.lost != 0 {
		t.Errorf("seed=%d: refused=%d lost=%d", seed, f.refused, f.lost)
	}
}

func (f *fullDisk) start() {
	f.t.Helper()
	begin := time.Now()
	var listens chan string
	f.server, listens = serve(f.t, f.data, "--min-free", fmt.Sprint(diskFree))
	select {
	case f.server.url = <-listens:
	case <-f.server.ended:
		f.t.Fatalf("the server ended: %s", f.server.said())
	case <-time.After(10 * time.Second):
		f.t.Fatalf("the server doesn't listen after %v: %s", time.Since(begin), f.server.said())
	}
}

// batch sends events and returns the answer's status. Refusals must be what the API says they are.
func (f *fullDisk) batch() int {
	f.t.Helper()
	events := f.ledger.batch(f.random, 100)
	if f.ledger.send(f.server, f.keys.SK, events) {
		return http.StatusAccepted
	}
	a := f.server.ask("POST", "/v1/track", f.keys.SK, events[0])
	if a.status == http.StatusAccepted { // space is back by now
		f.ledger.send(f.server, f.keys.SK, again(events[:1]))
		return a.status
	}
	var said struct{ Error string }
	if err := json.Unmarshal(a.body, &said); err != nil || a.status != http.StatusServiceUnavailable || said.Error != "disk_low" || a.header.Get("Retry-After") == "" {
		f.t.Fatalf("refused with %d %s %v: %s", a.status, a.body, a.header, f.server.said())
	}
	f.refused++
	return a.status
}

// fill sends so many batches.
func (f *fullDisk) fill(batches int) {
	f.t.Helper()
	for range batches {
		if status := f.batch(); status != http.StatusAccepted {
			f.t.Fatalf("refused with %d where there is space", status)
		}
	}
}

// until sends batches until the answer is the wanted one, and returns how long that took.
func (f *fullDisk) until(status int, most time.Duration) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for f.batch() != status {
		if time.Since(begin) > most {
			f.t.Fatalf("no answer of %d within %v", status, most)
		}
	}
	return time.Since(begin)
}

// ballast takes space away until so much is free, and returns what gives it back.
func (f *fullDisk) ballast(leave uint64) (name string) {
	f.t.Helper()
	free, err := freeBytes(f.disk)
	if err != nil || free < leave {
		f.t.Fatalf("%d bytes are free, %v", free, err)
	}
	name = filepath.Join(f.disk, "ballast")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for left := free - leave; left > 0 && err == nil; left -= min(left, uint64(len(block))) {
		_, err = file.Write(block[:min(left, uint64(len(block)))])
	}
	if err := file.Close(); err != nil {
		f.t.Fatal(err)
	}
	return name
}

func (f *fullDisk) remove(name string) {
	f.t.Helper()
	if err := os.Remove(name); err != nil {
		f.t.Fatal(err)
	}
}

// reads asks for everything: what is acknowledged must be there, whatever the disk is like.
func (f *fullDisk) reads() {
	f.t.Helper()
	rows, err := f.server.rows(f.keys.RK, f.ledger.from, f.ledger.to)
	if err != nil {
		f.t.Fatalf("reading on a full disk: %v", err)
	}
	found := f.ledger.compare(rows)
	f.lost += found.lost
	if found.lost != 0 || found.double != 0 || found.strange != 0 {
		f.t.Errorf("%+v", found)
	}
}

// lowSpace takes space away and gives it back: events are refused meanwhile, and questions answered.
func (f *fullDisk) lowSpace() {
	f.t.Helper()
	ballast := f.ballast(diskFree / 2)
	f.slowest = f.until(http.StatusServiceUnavailable, 5*time.Second)
	if f.server.status("/readyz") != http.StatusServiceUnavailable || f.server.status("/healthz") != http.StatusOK {
		f.t.Error("readyz says that events are taken, or healthz fails")
	}
	f.reads()
	f.remove(ballast)
	f.recovery = f.until(http.StatusAccepted, diskQuiet)
}

// fullByItself lets events take the space, and kills the server when they are refused.
func (f *fullDisk) fullByItself() {
	f.t.Helper()
	ballast := f.ballast(diskFree + 1<<20)
	f.until(http.StatusServiceUnavailable, time.Minute)
	if free, err := freeBytes(f.disk); err != nil || free < diskFree/4 {
		f.t.Errorf("%d bytes were left when events were refused, %v", free, err)
	}
	f.server.kill()
	f.start()
	f.reads()
	f.batch() // taken or refused: the start may have given space back
	f.remove(ballast)
	f.recovery = max(f.recovery, f.until(http.StatusAccepted, diskQuiet))
}

// noSpaceAtAll fills the disk to the last byte. A running server answers questions; one that starts
// says what is the matter and ends, and starts once there is space.
func (f *fullDisk) noSpaceAtAll() {
	f.t.Helper()
	ballast := f.ballast(0)
	f.until(http.StatusServiceUnavailable, 5*time.Second)
	f.reads()
	f.server.kill()
	f.ballast(0) // what it held open of what was deleted is free by now
	again, _ := serve(f.t, f.data, "--min-free", fmt.Sprint(diskFree))
	select {
	case <-again.ended:
		if code := again.ProcessState.ExitCode(); code == 0 || !strings.Contains(again.said(), "disk is full") {
			f.t.Errorf("started on a full disk, it ended with %d: %s", code, again.said())
		}
	case <-time.After(10 * time.Second):
		f.t.Errorf("started on a full disk, it hangs: %s", again.said())
		again.kill()
	}
	f.remove(ballast)
	f.start()
	f.recovery = max(f.recovery, f.until(http.StatusAccepted, diskQuiet))
	f.reads()
}

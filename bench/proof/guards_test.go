package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

// guard is a line that keeps a promise, and the line that would break it. Built with the latter, the
// tests named must fail: else they would not notice if somebody wrote it.
type guard struct {
	name          string
	file          string // from the top of the project
	line, instead string
	pkg, tests    string
}

var guards = []guard{
	{
		"a commit is synced", "engine/commit.go",
		"batch.Commit(pebble.Sync)", "batch.Commit(pebble.NoSync)",
		"./engine/enginetest", "TestProofCrashLosesNothingAcknowledged",
	},
	{
		"a repeat is not kept", "engine/repeats.go",
		"return known || !r.add(h)", "return (known || !r.add(h)) && r.at < 0",
		"./engine/enginetest", "TestProofCrashLosesNothingAcknowledged",
	},
	{
		"what isn't synced isn't shown", "engine/commit.go",
		"		err := e.write(g)\n", "		for _, s := range g.shows {\n			s.project.show(s.next)\n		}\n		err := e.write(g)\n",
		"./engine/enginetest", "TestProofCrashLosesNothingAcknowledged",
	},
	{
		"a marker comes after what it names", "engine/disk.go",
		"if err := o.syncFolder(o.PathDir(name)); err != nil {", "if err := error(nil); err != nil {",
		"./engine/enginetest", "TestProofCrashLosesNothingAcknowledged",
	},
	{
		"a failed sync ends the process", "engine/notices.go",
		"l.e.die(fmt.Sprintf(format, args...))", "_ = fmt.Sprintf(format, args...)",
		"./engine/enginetest", "TestProofNoFailingOperationLosesWhatWasAcknowledged",
	},
	{
		"free space is watched", "engine/space.go",
		"low := usage.AvailBytes < e.reserve(usage)", "low := usage.AvailBytes < e.reserve(usage) && usage.TotalBytes == 0",
		"./engine/enginetest", "TestProofAFullDiskRefusesEventsBeforeAWriteFails",
	},
	{
		"what is stored is encrypted", "engine/cipher.go",
		"inClear: opt.inClear", "inClear: opt.inClear || opt.FreeBytesMin < 0",
		"./engine", "TestProofNoKindOfContentShowsOnDisk",
	},
	{
		"a value is bound to its place", "engine/cipher.go",
		"return append(append(b, storeKey...), head...)", "return b",
		"./engine", "TestPartsThatWereMovedAreFound|TestARecordInAnothersPlaceIsFound",
	},
	{
		"a gap in the log is damage", "engine/recover.go",
		"if !kept && number != e.number+1 {", "if !kept && number != e.number+1 && number == 0 {",
		"./engine", "TestAGroupThatIsGoneIsMissed",
	},
	{
		"commit times never go back", "engine/commit.go",
		"e.clock = max(e.clock, e.ahead, event.TimeOf(e.opt.Now()))", "e.clock = event.TimeOf(e.opt.Now())",
		"./engine/enginetest", "TestProofAClockThatJumpsTurnsNothingBack",
	},
	{
		"the keyring is synced", "engine/durable/durable.go",
		"return errors.Join(file.Sync(), file.Close())", "return file.Close()",
		"./engine/keyring", "TestCrashAtAnyStepLeavesTheOldOrTheNewKeyring",
	},
	{
		"the keyring is authentic", "engine/keyring/file.go",
		"crc32.Checksum(body, castagnoli()) != binary.BigEndian.Uint32(checksum)", "len(checksum) == 0",
		"./engine/keyring", "TestAWrongRootKeyAndADamagedFileAreToldApart",
	},
}

// read returns the file of a guard. Where the line isn't there once, the table is out of date: a guard
// that moved must be found again, and one that is gone must be missed.
func (g guard) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, g.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), g.line); n != 1 {
		t.Errorf("%s: %s holds its line %d times: %s", g.name, g.file, n, g.line)
	}
	return string(text)
}

// without runs the guard's tests in a build in which it is switched off, and returns what they say.
func (g guard) without(t *testing.T) (failed bool, out string) {
	t.Helper()
	folder := t.TempDir()
	changed, overlay := filepath.Join(folder, "changed.go"), filepath.Join(folder, "overlay.json")
	file, err := filepath.Abs(filepath.Join(top, g.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{changed: strings.Replace(g.read(t), g.line, g.instead, 1), overlay: string(text)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := exec.Command("go", "test", "-count", "1", "-timeout", "3m", "-overlay", overlay, "-run", g.tests, g.pkg)
	tests.Dir, tests.Env = top, append(os.Environ(), "MILLIMETRIC_PROOF=")
	said, err := tests.CombinedOutput()
	out = string(said)
	if strings.Contains(out, "[build failed]") || strings.Contains(out, "no tests to run") {
		t.Fatalf("%s: its tests can't run: %s", g.name, out)
	}
	return err != nil && (strings.Contains(out, "--- FAIL") || strings.Contains(out, "panic: ")), out
}

func TestProofWithoutAGuardItsTestFails(t *testing.T) {
	seed, begin := enginetest.Seed(t), time.Now()
	for _, g := range guards {
		g.read(t)
	}
	if testing.Short() {
		return
	}
	order := rand.New(rand.NewPCG(seed, 0x6775617264)).Perm(len(guards))
	missed := 0
	tried := order[:enginetest.Figure(t, 0, 1, len(guards))]
	for _, i := range tried {
		if failed, out := guards[i].without(t); !failed {
			missed++
			t.Errorf("seed=%d: %s: without it, its tests pass: %s", seed, guards[i].name, out)
		}
	}
	enginetest.Say(t, "guards", "seed=%d guards=%d switched_off=%d seen=%d missed=%d took=%v", seed, len(guards), len(tried), len(tried)-missed, missed, time.Since(begin).Round(time.Second))
}

package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

// held is a data folder whose server was stopped, and what each project answered before.
type held struct {
	t      *testing.T
	random *rand.Rand
	folder string
	files  []string // relative to it
	keys   []keys
	from   time.Time
	rows   [][]row // by project

	points   int
	detected int
	harmless int
	tail     int
	wrong    int
}

func newHeld(t *testing.T, random *rand.Rand) *held {
	t.Helper()
	h := &held{t: t, random: random, folder: filepath.Join(t.TempDir(), "data"), from: time.Now().Add(-time.Hour).Truncate(time.Minute)}
	for _, name := range []string{"one", "two"} {
		h.keys = append(h.keys, initFolder(t, h.folder, "--project", name))
	}
	for range 2 { // so that there are tables, and not the log alone
		s := start(t, h.folder, "--min-free", "0")
		l := newLedger(h.from)
		for range 40 {
			if !l.send(s, h.keys[random.IntN(2)].SK, l.batch(random, 1+random.IntN(30))) {
				t.Fatalf("refused: %s", s.said())
			}
		}
		h.rows = nil
		for _, k := range h.keys {
			rows, err := s.rows(k.RK, h.from, h.from.Add(time.Minute))
			if err != nil || len(rows) == 0 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			h.rows = append(h.rows, rows)
		}
		if code, _ := s.stop(); code != 0 {
			t.Fatalf("exit %d: %s", code, s.said())
		}
	}
	err := filepath.WalkDir(h.folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, err = filepath.Rel(h.folder, name)
			h.files = append(h.files, name)
		}
		return err
	})
	if err != nil || !slices.Contains(h.files, "keyring") || !slices.Contains(h.files, "root.key") {
		t.Fatalf("files %v, %v", h.files, err)
	}
	return h
}

// copy makes a copy of the folder for one point.
func (h *held) copy() string {
	h.t.Helper()
	to := filepath.Join(h.t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(h.folder)); err != nil {
		h.t.Fatal(err)
	}
	return to
}

// judge checks and starts a damaged folder, asks it for all events, and notes what came of it.
func (h *held) judge(folder, what string, tail bool) {
	h.t.Helper()
	h.points++
	found := command(h.t, "check", "--data", folder).Run() != nil
	s, listens := serve(h.t, folder, "--min-free", "0")
	defer s.kill()
	select {
	case s.url = <-listens:
	case <-s.ended:
		if code := s.ProcessState.ExitCode(); code <= 0 || code == 2 {
			h.wrong++
			h.t.Errorf("%s: the server ended with %d: %s", what, code, s.said())
			return
		}
		h.detected++
		return
	case <-time.After(30 * time.Second): // a busy machine takes its time
		h.wrong++
		h.t.Errorf("%s: the server hangs: %s", what, s.said())
		return
	}
	short := false
	for i, k := range h.keys {
		a := s.ask("GET", "/v1/stats?from=2000-01-01&to=2100-01-01", k.RK, nil)
		if a.status == http.StatusServiceUnavailable {
			found = true
			continue
		}
		rows, err := s.rows(k.RK, h.from, h.from.Add(time.Minute))
		switch {
		case err != nil:
			h.wrong++
			h.t.Errorf("%s: project %d: %v", what, i, err)
			return
		case slices.Equal(rows, h.rows[i]):
		case tail && h.fewer(rows, i):
			short = true
		default:
			h.wrong++
			h.t.Errorf("%s: project %d has %d rows of %d, found=%t", what, i, len(rows), len(h.rows[i]), found)
			return
		}
	}
	switch {
	case short:
		h.tail++
	case found:
		h.detected++
	default:
		h.harmless++
	}
}

// fewer reports whether rows are some of what there was, and nothing else.
func (h *held) fewer(rows []row, project int) bool {
	return len(rows) < len(h.rows[project]) && !slices.ContainsFunc(rows, func(r row) bool { return !slices.Contains(h.rows[project], r) })
}

// newestLog reports whether a file is the newest of the logs, the end of which can't be told from the
// end of a write that was cut off.
func (h *held) newestLog(name string) bool {
	var logs []string
	for _, file := range h.files {
		if strings.HasSuffix(file, ".log") {
			logs = append(logs, file)
		}
	}
	return len(logs) > 0 && name == slices.Max(logs)
}

// damage turns a bit, or zeroes 4 KiB, in one file of a copy; all files but empty ones take turns.
func (h *held) damage(folder string) (what string, tail bool) {
	h.t.Helper()
	name := h.files[h.points%len(h.files)]
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		h.t.Fatal(err)
	}
	if len(text) == 0 {
		return name + ": nothing to damage", false
	}
	i := h.random.IntN(len(text))
	if bit := h.random.IntN(12); bit < 8 {
		text[i] ^= 1 << bit
		what = fmt.Sprintf("%s: bit %d of byte %d", name, bit, i)
	} else {
		i -= i % 4096
		clear(text[i:min(len(text), i+4096)])
		what = fmt.Sprintf("%s: zeros from byte %d", name, i)
	}
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return what, h.newestLog(name) && len(text)-i <= 32<<10
}

func TestProofADamagedFolderIsRefusedOrAnswersRight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	seed, begin := enginetest.Seed(t), time.Now()
	h := newHeld(t, rand.New(rand.NewPCG(seed, 0x68656c64)))
	for points := enginetest.Figure(t, 20, 30, 600); h.points < points; {
		folder := h.copy()
		what, tail := h.damage(folder)
		h.judge(folder, fmt.Sprintf("seed=%d %s", seed, what), tail)
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	enginetest.Say(t, "R5, the whole folder", "seed=%d points=%d detected=%d harmless=%d tail=%d wrong=%d files=%d points/s=%.1f",
		seed, h.points, h.detected, h.harmless, h.tail, h.wrong, len(h.files), float64(h.points)/time.Since(begin).Seconds())
	if h.detected == 0 {
		t.Error("nothing was found")
	}
}

// A file that is gone is damage, too. The newest log is the one that nothing else speaks of.
func TestProofAFolderWithoutOneOfItsFilesIsRefusedOrAnswersRight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	seed := enginetest.Seed(t)
	h := newHeld(t, rand.New(rand.NewPCG(seed, 0x676f6e65)))
	for _, name := range h.files {
		folder := h.copy()
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		h.judge(folder, fmt.Sprintf("seed=%d without %s", seed, name), h.newestLog(name))
	}
	enginetest.Say(t, "R5, files that are gone", "seed=%d points=%d detected=%d harmless=%d tail=%d wrong=%d",
		seed, h.points, h.detected, h.harmless, h.tail, h.wrong)
	if h.detected < 3 {
		t.Error("keyring, root key or manifest can be missing and nobody finds it")
	}
}

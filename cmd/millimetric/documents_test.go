package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// examples returns the commands of a document's shell blocks, continued lines joined.
func examples(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, regexp.MustCompile(`(?m)^(?:make|curl|bin/|MILLIMETRIC)(?:\\\n|'[^']*'|[^'\n])*`).FindAllString(block[1], -1)...)
	}
	if len(commands) < 8 {
		t.Fatalf("%s: found only %q", file, commands)
	}
	return commands
}

func makeTargets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(string(text), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// Every command that the README shows is run, against a server of its own. Those for make are
// looked up only: one of them runs this test.
func TestTheCommandsOfTheReadmeWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	keys := initFolder(t, dir)
	backups := filepath.Join(t.TempDir(), "backup")
	d := startDaemon(t, "--data", dir, "--backup-to", backups)
	link := t.TempDir()
	if err := os.MkdirAll(filepath.Join(link, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], filepath.Join(link, "bin", "millimetric")); err != nil {
		t.Fatal(err)
	}
	bench, err := filepath.Abs("../../bench")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bench, filepath.Join(link, "bench")); err != nil {
		t.Fatal(err)
	}
	targets := makeTargets(t)
	for _, command := range examples(t, "../../README.md") {
		if target, isMake := strings.CutPrefix(command, "make "); isMake {
			if target = strings.Fields(target)[0]; !slices.Contains(targets, target) {
				t.Errorf("the Makefile has no target %q", target)
			}
			continue
		}
		line := strings.NewReplacer("http://127.0.0.1:8787", d.url, "/mnt/backup", backups, " root.key", " "+filepath.Join(dir, "root.key")).Replace(command)
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		shell := exec.CommandContext(within, "sh", "-c", line)
		shell.Dir = link
		shell.Env = append(os.Environ(), childVariable+"=1", "SK="+keys.SK, "RK="+keys.RK, "AK="+keys.AK, "MILLIMETRIC_SERVER="+d.url)
		out, err := shell.CombinedOutput()
		if err != nil || len(out) == 0 {
			t.Errorf("%s\n%v: %s", command, err, out)
		}
	}
}

// NOTICE must name every module that is linked into the binary.
func TestNoticeNamesEveryLinkedModule(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	linked := slices.Compact(slices.Sorted(strings.FieldsSeq(string(out))))
	if len(linked) < 20 {
		t.Fatalf("only %d modules are linked", len(linked))
	}
	for _, module := range linked {
		if module != "millimetric" && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(module)+` +\S`).Match(notice) {
			t.Errorf("NOTICE doesn't name %s", module)
		}
	}
}

// The demonstration is the first thing that anyone runs.
func TestTheDemonstrationRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("imports a log")
	}
	binary := filepath.Join(t.TempDir(), "millimetric")
	if err := os.Symlink(os.Args[0], binary); err != nil {
		t.Fatal(err)
	}
	demo := exec.CommandContext(t.Context(), "sh", "../../cmd/millimetric/dist/demo.sh", binary)
	demo.Env = append(os.Environ(), childVariable+"=1")
	out, err := demo.CombinedOutput()
	for _, want := range []string{"visitors by day", "where they came from", "top pages", "google", "█", "To go on"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it doesn't say %q", want)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, out)
	}
}

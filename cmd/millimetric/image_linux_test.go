package main

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The image holds the program and an empty folder. Here the program runs in just that, as the user of the image
// and with its environment: a root that has nothing else.
func TestTheProgramRunsWhereThereIsNothingElse(t *testing.T) {
	i := readImage(t)
	program := staticProgram(t)
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: only root can give a process another root")
	}
	root := emptyRoot(t, program)
	inside := func(args []string, out io.Writer) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/", out, out
		cmd.Env = append([]string{childVariable + "=1"}, i.env...)
		return cmd
	}
	var log lockedBuffer
	// The port of the image may be taken on this machine.
	server := inside(append(append(i.entry, i.command...), "--listen", "0.0.0.0:0", "--min-free", "0"), &log)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	var url []string
	for range 1000 {
		if url = urlPattern.FindStringSubmatch(log.String()); url != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if url == nil {
		t.Fatalf("the server doesn't listen: %s", log.String())
	}
	var said bytes.Buffer
	port := url[1][strings.LastIndexByte(url[1], ':'):]
	err := inside(append(i.health, "--listen", "0.0.0.0"+port), &said).Run()
	if err != nil || strings.TrimSpace(said.String()) != `{"ok":true}` {
		t.Fatalf("%v: %s: %s", err, said.String(), log.String())
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil || !strings.Contains(log.String(), "First start") {
		t.Errorf("%v: %s", err, log.String())
	}
}

// staticProgram returns the file of a program that needs no library: this one, or, where it does, as what looks for
// races must, one that is built as releases are.
func staticProgram(t *testing.T) string {
	t.Helper()
	if len(librariesOf(t, os.Args[0])) == 0 {
		return os.Args[0]
	}
	file := filepath.Join(t.TempDir(), "millimetric")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
	if needs := librariesOf(t, file); len(needs) > 0 {
		t.Fatalf("the program needs %q: it isn't static", needs)
	}
	return file
}

func librariesOf(t *testing.T, file string) []string {
	t.Helper()
	binary, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = binary.Close() }()
	needs, err := binary.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return needs
}

// emptyRoot makes a folder that holds what the image holds.
func emptyRoot(t *testing.T, program string) string {
	t.Helper()
	root := t.TempDir()
	data := filepath.Join(root, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "millimetric"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nodeProject installs what the package.json of a folder names, as the lock file beside it says, and
// returns a folder with it and the folder's scripts. Tests that need Node are left out, and say so, where
// it isn't installed; they are too slow for a short run.
func nodeProject(t *testing.T, folder string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("not run: it installs npm packages")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: %s is not installed, so %s was not tested with its packages", program, folder)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	// Install scripts are other people's programs; none of these packages needs one.
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in %s: %v: %s", folder, err, out)
	}
	return dir
}

// node runs a script of a folder that nodeProject made.
func node(t *testing.T, dir, script string, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(dir, script)}, args...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), childVariable+"=1")
	out, err := command.Output()
	if err != nil {
		said := ""
		if exit, ok := err.(*exec.ExitError); ok {
			said = string(exit.Stderr)
		}
		t.Fatalf("node %s: %v: %s\n%s", script, err, out, said)
	}
	return out
}

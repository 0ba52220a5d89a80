package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestTheScriptInAMadeUpPage holds what a browser can't be made to do at will: a server that is away for
// hours, a page that is prerendered, a beacon that finds no room.
func TestTheScriptInAMadeUpPage(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NOT RUN: node is not installed, so the script was not tested outside a browser")
	}
	out, err := exec.CommandContext(t.Context(), "node", "testdata/browser/logic.mjs", "sdk/npm/dist/a.js").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// TestTheBrowserSDK checks the SDK as pages use it: its types, its package, and the script in a browser.
func TestTheBrowserSDK(t *testing.T) {
	dir := nodeProject(t, "testdata/browser")
	t.Run("its source has the right types", func(t *testing.T) {
		source, err := filepath.Abs("sdk/source")
		if err != nil {
			t.Fatal(err)
		}
		runIn(t, dir, filepath.Join("node_modules", ".bin", "tsc"), "-p", source)
	})
	t.Run("its package can be built with", func(t *testing.T) { checkPackage(t, dir) })
	t.Run("its script works in a browser", func(t *testing.T) { checkBrowser(t, dir) })
}

// runIn runs a program in a folder, and returns what it says on its standard output.
func runIn(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		said := ""
		if exit, ok := err.(*exec.ExitError); ok {
			said = string(exit.Stderr)
		}
		t.Fatalf("%s %v: %v: %s%s", program, args, err, out, said)
	}
	return out
}

// checkPackage builds sites against what would be published, and runs them where there is no page.
func checkPackage(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "node_modules", "@millimetric", "browser"), os.DirFS("sdk/npm")); err != nil {
		t.Fatal(err)
	}
	runIn(t, dir, filepath.Join("node_modules", ".bin", "tsc"))
	if out := runIn(t, dir, "node", filepath.Join("out", "consumer.mjs")); string(out) != "\"\"\n" {
		t.Errorf("without a page there is a visitor: %s", out)
	}
	// The other one asks for window, which only a page has.
	runIn(t, dir, "node", "-e", `globalThis.window = {}; require("./out/consumer.cjs")`)
	var packed []struct{ Files []struct{ Path string } }
	if err := json.Unmarshal(runIn(t, "sdk/npm", "npm", "pack", "--dry-run", "--json"), &packed); err != nil || len(packed) != 1 {
		t.Fatalf("%v: %v", packed, err)
	}
	var files []string
	for _, file := range packed[0].Files {
		files = append(files, file.Path)
	}
	slices.Sort(files)
	want := []string{"LICENSE", "README.md", "dist/a.js", "dist/a.js.map", "dist/index.cjs", "dist/index.d.cts", "dist/index.d.mts", "dist/index.mjs", "package.json"}
	if !slices.Equal(files, want) {
		t.Errorf("the package holds %v", files)
	}
}

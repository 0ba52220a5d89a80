package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheDocumentPassesALinterAndMakesAClient lints the served document, makes TypeScript types of it, and
// has a program that is checked against these types send events and read them back.
func TestTheDocumentPassesALinterAndMakesAClient(t *testing.T) {
	dir := nodeProject(t, "testdata/generated")
	r := startServer(t)
	_, document := r.call("GET", "/openapi.json", nil, nil)
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tool := range [][]string{
		{"redocly", "lint", "--format=summary", "openapi.json"},
		{"openapi-typescript", "openapi.json", "--output", "api.d.ts"},
		{"tsc"},
	} {
		command := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", tool[0]), tool[1:]...)
		command.Dir = dir
		command.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "CI=true")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", tool, err, out)
		}
	}
	const want = `{"tracked":"one","count":2,"names":[1,1],"as_of":"2","purchases":["ann"],"reached":[1,1],"refused":"invalid_params","fields":["metric"]}` + "\n"
	if got := string(node(t, dir, "out/client.js", r.url, r.words["sk"], r.words["rk"])); got != want {
		t.Errorf("the generated client says %swant %s", got, want)
	}
}

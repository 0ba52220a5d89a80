package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What is embedded and published must be what the source says.
func TestWhatIsCommittedIsMadeFromTheSource(t *testing.T) {
	made, err := build("../source")
	if err != nil {
		t.Fatal(err)
	}
	const dist = "../npm/dist"
	there, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(made) {
		t.Errorf("%d files are committed, %d are made", len(there), len(made))
	}
	for name, want := range made {
		got, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the source makes: run make sdk (%v)", name, err)
		}
	}
}

// The package is published from its folder alone.
func TestThePackageHasTheProjectsLicence(t *testing.T) {
	want, err := os.ReadFile("../../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../npm/LICENSE"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("npm/LICENSE is another: %v", err)
	}
}

func TestASourceThatIsWrongIsRefused(t *testing.T) {
	for _, source := range []string{"", "export const x = ;"} {
		dir := t.TempDir()
		if source != "" {
			if err := os.WriteFile(filepath.Join(dir, "script.ts"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if made, err := build(dir); err == nil {
			t.Errorf("%q makes %d files", source, len(made))
		}
	}
}

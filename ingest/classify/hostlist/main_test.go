package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite expected outputs from what the code does now")

func testdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestListsAreReducedToHostsAndNames(t *testing.T) {
	got, err := reduce(testdata(t, "engines.yml"), testdata(t, "socials.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(filepath.Join("testdata", "hosts.txt"), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := testdata(t, "hosts.txt"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAChangedShapeOfTheListsIsAnError(t *testing.T) {
	const good = "Name:\n  - example.com\n"
	for _, bad := range []string{
		"",
		"Name\n  - example.com\n",
		"Name: example.com\n",
		"  - example.com\n",
		"Name:\n  hosts:\n    - example.com\n",
		"Name:\n  example.com\n",
	} {
		for _, lists := range [][2]string{{bad, good}, {good, bad}} {
			if got, err := reduce(lists[0], lists[1]); err == nil {
				t.Errorf("%q: read as %s", bad, strings.TrimPrefix(got, header))
			}
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"millimetric/engine"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheRootKeyIsRotatedInItsPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initFolder(t, dir)
	key := filepath.Join(dir, rootKeyName)
	old := readText(t, key)
	out, errs, code := program(t, "rootkey", "rotate", "--data", dir)
	if code != 0 || !strings.Contains(out, key) {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if file, err := os.Stat(key); err != nil || file.Mode().Perm() != 0o600 || readText(t, key) == old || exists(key+nextSuffix) {
		t.Errorf("%v, %v", file.Mode(), err)
	}
	if _, errs, code := program(t, "check", "--data", dir); code != 0 {
		t.Errorf("under the new root key: %d %s", code, errs)
	}
	t.Setenv(rootKeyVariable, old)
	if _, errs, code := program(t, "keys", "list", "--data", dir); code != 1 || !strings.Contains(errs, "not the one") {
		t.Errorf("under the old root key: %d %s", code, errs)
	}
	t.Setenv(rootKeyVariable, readText(t, key))
	if _, errs, code := program(t, "rootkey", "rotate", "--data", dir); code != 2 || !strings.Contains(errs, "--new-root-key-file") {
		t.Errorf("a root key in the environment: %d %s", code, errs)
	}
}

func TestTheRootKeyIsRotatedToAnotherPlace(t *testing.T) {
	root := t.TempDir()
	dir, fresh := filepath.Join(root, "data"), filepath.Join(root, "fresh.key")
	initFolder(t, dir)
	for range 2 { // the second time finds all done
		if out, errs, code := program(t, "rootkey", "rotate", "--data", dir, "--new-root-key-file", fresh); code != 0 || !strings.Contains(out, "--root-key-file "+fresh) {
			t.Fatalf("%d %s %s", code, out, errs)
		}
	}
	if file, err := os.Stat(fresh); err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", file, err)
	}
	if _, errs, code := program(t, "keys", "list", "--data", dir); code != 1 || !strings.Contains(errs, "not the one") {
		t.Errorf("under the old root key: %d %s", code, errs)
	}
	if _, errs, code := program(t, "keys", "list", "--data", dir, "--root-key-file", fresh); code != 0 {
		t.Errorf("under the new root key: %d %s", code, errs)
	}
	if _, errs, code := program(t, "rootkey", "rotate", "--data", dir, "--root-key-file", fresh, "--new-root-key-file", fresh); code != 1 || !strings.Contains(errs, "in use already") {
		t.Errorf("from a file to itself: %d %s", code, errs)
	}
	if _, errs, code := program(t, "rootkey", "rotate", "--data", filepath.Join(root, "none")); code != 1 || !strings.Contains(errs, "no data folder") {
		t.Errorf("no folder: %d %s", code, errs)
	}
}

// A rotation is cut after each of its steps. What the operator does next must open everything, and
// a second rotation must end what the first began.
func TestACutBetweenTheStepsOfARotationLosesNothing(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		for cut := range 4 {
			t.Run(fmt.Sprintf("elsewhere=%v/steps=%d", elsewhere, cut), func(t *testing.T) {
				root := t.TempDir()
				opt := folderOptions{Dir: filepath.Join(root, "data"), Log: quietLog(io.Discard), Now: time.Now, Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1}}
				initFolder(t, opt.Dir)
				target := ""
				if elsewhere {
					target = filepath.Join(root, "fresh.key")
				}
				ring, old, lock, err := lockedRing(opt)
				if err != nil {
					t.Fatal(err)
				}
				pepper := ring.Pepper()
				r, err := newRotation(ring, old, target)
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range r.steps()[:cut] {
					if err := step(); err != nil {
						t.Fatal(err)
					}
				}
				if err := lock.Close(); err != nil {
					t.Fatal(err)
				}
				if elsewhere && cut >= 2 {
					opt.RootKeyFile = target
				}
				for range 2 {
					f, err := openFolder(opt)
					if err != nil {
						t.Fatal(err)
					}
					if f.ring.Pepper() != pepper || len(f.book.Accounts()) != 1 || cut >= 2 && f.root.key == old.key {
						t.Error("another keyring was opened, or with the wrong root key")
					}
					if err := f.close(); err != nil {
						t.Fatal(err)
					}
				}
				opt.RootKeyFile = "" // the same command line as the first time
				if err := rotate(opt, target, io.Discard); err != nil {
					t.Fatal(err)
				}
				if exists(filepath.Join(opt.Dir, rootKeyName+nextSuffix)) {
					t.Error("a file is left beside the root key")
				}
				opt.RootKeyFile = target
				f, err := openFolder(opt)
				if err != nil {
					t.Fatal(err)
				}
				if f.root.key == old.key {
					t.Error("the root key is still the old one")
				}
				if err := f.close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// All that an operator, a site and a server send must be unreadable to whoever finds the folder
// without the root key.
func TestTheDataFolderTellsNothingOfWhatIsInIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir, "--project", "Qzxvkj Shop", "--origin", "https://qzxvkj.example")
	d := startDaemon(t, "--data", dir)
	body := `{"event":"qzxvkj_signup","event_id":"qzxvkj-%d","user_id":"qzxvkj-ann","anonymous_id":"qzxvkj-a","url":"https://qzxvkj.example/qzxvkj?utm_source=qzxvkj","properties":{"qzxvkj":"qzxvkj"}}`
	for n := range 20 {
		if status := d.track(t, made.SK, fmt.Sprintf(body, n)); status != 202 {
			t.Fatalf("track: %d", status)
		}
	}
	search := func(texts ...string) (hits, files int) {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			files++
			content := bytes.ToLower([]byte(name + readText(t, name)))
			for _, text := range texts {
				hits += bytes.Count(content, []byte(text))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return hits, files
	}
	secrets := []string{"qzxvkj", made.SK[17:], made.RK[17:], made.PK[17:], made.AK[17:]}
	if hits, files := search(secrets...); hits != 0 || files < 6 {
		t.Errorf("while it runs: %d hits in %d files", hits, files)
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = d.Wait()
	if hits, files := search(secrets...); hits != 0 || files < 6 {
		t.Errorf("after the end: %d hits in %d files", hits, files)
	}
	if hits, _ := search(strings.TrimSpace(readText(t, filepath.Join(dir, rootKeyName)))); hits != 1 {
		t.Errorf("the root key was found %d times: the search is blind, or the key lies about", hits)
	}
	text := string(storedText(t, dir))
	for _, want := range []string{"qzxvkj_signup", "qzxvkj-19", "qzxvkj-ann", "https://qzxvkj.example/qzxvkj", `"qzxvkj":"qzxvkj"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the stored events don't hold %s", want)
		}
	}
	if made.Slug != "qzxvkj-shop" {
		t.Errorf("slug %q", made.Slug)
	}
}

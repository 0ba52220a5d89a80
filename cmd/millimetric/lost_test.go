package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// twoSites is a data folder of two projects with an event each, and with all of it in Pebble's tables.
type twoSites struct {
	t    *testing.T
	dir  string
	a, b madeProject
}

func newTwoSites(t *testing.T) *twoSites {
	w := &twoSites{t: t, dir: filepath.Join(t.TempDir(), "data")}
	w.a, w.b = initFolder(t, w.dir, "--project", "a"), initFolder(t, w.dir, "--project", "b")
	d := startDaemon(t, "--data", w.dir)
	for _, key := range []string{w.a.SK, w.b.SK} {
		if status := d.track(t, key, `{"event":"seen","timestamp":"2026-05-01T10:00:00Z"}`); status != http.StatusAccepted {
			t.Fatalf("an event is answered %d", status)
		}
	}
	stopDaemon(t, d)
	initFolder(t, w.dir, "--project", "c") // what is only in Pebble's log goes to tables when it is opened
	stopDaemon(t, startDaemon(t, "--data", w.dir))
	return w
}

func stopDaemon(t *testing.T, d *daemon) {
	t.Helper()
	_ = d.Process.Signal(syscall.SIGTERM)
	if err := d.Wait(); err != nil {
		t.Fatalf("the server ends with %v: %s", err, d.errs.String())
	}
}

// rotten copies the folder and turns a bit of a record in it, in each table that has it.
func (w *twoSites) rotten(kind, id string) (dir string) {
	w.t.Helper()
	dir = filepath.Join(w.t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		w.t.Fatal(err)
	}
	db, err := pebble.Open(filepath.Join(dir, storeName), &pebble.Options{ReadOnly: true, Logger: nothing{}})
	if err != nil {
		w.t.Fatal(err)
	}
	value, closer, err := db.Get([]byte("R" + kind + "\x00" + id))
	if err != nil {
		w.t.Fatalf("%s %s: %v", kind, id, err)
	}
	stored := bytes.Clone(value)
	_, _ = closer.Close(), db.Close()
	names, _ := filepath.Glob(filepath.Join(dir, storeName, "*.sst"))
	found := false
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		if at := bytes.Index(text, stored); at >= 0 {
			text[at+len(stored)/2] ^= 1
			if err := os.WriteFile(name, text, 0o600); err != nil {
				w.t.Fatal(err)
			}
			found = true
		}
	}
	if !found {
		w.t.Fatalf("%s %s is in no table", kind, id)
	}
	return dir
}

// nothing is Pebble's log.
type nothing struct{}

func (nothing) Infof(string, ...any)  {}
func (nothing) Errorf(string, ...any) {}
func (nothing) Fatalf(string, ...any) {}

// says returns the status of an answer, and the code of its error.
func (d *daemon) says(t *testing.T, method, path, key, body string) (status int, code string) {
	t.Helper()
	status, text := fetch(t, method, d.url+path, key, body)
	var answer struct {
		Error   string   `json:"error"`
		Damaged []string `json:"damaged"`
	}
	_ = json.Unmarshal([]byte(text), &answer) // what isn't JSON has neither
	if answer.Error == "" {
		answer.Error = strings.Join(answer.Damaged, " ")
	}
	return status, answer.Error
}

// Each kind of record that a start reads: what can't be read is named, and all else goes on.
func TestAServerStartsWithRecordsThatCannotBeRead(t *testing.T) {
	w := newTwoSites(t)
	prefix := func(key string) string { return strings.Split(key, "_")[2] }
	const stats = "/v1/stats?from=2026-05-01&to=2026-05-02"
	const event = `{"event":"seen","timestamp":"2026-05-01T11:00:00Z"}`
	type call struct {
		method, path, key, body string
		status                  int
		code                    string
	}
	ofB := []call{{"GET", stats, w.b.RK, "", 200, ""}, {"POST", "/v1/track", w.b.SK, event, 202, ""},
		{"GET", stats + "&project_slug=b", w.b.AK, "", 200, ""}, {"GET", "/healthz", "", "", 200, ""}, {"GET", "/readyz", "", "", 200, ""}}
	for _, c := range []struct {
		kind, id string
		named    string
		calls    []call
	}{
		{"project", w.a.ProjectID, w.a.ProjectID, []call{
			{"GET", stats, w.a.RK, "", 503, "damaged"}, {"POST", "/v1/track", w.a.SK, event, 503, "damaged"},
			{"POST", "/v1/forget", w.a.SK, `{"user_id":"ann"}`, 503, "damaged"},
			{"GET", stats + "&project_id=" + w.a.ProjectID, w.b.AK, "", 503, "damaged"},
			{"GET", stats + "&project_slug=a", w.b.AK, "", 503, "damaged"},
			{"GET", "/v1/admin/projects/" + w.a.ProjectID, w.b.AK, "", 503, "damaged"},
			{"GET", "/v1/admin/projects", w.b.AK, "", 200, w.a.ProjectID},
			{"POST", "/v1/admin/projects", w.b.AK, `{"name":"more"}`, 503, "damaged"},
			{"GET", "/v1/admin/privacy-report", w.b.AK, "", 503, "damaged"},
		}},
		{"key", prefix(w.a.RK), prefix(w.a.RK), []call{
			{"GET", stats, w.a.RK, "", 401, "invalid_api_key"}, {"POST", "/v1/track", w.a.SK, event, 202, ""},
			{"GET", stats + "&project_slug=a", w.b.AK, "", 200, ""},
			{"DELETE", "/v1/admin/projects/" + w.a.ProjectID + "/keys/" + prefix(w.a.RK), w.b.AK, "", 503, "damaged"},
			{"POST", "/v1/admin/projects/" + w.a.ProjectID + "/keys", w.b.AK, `{"kind":"rk"}`, 201, ""},
		}},
		{"audit", "head", "audit log", []call{
			{"GET", stats, w.a.RK, "", 200, ""}, {"GET", "/v1/admin/projects", w.b.AK, "", 503, "damaged"},
			{"GET", "/v1/admin/projects", "ak_live_00000000_nobody", "", 401, "invalid_api_key"},
		}},
	} {
		dir := w.rotten(c.kind, c.id)
		starts := 1
		if c.kind == "key" {
			starts = 2 // where records are written beside it, which must not hide it
		}
		for range starts {
			d := startDaemon(t, "--data", dir)
			if !slices.ContainsFunc(strings.Split(d.errs.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "WARN") && strings.Contains(line, "damaged") && strings.Contains(line, c.named)
			}) {
				t.Errorf("%s: the log doesn't name it: %s", c.kind, d.errs.String())
			}
			for _, x := range slices.Concat(ofB, c.calls) {
				if status, code := d.says(t, x.method, x.path, x.key, x.body); status != x.status || code != x.code {
					t.Errorf("%s: %s %s is answered %d %q, and not %d %q", c.kind, x.method, x.path, status, code, x.status, x.code)
				}
			}
			stopDaemon(t, d)
		}
		if out, errs, code := program(t, "check", "--data", dir); code == 0 || !strings.Contains(out+errs, c.id) {
			t.Errorf("%s: check says %d %s %s", c.kind, code, out, errs)
		}
	}
}

// The only account's record is no reason to make another.
func TestAServerWhoseAccountCannotBeReadMakesNoOther(t *testing.T) {
	w := newTwoSites(t)
	d := startDaemon(t, "--data", w.rotten("account", w.account()))
	defer stopDaemon(t, d)
	if strings.Contains(d.out.String(), "First start") {
		t.Errorf("another account was made: %s", d.out.String())
	}
	for _, key := range []string{w.a.RK, w.b.RK} {
		if status, code := d.says(t, "GET", "/v1/stats?from=2026-05-01&to=2026-05-02", key, ""); status != 200 {
			t.Errorf("a project answers %d %s", status, code)
		}
	}
	if status, code := d.says(t, "POST", "/v1/admin/projects", w.a.AK, `{"name":"more"}`); status != 503 || code != "damaged" {
		t.Errorf("another project: %d %s", status, code)
	}
}

// account finds the id of the account.
func (w *twoSites) account() (id string) {
	w.t.Helper()
	db, err := pebble.Open(filepath.Join(w.dir, storeName), &pebble.Options{ReadOnly: true, Logger: nothing{}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("Raccount\x00"), UpperBound: []byte("Raccount\x01")})
	if err != nil {
		w.t.Fatal(err)
	}
	defer it.Close()
	if !it.First() {
		w.t.Fatal("there is no account")
	}
	_, id, _ = strings.Cut(string(it.Key()), "\x00")
	return id
}

// A store that is missing, as where its disk isn't mounted, is not begun anew beside its keyring.
func TestAStoreThatIsMissingIsNotMadeAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	d := startDaemon(t, "--data", dir)
	d.track(t, made.SK, `{"event":"seen"}`)
	stopDaemon(t, d)
	store := filepath.Join(dir, storeName)
	if err := os.Rename(store, store+".elsewhere"); err != nil {
		t.Fatal(err)
	}
	for _, empty := range []bool{false, true} {
		if empty {
			if err := os.Mkdir(store, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"check"}, {"init"}, {"inspect"}} {
			if out, errs, code := program(t, append(args, "--data", dir)...); code != 1 || !strings.Contains(errs, "isn't there") || out != "" {
				t.Errorf("%s, an empty folder %t: %d %s %s", args[0], empty, code, out, errs)
			}
		}
	}
	if err := os.Remove(store); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(store+".elsewhere", store); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, "--data", dir)
	if status := d.track(t, made.SK, `{"event":"seen"}`); status != http.StatusAccepted {
		t.Errorf("once it is back, an event is answered %d", status)
	}
	stopDaemon(t, d)
}

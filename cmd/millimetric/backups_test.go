package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/remote"
	"millimetric/engine/backup"
)

// backedUp is a server in a process of its own, with a backup in a folder.
type backedUp struct {
	*daemon
	t            *testing.T
	made         madeProject
	dir, to, key string
}

func startBackedUp(t *testing.T) *backedUp {
	home := t.TempDir()
	b := &backedUp{t: t, dir: filepath.Join(home, "data"), to: filepath.Join(home, "backup"), key: filepath.Join(home, "root.key")}
	b.made = initFolder(t, b.dir, "--root-key-file", b.key)
	b.start(b.dir)
	return b
}

func (b *backedUp) start(dir string) {
	b.t.Helper()
	b.daemon = startDaemon(b.t, "--data", dir, "--root-key-file", b.key, "--backup-to", b.to)
}

// get asks the server and returns its answer.
func (b *backedUp) ask(method, path, key, body string, into any) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header = bearer(key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %d %v", method, path, res.StatusCode, err)
	}
}

// copied waits until the target has so many groups.
func (b *backedUp) copied(groups uint64) {
	b.t.Helper()
	var list admin.BackupList
	for range 300 {
		b.ask("GET", "/v1/admin/backups", b.made.AK, "", &list)
		if list.Status.Group >= groups && len(list.Rows) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("group %d never reached the backup: %+v", groups, list.Status)
}

func (b *backedUp) count(event string) int {
	b.t.Helper()
	var answer struct {
		Rows []struct {
			Name  string `json:"event_name"`
			Value int
		}
	}
	year := time.Now().Year()
	b.ask("GET", fmt.Sprintf("/v1/stats?from=%d-01-01&to=%d-01-01&group_by=event_name", year-1, year+2), b.made.RK, "", &answer)
	for _, row := range answer.Rows {
		if row.Name == event {
			return row.Value
		}
	}
	return 0
}

// offline runs a command on the backup with nothing but the target and the root key.
func (b *backedUp) offline(args ...string) (out string, code int) {
	b.t.Helper()
	b.t.Setenv(remote.KeyVariable, "")
	out, errs, code := program(b.t, append(args, "--backup-to", b.to, "--root-key-file", b.key)...)
	return out + errs, code
}

// The machine is lost: what is left are the target and the root key.
func TestALostMachineIsRestoredFromTargetAndRootKey(t *testing.T) {
	b := startBackedUp(t)
	b.copied(0) // the first base is there
	for i := range 5 {
		if status := b.track(t, b.made.SK, fmt.Sprintf(`{"event":"buy","user_id":"u%d"}`, i)); status != 202 {
			t.Fatal(status)
		}
	}
	b.copied(1)
	var erased map[string]any
	b.ask("POST", "/v1/forget", b.made.SK, `{"user_id":"u1"}`, &erased)
	var said struct {
		Oldest    *time.Time `json:"oldest_backup"`
		Requested time.Time  `json:"requested_at"`
	}
	b.ask("GET", fmt.Sprint("/v1/forget/", erased["receipt"]), b.made.SK, "", &said)
	if said.Oldest == nil || !said.Oldest.Before(said.Requested) {
		t.Errorf("the oldest backup that may hold the erased person is of %v, the request of %v", said.Oldest, said.Requested)
	}
	if err := b.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.Wait()
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if out, code := b.offline("restore", "--data", again); code != 0 {
		t.Fatalf("restore: %d %s", code, out)
	}
	if out, code := b.offline("restore", "--data", again); code != 2 || !strings.Contains(out, "not empty") {
		t.Errorf("restore over a store: %d %s", code, out)
	}
	first := filepath.Join(t.TempDir(), "first")
	if out, code := b.offline("restore", "--data", first, "--to", "1"); code != 0 {
		t.Fatalf("restore to the first group: %d %s", code, out)
	}
	b.start(again)
	if n := b.count("buy"); n != 4 {
		t.Errorf("%d events, want those of all but the one who was erased", n)
	}
	var log struct {
		Rows []struct{ Entry struct{ Action string } }
	}
	b.ask("GET", "/v1/admin/audit?action=backup.restore", b.made.AK, "", &log)
	if len(log.Rows) != 1 {
		t.Errorf("the audit log has %d restores", len(log.Rows))
	}
}

func TestADrillSaysWhetherTheBackupIsWhatTheStoreIs(t *testing.T) {
	b := startBackedUp(t)
	for range 3 {
		b.track(t, b.made.SK, `{"event":"buy","user_id":"ann"}`)
	}
	b.copied(1)
	var made backup.Listed
	b.ask("POST", "/v1/admin/backups", b.made.AK, "", &made)
	var verdict admin.BackupVerdict
	b.ask("POST", "/v1/admin/backups/"+made.ID+"/verify", b.made.AK, `{"drill":true}`, &verdict)
	if !verdict.OK || verdict.Drill == nil || verdict.Drill.Events != 3 {
		t.Errorf("%+v %+v", verdict, verdict.Drill)
	}
	t.Setenv(remote.KeyVariable, b.made.AK)
	for _, args := range [][]string{{"backup", "drill"}, {"backup", "verify"}, {"backup", "list"}, {"backup", "now"}} {
		if out, errs, code := program(t, append(args, "--server", b.url)...); code != 0 {
			t.Errorf("%v: %d %s %s", args, code, out, errs)
		}
	}
	_ = b.Process.Kill()
	_ = b.Wait()
	if left, _ := filepath.Glob(filepath.Join(b.dir, "drill-*")); len(left) > 0 {
		t.Errorf("left of drills: %v", left)
	}
	for _, args := range [][]string{{"backup", "check"}, {"backup", "verify"}, {"backup", "list"}, {"backup", "drill", "--data", b.dir}} {
		if out, code := b.offline(args...); code != 0 {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	bases, _ := filepath.Glob(filepath.Join(b.to, "*", "base", "*"))
	for _, base := range bases { // their names don't say which is the newest
		if err := os.Truncate(base, 100); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"backup", "check"}, {"backup", "verify"}, {"restore", "--data", filepath.Join(t.TempDir(), "x")}} {
		if out, code := b.offline(args...); code != 1 || !strings.Contains(out, "damaged") {
			t.Errorf("%v of a damaged backup: %d %s", args, code, out)
		}
	}
}

func TestSettingsOfBackupsAreChecked(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"serve --backup-to s3://bucket --backup-endpoint nowhere", "endpoint"},
		{"serve --backup-to s3://bucket", "AWS_ACCESS_KEY_ID"},
		{"serve --backup-to x --backup-keep-days 0", "--backup-keep-days"},
		{"restore --to yesterday", "yesterday"},
		{"backup check", "--backup-to"},
		{"backup drill", "--backup-to"},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		args := strings.Fields(c.args)
		for i := range args {
			if args[i] == "x" {
				args[i] = filepath.Join(t.TempDir(), "x")
			}
		}
		out, errs, code := program(t, append(args, "--data", filepath.Join(t.TempDir(), "none"))...)
		if code == 0 || !strings.Contains(errs, c.says) {
			t.Errorf("%s: %d %s%s", c.args, code, out, errs)
		}
	}
}

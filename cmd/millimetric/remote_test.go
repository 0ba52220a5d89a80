package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/admin"
)

// desk runs administrators' commands against one running server.
type desk struct {
	t      *testing.T
	daemon *daemon
	key    string
}

// run runs a command, in words that spaces part, and gives what it printed and its status.
func (d *desk) run(line string) (out string, code int) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := child(d.t, strings.Fields(line)...)
	cmd.Env = append(cmd.Env, "MILLIMETRIC_KEY="+d.key, "MILLIMETRIC_SERVER="+d.daemon.url)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		d.t.Fatal(err)
	}
	return stdout.String() + stderr.String(), cmd.ProcessState.ExitCode()
}

func TestAdministratorsCommandsWorkBesideARunningServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	d := &desk{t: t, daemon: startDaemon(t, "--data", dir), key: made.AK}
	if d.daemon.track(t, made.SK, `{"event":"x"}`) != 202 {
		t.Fatal("an event was refused")
	}
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"projects list", 0, "for ever  open"},
		{"projects create shop --origin https://shop.example --retention-days 30", 0, "pk_live_"},
		{"projects create shop", 1, `slug: "shop" is taken`},
		{"projects change shop --name Store --archived=true", 0, "archived 20"},
		{"projects change shop --archived=false", 0, "open"},
		{"projects change shop", 2, "nothing to change"},
		{"projects show nobody", 1, "No such project"},
		{"projects sell", 2, "unknown command"},
		{"settings set shop --tz Europe/Berlin --cookieless", 0, "Europe/Berlin"},
		{"settings set shop --rate-limit track=50/200 --rate-limit stats=0.5/2", 0, "stats=0.5/2, track=50/200"},
		{"settings set shop --rate-limit track=fast", 1, "rate_limits.track: Expected per_s"},
		{"settings set shop --rate-limit=", 0, "rate-limit        -"},
		{"settings set shop --tz Mars", 1, "tz: Expected"},
		{"settings show shop", 0, "30 days"},
		{"origins set shop https://a.example https://b.example", 0, "https://b.example"},
		{"origins set shop nowhere", 1, "origins.0"},
		{"origins clear shop", 0, ""},
		{"keys mint --kind rk --project shop --route stats --name board", 0, "rk_live_"},
		{"keys mint --kind rk --project shop --route track", 1, "routes.0"},
		{"keys mint --kind rk", 2, "choose one with --project"},
		{"keys mint --kind zz", 2, "--kind"},
		{"keys list --project shop", 0, "PREFIX"},
		{"keys list", 0, made.AK[8:16]},
		{"keys revoke 00000000", 1, "no key has the prefix"},
		{"keys review", 0, "LAST USED"},
		{"compact", 0, "compacted in"},
		{"check", 0, "1 events of 2 projects: 1 segments"},
		{"footprint", 0, "1 events, 1 of them in 1 segments"},
		{"footprint --project shop", 0, "0 events"},
		{"audit list --action origins.replace --limit 1", 0, "there are more: --cursor"},
		{"projects destroy shop", 1, "confirm: Must be the project's slug"},
		{"projects destroy shop --confirm shop", 0, "is gone"},
		{"projects show shop", 1, "No such project"},
		{"check", 0, "0 problems"},
		{"audit verify", 0, "entries hold"},
		{"audit verify --n 1 --hash " + strings.Repeat("0", 64), 1, "entry 1 isn't the one that was seen before"},
		{"audit verify --n 1 --hash " + strings.Repeat("0", 64) + " --json", 1, `"ok":false`},
		{"check --data " + dir, 1, "stop the server first"},
	} {
		out, code := d.run(c.line)
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "Usage:") {
			t.Errorf("%s: %d %s", c.line, code, out)
		}
	}
	d.key = made.RK
	if out, code := d.run("projects list"); code != 2 || !strings.Contains(out, "account key") {
		t.Errorf("with a read key: %d %s", code, out)
	}
}

func TestAKeyIsRotatedNarrowedAndRevokedFromTheCommandLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	d := &desk{t: t, daemon: startDaemon(t, "--data", dir), key: made.AK}
	prefix := made.SK[8:16]
	out, code := d.run("keys rotate " + prefix + " --overlap 0")
	if code != 0 || !strings.HasPrefix(out, "sk_live_") {
		t.Fatalf("%d %s", code, out)
	}
	if d.daemon.track(t, made.SK, `{"event":"x"}`) != 401 || d.daemon.track(t, strings.TrimSpace(out), `{"event":"x"}`) != 202 {
		t.Error("after the rotation, the old key works or the new one doesn't")
	}
	if out, code := d.run("keys narrow " + out[8:16] + " --route batch"); code != 0 || !strings.Contains(out, "batch") {
		t.Errorf("%d %s", code, out)
	}
	if d.daemon.track(t, strings.TrimSpace(out), `{"event":"x"}`) != 403 {
		t.Error("the narrowed key may still track")
	}
	text, code := d.run("keys revoke " + out[8:16] + " --json")
	var key admin.Key
	if err := json.Unmarshal([]byte(text), &key); err != nil || code != 0 || key.Revoked == nil {
		t.Errorf("%d %s %v", code, text, err)
	}
}

func TestStoreCommandsWorkOnAFolderWhoseServerIsStopped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	d := startDaemon(t, "--data", dir)
	for range 3 {
		d.track(t, made.SK, `{"event":"x","anonymous_id":"ann"}`)
	}
	_ = d.Process.Kill()
	_ = d.Wait()
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"footprint", 0, "3 events, 0 of them in 0 segments"},
		{"inspect", 0, "SEGMENT"},
		{"compact", 0, "compacted in"},
		{"footprint --project default", 0, "3 events, 3 of them in 1 segments"},
		{"inspect", 0, "1 to 3"},
		{"inspect 1 --pieces", 0, "3 rows of 1 visitor"},
		{"inspect 1 --section 0", 0, "magic mseg"},
		{"inspect 2", 2, "there are 1"},
		{"inspect 1 --section 99", 2, "no section 99; its last is 1"},
		{"check", 0, "3 events of 1 projects: 1 segments"},
		{"rootkey rotate", 0, "under the root key"},
		{"check", 0, "0 problems"},
	} {
		out, errs, code := program(t, append(strings.Fields(c.line), "--data", dir)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: %d %s %s", c.line, code, out, errs)
		}
	}
	again := &desk{t: t, daemon: startDaemon(t, "--data", dir), key: made.AK}
	out, _ := again.run("audit list")
	for _, action := range []string{"projects.create", "compact", "rootkey.rotate"} {
		if !strings.Contains(out, "offline  "+action) {
			t.Errorf("the audit log doesn't say %s: %s", action, out)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"millimetric/cmd/millimetric/admin"
)

// childVariable turns the test binary into the program itself, so that tests can start it as an
// operator would: exit statuses, signals and locks between processes are real.
const childVariable = "MILLIMETRIC_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		dumpHeapOnSignal()
		main()
	}
	os.Exit(runUnderContract(m))
}

func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	return cmd
}

// program runs a command to its end.
func program(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := child(t, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// daemon is a server in a process of its own.
type daemon struct {
	*exec.Cmd
	url       string
	out, errs lockedBuffer
}

var urlPattern = regexp.MustCompile(`url=(https?://\S+)`)

func startDaemon(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{Cmd: child(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--min-free", "0"}, args...)...)}
	d.Stdout, d.Stderr = &d.out, &d.errs
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Process.Kill(); _ = d.Wait() })
	for range 1000 {
		if m := urlPattern.FindStringSubmatch(d.errs.String()); m != nil {
			d.url = m[1]
			return d
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the server doesn't listen: %s", d.errs.String())
	return nil
}

func (d *daemon) track(t *testing.T, key, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.url+"/v1/track", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = bearer(key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func initFolder(t *testing.T, dir string, args ...string) madeProject {
	t.Helper()
	out, errs, code := program(t, append([]string{"init", "--data", dir, "--json"}, args...)...)
	var made madeProject
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
		t.Fatalf("init: %d %s %s %v", code, out, errs, err)
	}
	return made
}

func TestExitStatusesTellUsageFromFailure(t *testing.T) {
	dir, made := filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "made")
	initFolder(t, made)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"version", 0, ""},
		{"--version", 0, ""},
		{"--help", 0, ""},
		{"keys --help", 0, ""},
		{"bogus", 2, "bogus"},
		{"serve --bogus", 2, "--bogus"},
		{"serve extra", 2, "extra"},
		{"serve --min-free lots", 2, "--min-free"},
		{"serve --memory 1MB", 2, "--memory"},
		{"serve --trusted-proxy everyone", 2, "--trusted-proxy"},
		{"serve --tls-cert x", 2, "--tls-key"},
		{"keys mint --data " + dir, 2, "kind"},
		{"keys revoke", 2, "prefix"},
		{"keys list --data " + dir, 1, "no data folder"},
		{"keys mint --kind zz --data " + made, 2, "--kind"},
		{"keys mint --kind rk --env prod --data " + made, 2, "--env"},
		{"init --data " + made + " --project two --origin nonsense", 1, "--origin: Expected a whole origin"},
		{"init --data " + made + " --project default", 1, `--slug: "default" is taken`},
		{"check --data " + dir, 1, "no data folder"},
		{"serve --tls-cert x --tls-key y --data " + dir, 1, "certificate"},
	} {
		out, errs, code := program(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.says) || strings.Contains(errs, "Usage:") {
			t.Errorf("%s: %d %q %q", c.args, code, out, errs)
		}
	}
}

func TestTheFirstStartPrintsKeysThatWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := startDaemon(t, "--data", dir)
	commands := regexp.MustCompile(`(?m)^  (curl .*)$`).FindAllStringSubmatch(d.out.String(), -1)
	if len(commands) != 2 || !strings.Contains(d.out.String(), "the root key in "+filepath.Join(dir, rootKeyName)) {
		t.Fatalf("%s", d.out.String())
	}
	key := regexp.MustCompile(`sk_live_\w+`).FindString(commands[0][1])
	if status := d.track(t, key, `{"event":"signup"}`); status != 202 {
		t.Errorf("the printed key: %d", status)
	}
	if curl, err := exec.LookPath("curl"); err == nil {
		for _, command := range commands {
			script := strings.Replace(command[1], "curl", curl+" -sf", 1)
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
				t.Errorf("%s: %v %s", script, err, out)
			}
		}
	}
	for _, command := range []string{"keys list", "check"} {
		args := append(strings.Fields(command), "--data", dir)
		if _, errs, code := program(t, args...); code != 1 || !strings.Contains(errs, "stop the server first") {
			t.Errorf("%s beside a running server: %d %s", command, code, errs)
		}
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("SIGTERM: %v %s", err, d.errs.String())
	}
	again := startDaemon(t, "--data", dir)
	if again.out.String() != "" {
		t.Errorf("the second start printed %s", again.out.String())
	}
	if status := again.track(t, key, `{"event":"signup"}`); status != 202 {
		t.Errorf("the key after a restart: %d", status)
	}
}

func TestKeysAreMintedListedAndRevokedOffline(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir, "--project", "My Shop", "--origin", "https://shop.example")
	if made.Slug != "my-shop" || made.AK == "" || made.PK == "" || made.SK == "" || made.RK == "" {
		t.Fatalf("%+v", made)
	}
	if more := initFolder(t, dir, "--project", "blog"); more.AK == made.AK || more.ProjectID == made.ProjectID {
		t.Errorf("%+v", more)
	}
	if japan := initFolder(t, t.TempDir(), "--project", "日本", "--slug", "nihon"); japan.Slug != "nihon" {
		t.Errorf("a name of which no slug can be made: %+v", japan)
	}
	if _, errs, code := program(t, "init", "--data", dir, "--project", "blog"); code != 1 || !strings.Contains(errs, "taken") {
		t.Errorf("a name that is taken: %d %s", code, errs)
	}
	if _, errs, code := program(t, "keys", "mint", "--data", dir, "--kind", "rk"); code != 2 || !strings.Contains(errs, "my-shop, blog") {
		t.Errorf("no project named: %d %s", code, errs)
	}
	out, errs, code := program(t, "keys", "mint", "--data", dir, "--kind", "rk", "--project", "blog", "--json")
	var key admin.Key
	if err := json.Unmarshal([]byte(out), &key); err != nil || code != 0 || !strings.HasPrefix(key.Text, "rk_live_"+key.Prefix+"_") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if _, errs, code := program(t, "keys", "revoke", key.Prefix, "--data", dir, "--project", "my-shop"); code != 1 || !strings.Contains(errs, "not of project") {
		t.Errorf("another project's key: %d %s", code, errs)
	}
	if out, _, code := program(t, "keys", "list", "--data", dir, "--project", "blog"); code != 0 || strings.Count(out, "_") != 4 || !strings.Contains(out, key.Prefix) {
		t.Errorf("the keys of one project: %d %s", code, out)
	}
	if out, _, code := program(t, "keys", "revoke", key.Prefix, "--data", dir, "--project", "blog"); code != 0 || !strings.Contains(out, "revoked") {
		t.Errorf("%d %s", code, out)
	}
	if _, _, code := program(t, "keys", "revoke", "00000000", "--data", dir); code != 1 {
		t.Errorf("an unknown prefix: %d", code)
	}
	program(t, "keys", "mint", "--data", dir, "--kind", "ak", "--expires", "1ns")
	if out, _, _ := program(t, "keys", "list", "--data", dir); !strings.Contains(out, "expired 20") {
		t.Errorf("an expired key: %s", out)
	}
	out, _, code = program(t, "keys", "list", "--data", dir, "--json")
	var list []admin.Key
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 10 {
		t.Errorf("%d %d keys: %s", code, len(list), out)
	}
	for _, secret := range []string{made.AK, made.SK, key.Text} {
		if strings.Contains(out, secret[17:]) {
			t.Error("the list shows a secret")
		}
	}
}

func TestWhatWasAcknowledgedOutlivesAKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initFolder(t, dir)
	acked := 0
	for round := range 3 {
		d := startDaemon(t, "--data", dir)
		for n := range 40 {
			if d.track(t, made.SK, fmt.Sprintf(`{"event":"x","event_id":"%d-%d"}`, round, n)) == 202 {
				acked++
			}
			if n == 29 {
				go func() { _ = d.Process.Kill() }()
			}
		}
		_ = d.Wait()
	}
	out, errs, code := program(t, "check", "--data", dir, "--json")
	var report admin.Checked
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil || code != 0 || report.Events < uint64(acked) || acked < 90 {
		t.Errorf("%d events of %d that were acknowledged: %d %s %s", report.Events, acked, code, out, errs)
	}
}

func TestTheDataFolderSaysWhatIsMissing(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "data")
	initFolder(t, dir)
	key := filepath.Join(dir, rootKeyName)
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	list := func(extra ...string) (string, int) {
		cmd := child(t, "keys", "list", "--data", dir)
		cmd.Env = append(cmd.Env, extra...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := list(); code != 0 || !strings.Contains(out, "chmod 600") {
		t.Errorf("a root key for all to read: %d %s", code, out)
	}
	if err := os.Rename(key, filepath.Join(root, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if out, code := list(); code != 1 || !strings.Contains(out, "root key is missing") {
		t.Errorf("no root key: %d %s", code, out)
	}
	if out, code := list("MILLIMETRIC_ROOT_KEY_FILE=" + filepath.Join(root, "elsewhere")); code != 0 {
		t.Errorf("a root key elsewhere: %d %s", code, out)
	}
	if out, code := list("MILLIMETRIC_ROOT_KEY=" + string(text)); code != 0 {
		t.Errorf("a root key in the environment: %d %s", code, out)
	}
	if out, code := list("MILLIMETRIC_ROOT_KEY=" + strings.Repeat("0", 64)); code != 1 || !strings.Contains(out, "not the one") {
		t.Errorf("a wrong root key: %d %s", code, out)
	}
	if out, code := list("MILLIMETRIC_ROOT_KEY=short"); code != 1 || !strings.Contains(out, "64 hex digits") {
		t.Errorf("no root key at all: %d %s", code, out)
	}
	if err := os.Remove(filepath.Join(dir, "keyring")); err != nil {
		t.Fatal(err)
	}
	if out, code := list("MILLIMETRIC_ROOT_KEY=" + string(text)); code != 1 || !strings.Contains(out, "no keyring") {
		t.Errorf("no keyring: %d %s", code, out)
	}
}

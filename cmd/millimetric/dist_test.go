package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// linesOf returns the lines of a file in dist, without comments and with continued lines joined.
func linesOf(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("dist", name))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for scan := bufio.NewScanner(strings.NewReader(strings.ReplaceAll(string(text), "\\\n", ""))); scan.Scan(); {
		if line := strings.TrimSpace(scan.Text()); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

// following returns what follows a word at the beginning of lines.
func following(all []string, word string) (found []string) {
	for _, line := range all {
		if rest, ok := strings.CutPrefix(line, word); ok {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found
}

// checkVariables holds variables of the environment against the settings that there are.
func checkVariables(t *testing.T, assigned []string) {
	t.Helper()
	if len(assigned) < 2 {
		t.Errorf("found only %q", assigned)
	}
	for _, line := range assigned {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains(variables(), name) {
			t.Errorf("%s is no setting", name)
		}
	}
}

func TestTheUnitOfSystemdStartsTheServerAsItIs(t *testing.T) {
	unit := linesOf(t, "millimetric.service")
	checkVariables(t, following(unit, "Environment="))
	start := following(unit, "ExecStart=")
	if len(start) != 1 || start[0] != "/usr/local/bin/millimetric serve" {
		t.Fatalf("%q", start)
	}
	analyse, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("NOT RUN: systemd-analyze verify: there is no systemd-analyze")
		return
	}
	text, err := os.ReadFile("dist/millimetric.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program must be there for the check.
	name := filepath.Join(t.TempDir(), "millimetric.service")
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), "/usr/local/bin/millimetric", os.Args[0], 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyse, "verify", "--man=no", name).CombinedOutput(); err != nil || strings.Contains(string(out), name) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheFileOfSettingsInThePackageIsGood(t *testing.T) {
	text, err := os.ReadFile("dist/millimetric.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed(t, string(text), nil); err != nil {
		t.Error(err)
	}
	// What stands there to be used instead must be good, too.
	instead := regexp.MustCompile(`(?m)^# ([a-z-]+: .+)$`).FindAllStringSubmatch(string(text), -1)
	if len(instead) < 2 {
		t.Fatalf("%q", instead)
	}
	var other strings.Builder
	for _, m := range instead {
		other.WriteString(m[1] + "\n")
	}
	if _, err := parsed(t, other.String(), nil); err != nil {
		t.Error(err)
	}
}

// image is what the Dockerfile says of the container.
type image struct {
	entry, command, health []string
	env                    []string
	user                   string
}

func readImage(t *testing.T) (i image) {
	t.Helper()
	all := linesOf(t, "Dockerfile")
	list := func(word string) (words []string) {
		found := following(all, word)
		if len(found) != 1 || json.Unmarshal([]byte(found[0][strings.Index(found[0], "["):]), &words) != nil {
			t.Fatalf("%s: %q", word, found)
		}
		return words
	}
	i.entry, i.command, i.health = list("ENTRYPOINT"), list("CMD"), list("HEALTHCHECK")
	i.env = following(all, "ENV")
	if users := following(all, "USER"); len(users) == 1 {
		i.user = users[0]
	}
	if from := following(all, "FROM"); len(from) != 2 || from[1] != "scratch" || !strings.HasSuffix(from[0], "AS build") {
		t.Errorf("FROM %q", from)
	}
	return i
}

func TestTheImageIsMadeOfWhatIsThere(t *testing.T) {
	i := readImage(t)
	checkVariables(t, i.env)
	if i.user != "65532:65532" {
		t.Errorf("the user is %q", i.user)
	}
	if strings.Join(append(slices.Clone(i.entry), i.command...), " ") != "/millimetric serve" || strings.Join(i.health, " ") != "/millimetric health" {
		t.Errorf("%q %q %q", i.entry, i.command, i.health)
	}
	for _, copied := range following(linesOf(t, "Dockerfile"), "COPY") {
		words := strings.Fields(copied)
		if strings.HasPrefix(copied, "--from=build") {
			continue
		}
		for _, name := range words[:len(words)-1] {
			if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
				t.Error(err)
			}
		}
	}
	build := strings.Join(following(linesOf(t, "Dockerfile"), "RUN"), "\n")
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "./cmd/millimetric"} {
		if !strings.Contains(build, want) {
			t.Errorf("the build lacks %s: %s", want, build)
		}
	}
}

func TestHealthFindsTheServerAsServeDoes(t *testing.T) {
	cert, key := selfSigned(t)
	for name, args := range map[string][]string{"http": nil, "https": {"--tls-cert", cert, "--tls-key", key}} {
		d := startDaemon(t, append([]string{"--data", filepath.Join(t.TempDir(), "data")}, args...)...)
		_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(d.url, "https://"), "http://"), ":")
		for _, path := range [][]string{{"health"}, {"health", "--ready"}} {
			out, errs, code := program(t, append(append(path, "--listen", "0.0.0.0:"+port), args...)...)
			if code != 0 || out != "{\"ok\":true}\n" {
				t.Errorf("%s: %q: %d %s %s", name, path, code, out, errs)
			}
		}
		_ = d.Process.Kill()
		_ = d.Wait()
		if _, errs, code := program(t, append([]string{"health", "--listen", "127.0.0.1:" + port}, args...)...); code != 1 || !strings.Contains(errs, "ask the server") {
			t.Errorf("%s, when it is gone: %d %s", name, code, errs)
		}
	}
	if _, errs, code := program(t, "health", "--listen", ":0"); code != 2 || !strings.Contains(errs, "port 0") {
		t.Errorf("%d %s", code, errs)
	}
}

package main

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// parsed reads settings as a command would that was started so.
func parsed(t *testing.T, file string, environ []string, args ...string) (map[string]effective, error) {
	t.Helper()
	cmd := &cobra.Command{Use: "x"}
	bindEffective(cmd, serveSettings)
	if file != "" {
		name := filepath.Join(t.TempDir(), "millimetric.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return readLayers(cmd, serveSettings, environ)
}

func TestAFlagGoesBeforeTheEnvironmentThatBeforeTheFileAndThatBeforeTheDefault(t *testing.T) {
	file := "listen: 127.0.0.1:3\nmin-free: 0\nmcp-host:\n  - a.example\n  - b.example\ntrusted-proxy: 10.0.0.0/8\n"
	environ := []string{"MILLIMETRIC_LISTEN=127.0.0.1:2", "MILLIMETRIC_TRUSTED_PROXY=10.0.0.0/8, 192.0.2.1", "MILLIMETRIC_MEMORY=", "HOME=/"}
	args := []string{"--listen", "127.0.0.1:1", "--trusted-proxy", "::1", "--trusted-proxy", "::2", "--trusted-proxy", "::3"}
	for _, c := range []struct {
		name, file string
		environ    []string
		args       []string
		flag       string
		want       []string
		layer      string
	}{
		{"default", "", nil, nil, "listen", []string{"127.0.0.1:8787"}, "default"},
		{"file", file, nil, nil, "listen", []string{"127.0.0.1:3"}, "file"},
		{"environment", file, environ, nil, "listen", []string{"127.0.0.1:2"}, "environment"},
		{"flag", file, environ, args, "listen", []string{"127.0.0.1:1"}, "flag"},
		{"default of several", "", nil, nil, "trusted-proxy", nil, "default"},
		{"one in the file", file, nil, nil, "trusted-proxy", []string{"10.0.0.0/8"}, "file"},
		{"several in the file", file, environ, nil, "mcp-host", []string{"a.example", "b.example"}, "file"},
		{"several in the environment", file, environ, nil, "trusted-proxy", []string{"10.0.0.0/8", "192.0.2.1"}, "environment"},
		{"several flags", file, environ, args, "trusted-proxy", []string{"::1", "::2", "::3"}, "flag"},
		{"a number in the file", file, environ, args, "min-free", []string{"0"}, "file"},
		{"an empty variable is none", "", environ, nil, "memory", nil, "default"},
		{"an empty file", "# nothing\n", nil, nil, "data", []string{"./data"}, "default"},
	} {
		found, err := parsed(t, c.file, c.environ, c.args...)
		if got := found[c.flag]; err != nil || got.layer != c.layer || !slices.Equal(got.values, c.want) {
			t.Errorf("%s: %+v, %v; want %v from %s", c.name, got, err, c.want, c.layer)
		}
	}
}

func TestAWrongSettingIsRefusedWithItsNameAndPlace(t *testing.T) {
	for _, c := range []struct {
		file, variable, flag string
		says                 []string
	}{
		{variable: "MILLIMETRIC_LISTN=x", says: []string{`"MILLIMETRIC_LISTN"`, `"MILLIMETRIC_LISTEN"`}},
		{variable: "MILLIMETRIC_COLOUR_OF_THE_LOGO=x", says: []string{"MILLIMETRIC_COLOUR_OF_THE_LOGO", "millimetric config --help"}},
		{variable: "MILLIMETRIC_MEMORY=lots", says: []string{"MILLIMETRIC_MEMORY: ", `"lots"`}},
		{variable: "MILLIMETRIC_TRUSTED_PROXY=10.0.0.0/8,all", says: []string{"MILLIMETRIC_TRUSTED_PROXY: ", `"all"`}},
		{flag: "--listen=8787", says: []string{"--listen: ", `"8787"`}},
		{flag: "--mcp-origin=chat", says: []string{"--mcp-origin: "}},
		{file: "listn: x", says: []string{"millimetric.yaml: ", `"listn"`, `"listen"`}},
		{file: "trusted_proxy: 10.0.0.0/8", says: []string{`"trusted_proxy"`, `"trusted-proxy"`}},
		{file: "tls: {cert: x}", says: []string{`"tls.cert"`, `"tls-cert"`}},
		{file: "nonsense: 1", says: []string{`"nonsense"`}},
		{file: "min-free: lots", says: []string{"millimetric.yaml: min-free: ", `"lots"`}},
		{file: "memory:", says: []string{"memory: has no value"}},
		{file: "listen: [a, b]", says: []string{"listen: expected a text"}},
		{file: "mcp-host: [{a: b}]", says: []string{"mcp-host: expected a text"}},
		{file: "listen: a\nlisten: b", says: []string{"line 2", "listen"}},
		{file: "listen: 'a", says: []string{"millimetric.yaml: ", "yaml"}},
		{file: "root-key: 00", says: []string{"root-key", "MILLIMETRIC_ROOT_KEY", "environment"}},
		{file: "config: other.yaml", says: []string{"config", "can't be set in a file"}},
		{file: "x: " + strings.Repeat("x", configBytesMax), says: []string{"larger than"}},
	} {
		var args []string
		if c.flag != "" {
			args = []string{c.flag}
		}
		_, err := parsed(t, c.file, []string{c.variable}, args...)
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s%s%s: %.200v; want %q in it", c.file, c.variable, c.flag, err, want)
			}
		}
	}
}

// A platform sets variables about every service for every program; that a service is called millimetric must
// not keep this program from starting.
func TestVariablesOfOthersArePassedOver(t *testing.T) {
	_, err := parsed(t, "", []string{"MILLIMETRIC_KEY=x", "MILLIMETRIC_SERVER=x", "MILLIMETRIC_SERVICE_HOST=10.0.0.1", "MILLIMETRIC_SERVICE_PORT=80",
		"MILLIMETRIC_SERVICE_PORT_HTTP=80", "MILLIMETRIC_PORT=tcp://10.0.0.1:80", "MILLIMETRIC_PORT_80_TCP=x", "MILLIMETRIC_PORT_80_TCP_ADDR=x"})
	if err != nil {
		t.Error(err)
	}
}

// Each variable that the program reads must be known where unknown ones are refused.
func TestEveryVariableThatTheProgramReadsIsKnown(t *testing.T) {
	name := regexp.MustCompile(`^MILLIMETRIC_[A-Z_]*[A-Z]$`)
	known := append(variables(), otherVariables...)
	seen := 0
	err := filepath.WalkDir("../..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == "node_modules" || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				value, _ := strconv.Unquote(text.Value)
				if name.MatchString(value) {
					seen++
					if !slices.Contains(known, value) && !isOthers(value) {
						t.Errorf("%s reads %s, which serve would refuse", file, value)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 3 {
		t.Errorf("saw %d variables: %v", seen, err)
	}
}

func TestConfigPrintsWhatHoldsAndWhereItIsFromButNoSecret(t *testing.T) {
	name := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(name, []byte("listen: 127.0.0.1:3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("5eed", 16)
	t.Setenv("MILLIMETRIC_ROOT_KEY", secret)
	t.Setenv("MILLIMETRIC_CONFIG", name)
	out, errs, code := program(t, "config", "--min-free", "1GB")
	for _, want := range []string{`(?m)^listen +127.0.0.1:3 +file \(.*m.yaml: listen\)$`, `(?m)^min-free +1GB +flag \(--min-free\)$`,
		`(?m)^root-key +\(set, not shown\) +environment \(MILLIMETRIC_ROOT_KEY\)$`, `(?m)^data +./data +default$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is not in:\n%s", want, out)
		}
	}
	asJSON, moreErrs, moreCode := program(t, "config", "--json")
	var all map[string]shownSetting
	if err := json.Unmarshal([]byte(asJSON), &all); err != nil || code != 0 || moreCode != 0 || len(all) != len(serveSettings) {
		t.Fatalf("%d %s %d %s %v", code, errs, moreCode, moreErrs, err)
	}
	if got := all["listen"]; got.Value == nil || *got.Value != "127.0.0.1:3" || got.From != "file" || !all["root-key"].Set || all["root-key"].Value != nil {
		t.Errorf("%s", asJSON)
	}
	if strings.Contains(out+errs+asJSON, secret) {
		t.Error("the root key is printed")
	}
}

// The README has the table of settings that the code makes.
func TestTheReadmeHasTheSettings(t *testing.T) {
	const name = "../../README.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?m)^\| setting \|.*\n(\|.*\n)+`)
	if found := table.Find(text); string(found) == settingsTable() {
		return
	} else if flag.Lookup("rewrite").Value.String() != "true" || found == nil {
		t.Fatalf("the table of settings must be:\n%s", settingsTable())
	}
	if err := os.WriteFile(name, table.ReplaceAllLiteral(text, []byte(settingsTable())), 0o644); err != nil {
		t.Fatal(err)
	}
}

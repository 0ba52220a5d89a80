package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/audit"
)

// An archive of a project tells what was done with it, its own return included, and nothing that was done with
// others.
func TestAnArchiveTellsWhatWasDoneWithTheProject(t *testing.T) {
	r := startServer(t)
	r.sends("sk", `{"event":"x","user_id":"ann"}`)
	r.do("PATCH", "/v1/admin/projects/shop/settings", `{"retention_days":400}`, 200, nil)
	r.do("PATCH", "/v1/admin/projects/blog/settings", `{"retention_days":300}`, 200, nil)
	r.forgotten("sk", `{"user_id":"ann"}`)
	if res, body := r.call("GET", theYear, bearer(r.mintExporter()), nil); res.StatusCode != 200 {
		t.Fatal(res.StatusCode, body)
	}
	t.Setenv("MILLIMETRIC_PASSPHRASE", "correct horse battery staple")
	file, dir := filepath.Join(t.TempDir(), "shop.archive"), filepath.Join(t.TempDir(), "shop")
	r.cli(r.words["ak"], "projects", "return", "shop", "--out", file)
	if got := run(t.Context(), []string{"archive", "unpack", file, "--out", dir}); got != exitOK {
		t.Fatalf("unpack ends with %d", got)
	}
	text, err := os.ReadFile(filepath.Join(dir, "audit", "part-0001.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var row struct {
			Entry audit.Entry
			Hash  audit.Hash
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Hash == (audit.Hash{}) || row.Entry.Project != r.words["project"] {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, fmt.Sprint(row.Entry.N, row.Entry.Action))
	}
	var want []string
	for _, e := range r.auditRows() {
		if e.Project == r.words["project"] {
			want = append(want, fmt.Sprint(e.N, e.Action))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the archive has %q, want %q", got, want)
	}
	for i, action := range []string{"settings.change", "forget", "keys.mint", "export", "projects.return"} {
		if i >= len(got) || !strings.HasSuffix(got[len(got)-5+i], action) {
			t.Errorf("no %s in %q", action, got)
		}
	}
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil || !strings.Contains(string(sums), "  audit/part-0001.ndjson\n") || strings.Contains(string(text), "ann") {
		t.Errorf("%v: %s\n%s", err, sums, text)
	}
}

// piped runs a command of which in is the standard input.
func piped(t *testing.T, in string, args ...string) string {
	t.Helper()
	root := rootCommand()
	var out strings.Builder
	root.SetArgs(args)
	root.SetIn(strings.NewReader(in))
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

// What a project let through once is found in what is stored, by an export that is piped through redact; without
// a dry run, another project takes the rows without it.
func TestWhatIsStoredIsLookedThroughForPersonalData(t *testing.T) {
	r := startServer(t)
	r.do("PATCH", "/v1/admin/projects/shop/settings", `{"allowed_params":["name"],"allowed_properties":["phone"]}`, 200, nil)
	r.sends("sk",
		`{"event":"a","anonymous_id":"v","url":"https://shop.example/?name=Annabel&utm_source=mail","properties":{"phone":"+49 171 1234567","n":1}}`,
		`{"event":"a","anonymous_id":"v","referrer":"https://x.example/?name=Annabel","properties":{"plan":"pro"}}`,
		`{"event":"a","anonymous_id":"v","url":"https://shop.example/pricing"}`)
	exported := r.cli(r.words["ak"], "export", "--project", "shop")
	if !strings.Contains(exported, "Annabel") || !strings.Contains(exported, "1234567") {
		t.Fatalf("nothing to be found in %s", exported)
	}
	var found struct {
		Lines    int
		With     int `json:"with_findings"`
		Findings []struct {
			Count             int
			Field, Kind, Name string
			Example           string
		}
	}
	said := piped(t, exported, "redact", "--dry-run", "--json")
	if err := json.Unmarshal([]byte(said), &found); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var got []string
	for _, f := range found.Findings {
		got = append(got, fmt.Sprint(f.Count, " ", f.Field, " ", f.Kind, " ", f.Name))
	}
	want := []string{"1 properties phone phone", "1 referrer name name", "1 url name name"}
	if found.Lines != 3 || found.With != 2 || !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", said, got, want)
	}
	table := piped(t, exported, "redact", "--dry-run")
	if !strings.Contains(table, "2 of 3 lines") || strings.Contains(said+table, "Annabel") || strings.Contains(said+table, "1234567") {
		t.Errorf("%s\n%s", said, table)
	}
	if all := piped(t, exported, "redact", "--dry-run", "--allow-param", "name", "--allow-property", "phone"); !strings.HasPrefix(all, "Nothing personal") {
		t.Error(all)
	}
	file := filepath.Join(t.TempDir(), "clean.ndjson")
	if err := os.WriteFile(file, []byte(piped(t, exported, "redact")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := r.cli(r.words["ak"], "import", "--project", "blog", "--format", "ndjson", file); !strings.HasPrefix(said, "3 rows: 3 taken") {
		t.Error(said)
	}
	clean := r.cli(r.words["ak"], "export", "--project", "blog")
	if strings.Contains(clean, "Annabel") || strings.Contains(clean, "1234567") || !strings.Contains(clean, "utm_source=mail") || strings.Count(clean, "\n") != 3 {
		t.Errorf("taken back: %s", clean)
	}
}

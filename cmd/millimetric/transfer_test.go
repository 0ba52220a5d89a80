package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// keepHistory puts a random history into the project shop, part of it late, and seals some of it.
func (r *running) keepHistory(seed uint64, n int) {
	r.t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	events := eventtest.New(seed, 12, 40*60*1000).Events(n)
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for i := range events {
		e := &events[i]
		e.Time -= 400 * 24 * 3600 * 1000 // before the clock of the tests
		if e.SessionDerived {
			e.SessionID = fmt.Sprintf("%s-%d", e.AnonymousID, e.Time/(1800*1000))
		}
		if random.IntN(3) > 0 {
			e.ID = ""
		} else if e.ID != "" {
			e.ID = fmt.Sprint(e.ID, "-", i) // an id that is met again would be dropped
		}
		if random.IntN(20) == 0 && i > 0 { // the same once more, without an id: two events
			*e = events[i-1]
			e.ID = ""
		}
	}
	project := r.folder.book.ProjectNamed(r.folder.book.Accounts()[0].ID, r.words["project"], "").Number
	for len(events) > 0 {
		part := min(len(events), 1+random.IntN(200))
		if err := r.folder.engine.Append(context.Background(), project, events[:part]); err != nil {
			r.t.Fatal(err)
		}
		events = events[part:]
		if random.IntN(3) == 0 {
			r.do("POST", "/v1/admin/compact", "", 200, nil)
		}
	}
}

// cli runs a command of the program in this process.
func (r *running) cli(key string, args ...string) string {
	r.t.Helper()
	r.t.Setenv("MILLIMETRIC_KEY", key)
	r.t.Setenv("MILLIMETRIC_SERVER", r.url)
	root := rootCommand()
	var out, errs strings.Builder
	// The folder for exports must see the same address each time.
	root.SetArgs(append(args, "--server", r.url))
	root.SetOut(&out)
	root.SetErr(&errs)
	if err := root.ExecuteContext(r.t.Context()); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

// allKinds are questions of all kinds, as bodies by name.
func allKinds() (questions [][2]string) {
	add := func(name, body string) { questions = append(questions, [2]string{name, body}) }
	const always = `"from":"2020-01-01","to":"2030-01-01"`
	for _, bots := range []string{"false", "true"} {
		common := always + `,"include_bots":` + bots
		for _, group := range []string{"event_name", "source,medium", "campaign", "country", "device_type", "browser", "os", "path", "host", "referrer_host", "session_id", "user_id"} {
			add("stats", `{`+common+`,"metric":"uniques","group_by":"`+group+`"}`)
		}
		for _, actor := range []string{"visitor", "user", "person", "session"} {
			add("stats", `{`+common+`,"metric":"uniques","actor":"`+actor+`","interval":"month"}`)
			add("funnel", `{`+common+`,"steps":[{"event":"$pageview"},{"event":"signup"}],"window":"30d","actor":"`+actor+`"}`)
			add("retention", `{`+common+`,"birth":{"event":"$pageview"},"return":{"event":"$pageview"},"period":"week","actor":"`+actor+`"}`)
			add("attribution", `{`+common+`,"conversion":{"event":"signup"},"models":["first","last","linear","position"],"actor":"`+actor+`"}`)
		}
		add("query", `{`+common+`,"limit":1000}`)
		add("query", `{`+common+`,"limit":1000,"filters":[{"field":"event_id","op":"exists","value":true}]}`)
		add("sources", `{`+common+`,"limit":200}`)
		add("paths", `{`+common+`,"start":{"event":"$pageview"},"steps":4}`)
		add("sessions", `{`+common+`,"group_by":"entry_path"}`)
		add("sessions", `{`+common+`,"list":true}`)
	}
	return questions
}

// asked asks a question and leaves out positions and costs, which are a store's own.
func (r *running) asked(key string, q [2]string) string {
	r.t.Helper()
	res, body := r.call("POST", "/v1/"+q[0], bearer(key), strings.NewReader(q[1]))
	if res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", q[0], q[1], res.StatusCode, body)
	}
	return positions.ReplaceAllString(body, "")
}

var positions = regexp.MustCompile(`,?"(as_of|next)":"[^"]*"|,"cost":\{[^}]*\}`)

// TestWhatIsExportedAnswersTheSameElsewhere exports a random history, takes it back into another project,
// twice, and asks both the same.
func TestWhatIsExportedAnswersTheSameElsewhere(t *testing.T) {
	for _, format := range []string{"ndjson", "parquet"} {
		t.Run(format, func(t *testing.T) {
			r, seed := startServer(t), enginetest.Seed(t)
			const events = 900
			r.keepHistory(seed, events)
			to := filepath.Join(t.TempDir(), "export")
			r.cli(r.words["ak"], "export", "--project", "shop", "--format", format, "--out", to)
			for round, want := range []string{fmt.Sprintf(`"taken":%d,"known":0`, events), fmt.Sprintf(`"taken":0,"known":%d`, events)} {
				said := r.cli(r.words["ak"], "import", "--project", "blog", "--format", format, "--json", to)
				if !strings.Contains(said, want) || !strings.Contains(said, `"complete":true`) {
					t.Fatalf("seed %d, round %d: %s, want %s", seed, round, said, want)
				}
			}
			questions, told := allKinds(), 0
			for _, q := range questions {
				here, there := r.asked(r.words["rk"], q), r.asked(r.words["blog_rk"], q)
				if here != there {
					t.Fatalf("seed %d, %s %s:\n%.2000s\n%.2000s", seed, q[0], q[1], here, there)
				}
				if len(here) > 60 {
					told++
				}
			}
			if len(questions) < 50 || told < len(questions)*2/3 {
				t.Errorf("seed %d: %d of %d answers tell something", seed, told, len(questions))
			}
		})
	}
}

// TestAnExportByDayAddsWhatCameSince runs an export again and again into one folder.
func TestAnExportByDayAddsWhatCameSince(t *testing.T) {
	r, seed := startServer(t), enginetest.Seed(t)
	lake := filepath.Join(t.TempDir(), "lake")
	run := func() { r.cli(r.words["ak"], "export", "--project", "shop", "--format", "parquet", "--out", lake) }
	files := func() (list []string) {
		list, err := filepath.Glob(filepath.Join(lake, "dt=*", "part-*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	r.keepHistory(seed, 300)
	run()
	first := files()
	run()
	if again := files(); fmt.Sprint(first) != fmt.Sprint(again) || len(first) == 0 {
		t.Fatalf("seed %d: with nothing new, %d parts became %d", seed, len(first), len(again))
	}
	r.sendMany(50)
	run()
	if more := files(); len(more) <= len(first) {
		t.Fatalf("seed %d: nothing was added", seed)
	}
	// As if the last run had been interrupted: it makes the same parts again.
	state := filepath.Join(lake, "_export.json")
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	whole := files()
	if err := os.WriteFile(state, []byte(strings.Replace(string(text), `"whole": true`, `"whole": false`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(whole[len(whole)-1]); err != nil {
		t.Fatal(err)
	}
	r.sendMany(60) // ten of them are new
	run()
	if again := files(); fmt.Sprint(again) != fmt.Sprint(whole) {
		t.Errorf("seed %d: an interrupted run made\n%v, not\n%v", seed, again, whole)
	}
	run()
	said := r.cli(r.words["ak"], "import", "--project", "blog", "--format", "parquet", "--json", lake)
	if !strings.Contains(said, `"taken":360,"known":0`) {
		t.Errorf("seed %d: %s", seed, said)
	}
	t.Setenv("MILLIMETRIC_KEY", r.words["ak"])
	root := rootCommand()
	root.SetArgs([]string{"export", "--project", "blog", "--format", "parquet", "--out", lake, "--server", r.url})
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("another project went into the same folder: %v", err)
	}
}

func TestRowsThatNeverWentOutAreNotTakenIn(t *testing.T) {
	r := startServer(t)
	r.sendMany(1)
	_, line := r.call("GET", theYear, bearer(r.mintExporter()), nil)
	path := r.fill("/v1/admin/projects/{blog}/import")
	for _, c := range []struct{ old, new, field string }{
		{`"country":""`, `"country":"xx"`, "rows.0.country"},
		{`"device_type":""`, `"device_type":"fridge"`, "rows.0.device_type"},
		{`"ip_hash":null`, `"ip_hash":"10.0.0.1"`, "rows.0.ip_hash"},
		{`"event_name":"view"`, `"event_name":""`, "rows.0.event_name"},
		{`"session_id":"v0-987552"`, `"session_id":"v0-1"`, "rows.0.session_id"},
		{`"seq":1`, `"seq":1,"more":2`, "rows.0"},
		{`,"seq":1`, ``, "rows.0"},
		{`2026-05-01`, `2026-06-01`, "rows.0.timestamp"},
		{`"properties":"{`, `"properties":"[{`, "rows.0.properties"},
	} {
		sent := strings.Replace(line, c.old, c.new, 1)
		if sent == line {
			t.Fatalf("%s isn't in %s", c.old, line)
		}
		res, body := r.call("POST", path, bearer(r.words["ak"]), strings.NewReader(sent))
		var said struct {
			Error   string
			Details struct{ FieldErrors map[string][]string }
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil || res.StatusCode != 400 || said.Error != event.CodeInvalidPayload || said.Details.FieldErrors[c.field] == nil {
			t.Errorf("%s: %d %s", c.new, res.StatusCode, body)
		}
	}
	for _, key := range []string{"pk", "sk", "rk"} {
		if res, body := r.call("POST", path, bearer(r.words[key]), strings.NewReader(line)); res.StatusCode != 403 {
			t.Errorf("%s: %d %s", key, res.StatusCode, body)
		}
	}
	if res, body := r.call("POST", path, bearer(r.words["ak"]), strings.NewReader(line)); res.StatusCode != 200 || body != `{"ok":true,"taken":1,"known":0,"too_old":0}` {
		t.Errorf("as it went out: %d %s", res.StatusCode, body)
	}
}

// TestAProjectIsGivenBackWhole fetches a project as an archive, unpacks it and takes it into another.
func TestAProjectIsGivenBackWhole(t *testing.T) {
	r, seed := startServer(t), enginetest.Seed(t)
	const events, passphrase = 400, "correct horse battery staple"
	r.keepHistory(seed, events)
	file, dir := filepath.Join(t.TempDir(), "shop.archive"), filepath.Join(t.TempDir(), "shop")
	t.Setenv("MILLIMETRIC_PASSPHRASE", passphrase)
	r.cli(r.words["ak"], "projects", "return", "shop", "--out", file)
	local := func(args ...string) (string, error) {
		root := rootCommand()
		var out strings.Builder
		root.SetArgs(args)
		root.SetOut(&out)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	if said, err := local("archive", "verify", file); err != nil || !strings.Contains(said, "is whole") {
		t.Fatalf("seed %d: %s, %v", seed, said, err)
	}
	t.Setenv("MILLIMETRIC_PASSPHRASE", passphrase+"r")
	if said, err := local("archive", "verify", file); err == nil {
		t.Errorf("another passphrase: %s", said)
	}
	t.Setenv("MILLIMETRIC_PASSPHRASE", passphrase)
	if _, err := local("archive", "unpack", file, "--out", dir); err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile(filepath.Join(dir, "project.json"))
	if err != nil || !strings.Contains(string(about), r.words["project"]) || strings.Contains(string(about), r.words["sk"]) {
		t.Errorf("project.json: %v\n%s", err, about)
	}
	said := r.cli(r.words["ak"], "import", "--project", "blog", "--format", "parquet", "--json", filepath.Join(dir, "events"))
	if !strings.Contains(said, fmt.Sprintf(`"taken":%d`, events)) {
		t.Fatalf("seed %d: %s", seed, said)
	}
	for _, q := range allKinds()[:20] {
		if here, there := r.asked(r.words["rk"], q), r.asked(r.words["blog_rk"], q); here != there {
			t.Fatalf("seed %d, %s %s:\n%.2000s\n%.2000s", seed, q[0], q[1], here, there)
		}
	}
	for _, bad := range []string{`{}`, `{"passphrase":"short"}`, `{"key":"short"}`, `{"passphrase":"long enough for that","more":1}`} {
		if res, body := r.call("POST", "/v1/admin/projects/shop/return", bearer(r.words["ak"]), strings.NewReader(bad)); res.StatusCode != 400 {
			t.Errorf("%s: %d %s", bad, res.StatusCode, body)
		}
	}
	for _, e := range r.auditRows() {
		if strings.Contains(string(e.Detail), passphrase) {
			t.Error("the audit log has the passphrase")
		}
	}
}

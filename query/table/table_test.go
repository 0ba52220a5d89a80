package table

import (
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/query/querytest"
)

var rewrite = flag.Bool("rewrite", false, "replace the expected tables by those that the code makes now")

// questions are asked of the site, each for one file of testdata.
var questions = map[string]string{
	"query":       "query limit=3 event=purchase from=2026-03-02 to=2026-04-20",
	"stats":       "stats group_by=source,properties.amount metric=sum(amount) compare=previous_period from=2026-03-16 to=2026-03-30",
	"nothing":     "stats group_by=source from=2020-01-01 to=2020-02-01",
	"sources":     "sources from=2026-03-02 to=2026-04-20",
	"funnel":      "funnel step=$pageview step=signup step=purchase from=2026-03-02 to=2026-04-20",
	"funnelgroup": "funnel step=$pageview step=signup breakdown=country compare=previous_period limit=3 from=2026-03-16 to=2026-03-30",
	"funnellist":  `funnel step=$pageview step=signup list={"dropped":1} limit=3 from=2026-03-02 to=2026-04-20`,
	"attribution": "attribution conversion=purchase models=first,linear value=properties.amount compare=previous_period from=2026-03-16 to=2026-03-30",
	"retention":   "retention birth=$pageview return=$pageview period=week periods=3 compare=previous_period from=2026-03-16 to=2026-03-30",
	"paths":       "paths start=$pageview steps=2 limit=2 from=2026-03-02 to=2026-04-20",
	"sessions":    "sessions group_by=entry_path,source interval=week from=2026-03-02 to=2026-03-16",
	"visits":      "sessions list=true limit=3 from=2026-03-02 to=2026-04-20",
}

func TestTablesOfEveryQuestion(t *testing.T) {
	site := querytest.Slice(querytest.Site())
	for name, line := range questions {
		got := csvOf(t, site, line)
		file := filepath.Join("testdata", name+".csv")
		if *rewrite {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", name, line, got, want)
		}
	}
}

func TestWhoIsThereNowIsATable(t *testing.T) {
	e := event.Event{Seq: 1, Time: querytest.Now - 1000, Name: event.EventPageview, AnonymousID: "a", Path: "/", Source: "x", Properties: "{}"}
	got := string(csvOf(t, querytest.Slice{e}, "live window=1h"))
	if want := "kind,value,actors,events\nall,,1,\npath,/,1,1\nsource,x,1,1\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestTextOfStrangersIsNoFormula holds that a spreadsheet takes no text for a formula, and that nothing else
// of it is lost on the way.
func TestTextOfStrangersIsNoFormula(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "a,b", `"quoted"`, "two\nlines", "=cmd|' /C calc'!A0", " =1", "日本"} {
		e := event.Event{Seq: 1, Time: querytest.Now - 1000, Name: text, AnonymousID: "a", Source: "x", Properties: `{"n":-5}`}
		lines, err := csv.NewReader(strings.NewReader(string(csvOf(t, querytest.Slice{e}, "stats group_by=event_name,properties.n from=2026-04-01 to=2026-06-01")))).ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%q: %v, %v", text, lines, err)
		}
		// The reader of CSV, not the file, makes \r\n one line end.
		want := text
		if strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
			want = "'" + text
		}
		if !slices.Equal(lines[1], []string{want, "-5", "1"}) {
			t.Errorf("%q became %q", text, lines[1])
		}
	}
}

func csvOf(t *testing.T, source querytest.Slice, line string) []byte {
	t.Helper()
	table, err := Of(querytest.Ask(t, source, line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	got, err := table.AppendCSV(nil)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return got
}

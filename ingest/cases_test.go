package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

var rewrite = flag.Bool("rewrite", false, "write what came out into the case files")

// TestCases runs the case files: requests in, stored events or the answer's error out. A case is
// comments, a line "verb option…", the body, "----", the output, an empty line. Every case has a
// store of its own.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("case files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, one := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		input, want, found := strings.Cut(one, "\n----\n")
		if !found && !*rewrite {
			t.Fatalf("%s: case %d has no output", file, i)
		}
		input = strings.TrimSuffix(input, "\n----")
		got := runCase(t, input)
		if !*rewrite && got != want {
			t.Errorf("%s: %s\ngot\n%s\nwant\n%s", file, input, got, want)
		}
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(input + "\n----\n" + got + "\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func runCase(t *testing.T, input string) string {
	t.Helper()
	for strings.HasPrefix(input, "#") {
		_, input, _ = strings.Cut(input, "\n")
	}
	head, body, _ := strings.Cut(input, "\n")
	words := strings.Fields(head)
	caller := callerOf(t, words[1:])
	w := newWorld(t)
	if err := w.send(caller, words[0], body); err != nil {
		if w.kept.calls > 0 {
			t.Errorf("%s: appended in spite of the error", input)
		}
		return showError(t, err)
	}
	if len(w.kept.events) == 0 {
		return "(nothing)"
	}
	var lines []string
	for i := range w.kept.events {
		lines = append(lines, showEvent(t, &w.kept.events[i], caller))
	}
	return strings.Join(lines, "\n")
}

// callerOf reads the options of a case.
func callerOf(t *testing.T, words []string) Caller {
	t.Helper()
	c := browser()
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "browser":
		case "server":
			c.Server = true
		case "private":
			c.Private = true
		case "allowed":
			c.Site.AllowedParams, c.Site.AllowedProperties = strings.Split(value, ","), strings.Split(value, ",")
		case "cookieless":
			c.Site.Cookieless = true
		case "agent":
			c.Agent = map[string]string{"phone": agentPhone, "crawler": agentCrawl, "none": ""}[value]
		case "addr":
			c.Addr = netip.Addr{}
			if value != "none" {
				c.Addr = netip.MustParseAddr(value)
			}
		case "import":
			c.Import = value
		case "internal":
			c.Site.InternalHosts = strings.Split(value, ",")
		case "oldest":
			at, err := event.ParseTime(value, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			c.Site.Oldest = at
		default:
			t.Fatalf("no such option: %s", word)
		}
	}
	return c
}

// shown is an event as case files show it; what is missing isn't shown.
type shown struct {
	Time       string `json:"time"`
	Name       string `json:"name"`
	ID         string `json:"id,omitempty"`
	Visitor    string `json:"visitor"`
	User       string `json:"user,omitempty"`
	Session    string `json:"session"`
	Derived    bool   `json:"derived,omitempty"`
	URL        string `json:"url,omitempty"`
	Path       string `json:"path,omitempty"`
	Referrer   string `json:"referrer,omitempty"`
	Touch      string `json:"touch"`
	Country    string `json:"country,omitempty"`
	Device     string `json:"device,omitempty"`
	IPHash     string `json:"ip_hash,omitempty"`
	Bot        string `json:"bot,omitempty"`
	Properties string `json:"properties"`
}

func showEvent(t *testing.T, e *event.Event, caller Caller) string {
	t.Helper()
	visitor := showVisitor(e, caller)
	s := shown{
		Time: e.Time.Std().Format("2006-01-02T15:04:05.000Z07:00"), Name: e.Name, ID: e.ID, Visitor: visitor, User: e.UserID,
		Session: strings.Replace(e.SessionID, e.AnonymousID, visitor, 1), Derived: e.SessionDerived,
		URL: e.URL, Path: e.Path, Referrer: e.Referrer,
		Touch:   strings.TrimRight(strings.Join([]string{e.Source, e.Medium, e.SourceConfidence, e.SourceRule, e.Campaign}, " "), " "),
		Country: e.Country, Device: strings.TrimSpace(e.Device + " " + e.Browser + " " + e.OS),
		IPHash: showHash(e, caller), Bot: e.Bot, Properties: e.Properties,
	}
	return plain(t, s)
}

// showVisitor names the visitors that the server makes by what they are made from.
func showVisitor(e *event.Event, caller Caller) string {
	if e.AnonymousID == privacy.UserVisitor(caller.Site.Key, e.UserID) {
		return "(of the user)"
	}
	day := int64(e.Time) / dayMS
	for _, addr := range []string{addrHome, addrOther} {
		for name, agent := range map[string]string{"desktop": agentChrome, "phone": agentPhone, "no agent": ""} {
			salt := saltOf(caller.Site.Project, day, caller.Import)
			if e.AnonymousID == privacy.DayVisitor(salt, netip.MustParseAddr(addr), agent) {
				return "(of the day: " + addr + ", " + name + ")"
			}
		}
	}
	if strings.HasPrefix(e.AnonymousID, "r_") && len(e.AnonymousID) == 34 {
		return "(random)"
	}
	return e.AnonymousID
}

func showHash(e *event.Event, caller Caller) string {
	salt := saltOf(caller.Site.Project, int64(e.Time)/dayMS, caller.Import)
	for _, addr := range []string{addrHome, addrOther} {
		if e.IPHash == privacy.IPHash(salt, netip.MustParseAddr(addr)) {
			return "(" + addr + " on " + e.Time.Std().Format("01-02") + strings.TrimRight(" "+caller.Import, " ") + ")"
		}
	}
	return e.IPHash
}

func showError(t *testing.T, err error) string {
	t.Helper()
	var known *event.Error
	if !errors.As(err, &known) {
		return "internal: " + err.Error()
	}
	if !errors.Is(err, event.ErrInput) {
		t.Errorf("%v is not of kind input", err)
	}
	answer := struct {
		Error  string            `json:"error"`
		Fields event.FieldErrors `json:"fields,omitempty"`
		Notes  []string          `json:"notes,omitempty"`
	}{known.Code, known.Fields, known.Notes}
	return plain(t, answer)
}

func plain(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

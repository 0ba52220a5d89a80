// Package querytest holds what questions mean, apart from how they are answered: a corpus of cases
// in testdata, a runner that asks them of anything that can answer, and a model that answers from
// a plain slice of events in the slowest and plainest way.
//
// The model shares the parsed questions with package query, and nothing of its evaluation: where the
// two agree on random questions, they have come to the same answer on two ways.
//
// The package is for tests. It starts no goroutines, and writes to disk only when a test binary is
// run with -rewrite: then the case files' expected answers are replaced by the answers.
package querytest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
)

// Now is what the clock shows in all cases: 2026-05-01T12:00:00Z.
const Now event.Time = 1777636800000

// Answer asks a question of something that holds the given events, in the order of their positions,
// and returns the answer's JSON, or the error's as the API has it. The question is what follows
// "/v1/" in a GET: stats?metric=count&from=…
type Answer func(t *testing.T, load []event.Event, question string) string

// Run asks every case of the files *.txt in dir.
//
// The clock of whoever answers must show Now.
//
// A file is a list of blocks. "load" adds events to those loaded before it in the file; "ask" is
// followed by a question and its answer as a table; "fail" by a question and the error that refuses
// it. A "#" begins a comment. See testdata for examples.
func Run(t *testing.T, dir string, answer Answer) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			runFile(t, file, answer)
		})
	}
}

// block is one block of a case file.
type block struct {
	verb  string // load, ask, fail, or "" for comments and blank lines
	line  int
	lead  []string // the lines before "----", or those of a comment
	reply []string // the lines after it, up to a blank line
}

func runFile(t *testing.T, file string, answer Answer) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := parseBlocks(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var load []event.Event
	next := ""
	for i := range blocks {
		b := &blocks[i]
		switch b.verb {
		case "load":
			if load, err = appendEvents(load, b.lead[1:]); err != nil {
				t.Fatalf("%s:%d: %v", file, b.line, err)
			}
		case "ask", "fail":
			place := fmt.Sprintf("%s:%d", file, b.line)
			reply := ask(t, place, b, next, func(question string) string { return answer(t, slices.Clone(load), question) })
			next = reply.next
			replayed := strings.Contains(strings.Join(b.lead, " "), "as_of=") || strings.Contains(strings.Join(b.lead, " "), "cursor=")
			if reply.asOf != "" && !replayed && reply.asOf != strconv.Itoa(len(load)) {
				t.Errorf("%s: as_of is %q, but %d events are loaded", place, reply.asOf, len(load))
			}
		}
	}
	if rewrite := flag.Lookup("rewrite"); rewrite != nil && rewrite.Value.String() == "true" {
		if err := os.WriteFile(file, []byte(formatBlocks(blocks)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask asks the question of a block. A parameter cursor=next in it stands for the cursor that the
// answer before gave.
func ask(t *testing.T, place string, b *block, cursor string, answer func(question string) string) (got reply) {
	question, show := questionOf(strings.Join(b.lead, " "))
	question = strings.Replace(question, "cursor=next", "cursor="+cursor, 1)
	body := answer(question)
	got, err := readReply(body)
	if err != nil {
		t.Errorf("%s: %v in %s", place, err, body)
		return reply{}
	}
	if got.refused != (b.verb == "fail") {
		t.Errorf("%s: %s must not be answered by %s", place, b.verb, body)
		return reply{}
	}
	lines := got.lines(show)
	if rewrite := flag.Lookup("rewrite"); rewrite != nil && rewrite.Value.String() == "true" {
		b.reply = lines
	} else if !slices.Equal(lines, b.reply) {
		t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", place, question, strings.Join(lines, "\n"), strings.Join(b.reply, "\n"))
	}
	return got
}

func parseBlocks(text string) ([]block, error) {
	var blocks []block
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); {
		verb, _, _ := strings.Cut(lines[i], " ")
		if verb == "" || strings.HasPrefix(verb, "#") {
			blocks = append(blocks, block{line: i + 1, lead: lines[i : i+1]})
			i++
			continue
		}
		if verb != "load" && verb != "ask" && verb != "fail" {
			return nil, fmt.Errorf("line %d: unknown verb %q", i+1, verb)
		}
		b := block{verb: verb, line: i + 1}
		for ; i < len(lines) && lines[i] != "----"; i++ {
			b.lead = append(b.lead, lines[i])
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: no ---- ends the %s", b.line, verb)
		}
		for i++; i < len(lines) && lines[i] != ""; i++ {
			b.reply = append(b.reply, lines[i])
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func formatBlocks(blocks []block) string {
	var out []string
	for _, b := range blocks {
		out = append(out, b.lead...)
		if b.verb != "" {
			out = append(append(out, "----"), b.reply...)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// words splits at spaces that stand in no JSON string.
func words(line string) []string {
	var list []string
	quoted, start := false, -1
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case (c == ' ' || c == '\t') && !quoted:
			if start >= 0 {
				list = append(list, line[start:i])
			}
			start = -1
			continue
		case c == '"':
			quoted = !quoted
		}
		if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		list = append(list, line[start:])
	}
	return list
}

// questionOf makes the question of an ask: its name, then parameters. show=a,b names the columns of
// the answer that the case is about; it isn't sent.
func questionOf(line string) (question string, show []string) {
	list := words(line)[1:]
	var params []string
	for _, word := range list[1:] {
		name, value, _ := strings.Cut(word, "=")
		if name == "show" {
			show = strings.Split(value, ",")
			continue
		}
		params = append(params, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return list[0] + "?" + strings.Join(params, "&"), show
}

// appendEvents reads lines such as
//
//	2026-03-01T10:00Z ann view path=/ user=u1 properties.plan=pro
//
// that is, time, visitor, event name and fields. Positions follow the order of the lines.
func appendEvents(load []event.Event, lines []string) ([]event.Event, error) {
	for _, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := readEvent(words(line))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		e.Seq = event.Seq(len(load) + 1)
		load = append(load, e)
	}
	return load, nil
}

func readEvent(list []string) (event.Event, error) {
	if len(list) < 3 {
		return event.Event{}, fmt.Errorf("want time, visitor and event")
	}
	e := event.Event{AnonymousID: list[1], Name: list[2]}
	var err error
	if e.Time, err = event.ParseTime(list[0], time.UTC); err != nil {
		return e, err
	}
	var properties []string
	for _, word := range list[3:] {
		name, value, _ := strings.Cut(word, "=")
		if property, ok := strings.CutPrefix(name, "properties."); ok {
			if !json.Valid([]byte(value)) {
				value = string(quoted(value))
			}
			properties = append(properties, string(quoted(property))+":"+value)
			continue
		}
		field := fieldOf(&e, name)
		if field == nil {
			return e, fmt.Errorf("unknown field %q", name)
		}
		if *field = value; name != "properties" {
			*field = strings.Trim(value, `"`) // quotes are only there to hold spaces
		}
	}
	return completed(e, properties)
}

// completed fills in what an event always has.
func completed(e event.Event, properties []string) (event.Event, error) {
	if e.SessionID == "" {
		e.SessionID, e.SessionDerived = fmt.Sprintf("%s-%d", e.AnonymousID, int64(e.Time)/1000/1800), true
	}
	if e.Source == "" && e.Medium == "" {
		e.Source, e.Medium, e.SourceConfidence, e.SourceRule = "direct", "direct", "high", "direct"
	}
	if u, ok := event.SplitURL(e.URL); ok && e.Path == "" {
		e.Path = u.Path
	}
	if e.Properties == "" {
		e.Properties = "{" + strings.Join(properties, ",") + "}"
	}
	if !json.Valid([]byte(e.Properties)) {
		return e, fmt.Errorf("properties are no JSON: %s", e.Properties)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(e.Properties)); err != nil {
		return e, err
	}
	e.Properties = compact.String()
	return e, nil
}

func fieldOf(e *event.Event, name string) *string {
	return map[string]*string{
		"id": &e.ID, "user": &e.UserID, "session": &e.SessionID, "url": &e.URL, "path": &e.Path, "referrer": &e.Referrer,
		"source": &e.Source, "medium": &e.Medium, "campaign": &e.Campaign, "confidence": &e.SourceConfidence, "rule": &e.SourceRule,
		"country": &e.Country, "device": &e.Device, "browser": &e.Browser, "os": &e.OS, "bot": &e.Bot, "properties": &e.Properties,
	}[name]
}

func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // strings always have JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

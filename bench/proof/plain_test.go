package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millimetric/engine/enginetest"
)

// words are what clients and operators say, one for each place where they can; none may show in the
// data folder or the log.
type words map[string]string

func newWords(random *rand.Rand) words {
	w := words{}
	for _, place := range []string{
		"project", "origin", "event", "event_id", "anonymous_id", "user_id", "session_id", "host", "path", "referrer",
		"campaign", "source", "property", "name of a property", "deep property", "trait", "agent",
	} {
		letters := make([]byte, 14)
		for i := range letters {
			letters[i] = 'a' + byte(random.IntN(26))
		}
		w[place] = string(letters)
	}
	w["address"] = fmt.Sprintf("203.0.113.%d", 100+random.IntN(100))
	w["address of 16 bytes"] = fmt.Sprintf("2001:db8:%x:%x::7", 0x1000+random.IntN(0xe000), 0x1000+random.IntN(0xe000))
	return w
}

func (w words) event(n int) map[string]any {
	address := w["address"]
	if n%2 == 1 {
		address = w["address of 16 bytes"]
	}
	return map[string]any{
		"event": w["event"], "event_id": fmt.Sprint(w["event_id"], n), "anonymous_id": fmt.Sprint(w["anonymous_id"], n%7),
		"user_id": fmt.Sprint(w["user_id"], n%5), "session_id": fmt.Sprint(w["session_id"], n%9),
		"url":        "https://" + w["host"] + ".example/" + w["path"] + "?utm_campaign=" + w["campaign"] + "&utm_source=" + w["source"],
		"referrer":   "https://" + w["referrer"] + ".example/",
		"ip":         address,
		"user_agent": "Mozilla/5.0 (X11; Linux x86_64) " + w["agent"] + " Chrome/130.0 Safari/537.36",
		"properties": map[string]any{"a": w["property"], w["name of a property"]: n, "b": map[string]any{"c": []string{w["deep property"]}}},
	}
}

// fill sends events and an identification.
func (w words) fill(t *testing.T, s *server, k keys) {
	t.Helper()
	for n := range 40 {
		var events []any
		for i := range 50 {
			events = append(events, w.event(50*n+i))
		}
		if a := s.ask("POST", "/v1/batch", k.SK, map[string]any{"events": events}); a.status != http.StatusAccepted {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	who := map[string]any{"anonymous_id": w["anonymous_id"], "user_id": w["user_id"], "traits": map[string]any{"plan": w["trait"]}}
	if a := s.ask("POST", "/v1/identify", k.SK, who); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// seen says which words stand in the files of a folder, or in their names.
func (w words) seen(t *testing.T, folder string) (shown []string, files int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(name)
		for place, word := range w {
			if bytes.Contains(bytes.ToLower(append(text, entry.Name()...)), []byte(word)) {
				shown = append(shown, place+" in "+entry.Name())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(shown)
	return shown, files
}

func TestProofTheDataFolderTellsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	seed := enginetest.Seed(t)
	w := newWords(rand.New(rand.NewPCG(seed, 0x776f726473)))
	data := filepath.Join(t.TempDir(), "data")
	k := initFolder(t, data, "--project", w["project"], "--origin", "https://"+w["origin"]+".example")
	for name, key := range map[string]string{"secret key": k.SK, "read key": k.RK, "publishable key": k.PK, "account key": k.AK} {
		w[name] = strings.ToLower(key[len(key)-30:]) // the secret behind the prefix, which is no secret
	}
	var logs string
	total := 0
	scan := func(when string) (files int) {
		shown, files := w.seen(t, data)
		total += len(shown)
		if len(shown) != 0 {
			t.Errorf("seed=%d, %s: %v", seed, when, shown)
		}
		return files
	}
	s := start(t, data, "--min-free", "0")
	w.fill(t, s, k)
	scan("while it runs")
	logs += s.said()
	s.kill()
	scan("killed")
	s = start(t, data, "--min-free", "0")
	a := s.ask("GET", "/v1/query?from=2000-01-01&to=2100-01-01&limit=1000&include_bots=true", k.RK, nil)
	for _, place := range []string{"event", "event_id", "anonymous_id", "user_id", "session_id", "host", "path", "referrer", "campaign", "source", "property", "deep property"} {
		if !bytes.Contains(a.body, []byte(w[place])) {
			t.Errorf("seed=%d: what was searched for, %s, isn't among the events: %.300s", seed, place, a.body)
		}
	}
	if code, _ := s.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, s.said())
	}
	files := scan("stopped")
	logs += s.said()
	for place, word := range w {
		if bytes.Contains(bytes.ToLower([]byte(logs)), []byte(word)) {
			t.Errorf("seed=%d: the log shows %s", seed, place)
		}
	}
	// A copy that an operator forgot there is found.
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "forgotten"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	control, _ := w.seen(t, data)
	enginetest.Say(t, "S1, the whole folder", "seed=%d places=%d shown=%d files=%d control=%d", seed, len(w), total, files, len(control))
	if len(control) != len(w) {
		t.Errorf("seed=%d: of %d words in a file, the search finds %v", seed, len(w), control)
	}
}

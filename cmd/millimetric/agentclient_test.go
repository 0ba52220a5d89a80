package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestTheCommonClientListsAndCallsEveryTool drives the server with the client that most agents are built
// on, over HTTP and through the command, at the newest revision of the protocol that the client speaks and
// the oldest.
func TestTheCommonClientListsAndCallsEveryTool(t *testing.T) {
	dir := nodeProject(t, "testdata/agents")
	r := startServer(t)
	for range 3 {
		r.track("sk", `{"event":"signup","anonymous_id":"a","url":"https://shop.example/x"}`)
	}
	r.track("sk", `{"event":"$pageview","anonymous_id":"a","url":"https://shop.example/y?utm_source=news"}`)
	calls := map[string]any{
		"attribution": theDay(map[string]any{"conversion": "signup", "models": []string{"first", "data_driven"}}),
		"funnel":      theDay(map[string]any{"steps": []any{map[string]any{"event": "signup"}, map[string]any{"event": "$pageview", "within": "2d"}}, "breakdown": "country"}),
		"get_stats":   theDay(map[string]any{"group_by": []string{"event_name"}, "interval": "day"}),
		"live":        map[string]any{}, "paths": theDay(map[string]any{"start": "signup"}),
		"query_events": theDay(map[string]any{"filters": []any{map[string]any{"field": "event_name", "op": "eq", "value": "signup"}}}),
		"retention":    theDay(map[string]any{"birth": "signup", "return": map[string]any{"event": "$pageview"}, "period": "week", "periods": 3}),
		"sessions":     theDay(map[string]any{"list": true}), "top_sources": theDay(nil),
		"track_event": map[string]any{"event": "deploy"}, "list_projects": map[string]any{}, "compare_projects": theDay(nil),
	}
	given, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	// Revisions that server and client both speak. What is older still is answered with the server's own.
	type visit struct {
		name, agreed     string
		tools, resources int
	}
	var visits []visit
	var targets []map[string]any
	for _, revision := range []struct{ offered, agreed string }{{"2025-11-25", "2025-11-25"}, {"2024-11-05", "2024-11-05"}, {"2024-10-07", "2025-11-25"}} {
		for _, key := range []struct {
			word, path       string
			tools, resources int
		}{{"rk", "/mcp", 9, 2}, {"sk", "/mcp", 10, 0}, {"ak", "/mcp/account", 11, 1}} {
			targets = append(targets,
				map[string]any{"url": r.url + key.path, "key": r.words[key.word], "revision": revision.offered},
				map[string]any{"command": os.Args[0], "args": []string{"mcp", "--server", r.url}, "revision": revision.offered,
					"env": map[string]string{keyOfCommands: r.words[key.word], childVariable: "1"}})
			for _, over := range []string{"HTTP", "stdio"} {
				visits = append(visits, visit{revision.offered + " " + key.word + " over " + over, revision.agreed, key.tools, key.resources})
			}
		}
	}
	list, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(node(t, dir, "client.mjs", string(list), string(given)))), "\n")
	if len(lines) != len(visits) {
		t.Fatalf("%d visits: %s", len(lines), lines)
	}
	for i, v := range visits {
		t.Run(v.name, func(t *testing.T) { checkClient(t, []byte(lines[i]), v.agreed, v.tools, v.resources) })
	}
}

// keyOfCommands is the variable in which commands find their key.
const keyOfCommands = "MILLIMETRIC_KEY"

func checkClient(t *testing.T, out []byte, revision string, tools, resources int) {
	t.Helper()
	var said struct {
		Revision, Server string
		Tools            map[string]struct {
			Called, Error, Schema, Structured bool
			Kinds                             []string
			Rows                              int
		}
		Resources map[string]int
		Prompts   map[string]bool
		Refused   struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if said.Revision != "" && said.Revision != revision || said.Server != "millimetric" {
		t.Errorf("revision %s of %s", said.Revision, said.Server)
	}
	if len(said.Tools) != tools || len(said.Resources) != resources || len(said.Prompts) != 5 {
		t.Errorf("%d tools, %d resources, %d prompts", len(said.Tools), len(said.Resources), len(said.Prompts))
	}
	for name, tool := range said.Tools {
		if !tool.Called || tool.Error || !tool.Schema || !tool.Structured || tool.Rows == 0 || tool.Kinds[0] != "text" {
			t.Errorf("%s: %+v", name, tool)
		}
	}
	for name, filled := range said.Prompts {
		if !filled {
			t.Errorf("prompt %s isn't filled in", name)
		}
	}
	if said.Refused.Code != -32000 || !strings.Contains(said.Refused.Message, "fro: Unknown field") {
		t.Errorf("a misspelt argument: %+v", said.Refused)
	}
}

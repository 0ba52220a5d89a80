package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
	"millimetric/query/querytest"
)

// rpcAnswer is what a JSON-RPC call gives.
type rpcAnswer struct {
	status int
	raw    string
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
}

// rpc sends one JSON-RPC call.
func (r *running) rpc(path, key, method string, params any) rpcAnswer {
	r.t.Helper()
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		r.t.Fatal(err)
	}
	header := bearer(key)
	header.Set("Content-Type", "application/json")
	res, body := r.call("POST", path, header, strings.NewReader(string(text)))
	a := rpcAnswer{status: res.StatusCode, raw: body}
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			r.t.Fatalf("%s: %v: %s", method, err, body)
		}
	}
	return a
}

type toolResult struct {
	Content []struct {
		Type, Text, MIMEType string
		Data                 []byte
		Meta                 map[string]any `json:"_meta"`
	}
	StructuredContent map[string]json.RawMessage
}

// tool calls a tool that must answer.
func (r *running) tool(path, key, name string, args map[string]any) toolResult {
	r.t.Helper()
	a := r.rpc(path, key, "tools/call", map[string]any{"name": name, "arguments": args})
	var result toolResult
	if a.Error != nil || json.Unmarshal(a.Result, &result) != nil {
		r.t.Fatalf("%s %v: %d %s", name, args, a.status, a.raw)
	}
	return result
}

// rows reads the text of a result.
func (t toolResult) rows() (rows []map[string]any) {
	if len(t.Content) == 0 || json.Unmarshal([]byte(t.Content[0].Text), &rows) != nil {
		return nil
	}
	return rows
}

func (r *running) toolNames(path, key string) []string {
	r.t.Helper()
	var list struct{ Tools []struct{ Name string } }
	a := r.rpc(path, key, "tools/list", struct{}{})
	if err := json.Unmarshal(a.Result, &list); err != nil {
		r.t.Fatalf("%v: %s", err, a.raw)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

func (r *running) track(key, body string) {
	r.t.Helper()
	if res, text := r.call("POST", "/v1/track", bearer(r.words[key]), strings.NewReader(body)); res.StatusCode != 202 {
		r.t.Fatalf("%d %s", res.StatusCode, text)
	}
}

// theDay is a range around the clock of servers under test.
func theDay(more map[string]any) map[string]any {
	args := map[string]any{"from": "2026-04-30", "to": "2026-05-03"}
	for name, value := range more {
		args[name] = value
	}
	return args
}

func TestToolsAreThoseOfTheKindOfKey(t *testing.T) {
	r := startServer(t)
	read := []string{"attribution", "funnel", "get_stats", "live", "paths", "query_events", "retention", "sessions", "top_sources"}
	for _, c := range []struct {
		path, key string
		more      []string
	}{
		{"/mcp", "rk", nil}, {"/mcp", "sk", []string{"track_event"}},
		{"/mcp/account", "ak", []string{"compare_projects", "list_projects"}},
	} {
		want := slices.Sorted(slices.Values(slices.Concat(read, c.more)))
		if got := r.toolNames(c.path, r.words[c.key]); !slices.Equal(got, want) {
			t.Errorf("%s with %s: %v", c.path, c.key, got)
		}
	}
}

func TestErrorsOfAgentsHaveTheirCodes(t *testing.T) {
	r := startServer(t)
	call := func(path, key, tool string, args map[string]any) rpcAnswer {
		return r.rpc(path, r.words[key], "tools/call", map[string]any{"name": tool, "arguments": args})
	}
	for _, c := range []struct {
		name string
		got  rpcAnswer
		code int
		want string
	}{
		{"an unknown tool", call("/mcp", "rk", "forget", nil), -32602, "unknown tool"},
		{"an unknown resource", r.rpc("/mcp", r.words["rk"], "resources/read", map[string]any{"uri": "events://none"}), -32602, ""},
		{"a bad argument", call("/mcp", "rk", "get_stats", theDay(map[string]any{"group_by": []string{"sauce"}})), -32000, "allowed are"},
		{"an unknown argument", call("/mcp", "rk", "get_stats", theDay(map[string]any{"limt": 3})), -32000, "limt: Unknown field"},
		{"a project beside a project's key", call("/mcp", "rk", "get_stats", theDay(map[string]any{"project_id": r.words["blog"]})), -32000, "project_id: Unknown field"},
		{"a small budget", call("/mcp", "rk", "get_stats", theDay(map[string]any{"token_budget": 3})), -32000, "token_budget"},
		{"writing with a read key", call("/mcp", "rk", "track_event", map[string]any{"event": "x"}), -32000, "insufficient_scope"},
		{"a bad event", call("/mcp", "sk", "track_event", map[string]any{"event": ""}), -32000, "invalid_payload"},
		{"a resource with a secret key", r.rpc("/mcp", r.words["sk"], "resources/read", map[string]any{"uri": "events://recent"}), -32000, "insufficient_scope"},
		{"an unknown project", call("/mcp/account", "ak", "get_stats", theDay(map[string]any{"project_id": "prj_0000000000000000"})), -32004, "unknown project"},
		{"another account's project", call("/mcp/account", "ak", "get_stats", theDay(map[string]any{"project_ids": []string{r.words["theirs"]}})), -32004, "unknown project"},
		{"two ways to name a project", call("/mcp/account", "ak", "get_stats", theDay(map[string]any{"project_id": "x", "project_slug": "y"})), -32000, "Only one of"},
		{"a prompt without its arguments", r.rpc("/mcp", r.words["rk"], "prompts/get", map[string]any{"name": "why_did_it_change"}), -32000, "event: Required"},
		{"an unknown method", r.rpc("/mcp", r.words["rk"], "tools/forget", struct{}{}), 0, ""},
	} {
		if c.code == 0 {
			if c.got.status != 400 {
				t.Errorf("%s: %d %s", c.name, c.got.status, c.got.raw)
			}
			continue
		}
		if c.got.Error == nil || c.got.Error.Code != c.code || !strings.Contains(c.got.Error.Message, c.want) {
			t.Errorf("%s: %s", c.name, c.got.raw)
		}
	}
	empty, ak, err := r.folder.book.CreateAccount(t.Context(), "empty")
	if err != nil || empty.ID == "" {
		t.Fatal(err)
	}
	r.words["empty"] = ak.Text
	if got := call("/mcp/account", "empty", "get_stats", theDay(nil)); got.Error == nil || got.Error.Code != -32005 {
		t.Errorf("an account without projects: %s", got.raw)
	}
}

func TestAccountKeysAskAndCompareSeveralProjects(t *testing.T) {
	r := startServer(t)
	r.track("sk", `{"event":"x"}`)
	r.track("blog_sk", `{"event":"x"}`)
	r.track("blog_sk", `{"event":"x"}`)
	all := r.tool("/mcp/account", r.words["ak"], "get_stats", theDay(nil)).rows()
	if fmt.Sprint(all) != fmt.Sprintf("[map[project_id:%s value:1] map[project_id:%s value:2]]", r.words["project"], r.words["blog"]) {
		t.Errorf("all projects: %v", all)
	}
	one := r.tool("/mcp/account", r.words["ak"], "get_stats", theDay(map[string]any{"project_slug": "blog"})).rows()
	if fmt.Sprint(one) != "[map[value:2]]" {
		t.Errorf("one project: %v", one)
	}
	compared := r.tool("/mcp/account", r.words["ak"], "compare_projects", theDay(nil)).rows()
	if len(compared) != 2 || compared[0]["slug"] != "blog" || compared[0]["value"] != 2.0 || compared[1]["value"] != 1.0 {
		t.Errorf("compared: %v", compared)
	}
	if listed := r.tool("/mcp/account", r.words["ak"], "list_projects", nil).rows(); len(listed) != 2 || listed[0]["project_id"] != r.words["project"] {
		t.Errorf("listed: %v", listed)
	}
	theirs := r.tool("/mcp/account", r.words["their_ak"], "list_projects", nil).rows()
	if len(theirs) != 1 || theirs[0]["project_id"] != r.words["theirs"] {
		t.Errorf("another account: %v", theirs)
	}
}

func TestAnEventOfAnAgentIsInTheNextAnswer(t *testing.T) {
	r := startServer(t)
	for range 2 {
		result := r.tool("/mcp", r.words["sk"], "track_event", map[string]any{"event": "deploy", "event_id": "d1", "properties": map[string]any{"version": 3}})
		if rows := result.rows(); len(rows) != 1 || rows[0]["event_id"] != "d1" || string(result.StructuredContent["ok"]) != "true" {
			t.Fatalf("%+v", result)
		}
	}
	if rows := r.tool("/mcp", r.words["rk"], "query_events", theDay(nil)).rows(); len(rows) != 1 || rows[0]["properties"] != `{"version":3}` {
		t.Errorf("%v", rows)
	}
	for _, uri := range []string{"events://recent", "schema://events"} {
		a := r.rpc("/mcp", r.words["rk"], "resources/read", map[string]any{"uri": uri})
		if !strings.Contains(string(a.Result), "deploy") || !strings.Contains(string(a.Result), `"cacheScope":"private"`) {
			t.Errorf("%s: %s", uri, a.raw)
		}
	}
	projects := r.rpc("/mcp/account", r.words["ak"], "resources/read", map[string]any{"uri": "projects://all"})
	if !strings.Contains(string(projects.Result), r.words["project"]) || strings.Contains(string(projects.Result), r.words["theirs"]) {
		t.Errorf("%s", projects.raw)
	}
}

// TestAnswersFitTheirBudgetAndPagesLoseNothing walks all pages of cut answers.
func TestAnswersFitTheirBudgetAndPagesLoseNothing(t *testing.T) {
	r := startServer(t)
	var events []string
	for i := range 120 {
		events = append(events, fmt.Sprintf(`{"event":"e%d","event_id":"id-%d","anonymous_id":"v%d","url":"https://shop.example/p%d"}`, i%40, i, i%7, i))
	}
	r.call("POST", "/v1/batch", bearer(r.words["sk"]), strings.NewReader(`{"events":[`+strings.Join(events, ",")+`]}`))
	const budget = 500
	for _, c := range []struct {
		tool, column string
		args         map[string]any
		want         int
	}{
		{"query_events", "event_id", nil, 120},
		{"get_stats", "path", map[string]any{"group_by": []string{"path"}, "limit": 1000}, 120},
	} {
		seen := map[any]bool{}
		args, pages := theDay(c.args), 0
		for args != nil {
			args["token_budget"] = budget
			result := r.tool("/mcp", r.words["rk"], c.tool, args)
			if size := len(result.StructuredContent["untrusted_answer"]); size > 3*budget {
				t.Errorf("%s: a page of %d bytes", c.tool, size)
			}
			for _, row := range result.rows() {
				if seen[row[c.column]] {
					t.Errorf("%s: %v comes twice", c.tool, row[c.column])
				}
				seen[row[c.column]] = true
			}
			var next string
			if err := json.Unmarshal(result.StructuredContent["next"], &next); err != nil {
				break
			}
			args = map[string]any{"cursor": next}
			pages++
		}
		if len(seen) != c.want || pages < 2 {
			t.Errorf("%s: %d rows on %d pages", c.tool, len(seen), pages)
		}
	}
	args := theDay(map[string]any{"birth": "e1", "return": "e2", "periods": 52, "token_budget": budget})
	a := r.rpc("/mcp", r.words["rk"], "tools/call", map[string]any{"name": "retention", "arguments": args})
	if a.Error == nil || !strings.Contains(a.Error.Message, "raise token_budget") {
		t.Errorf("what can't be cut: %s", a.raw)
	}
}

// TestStagesAgentsGetTheAnswersOfHTTP asks the corpus both ways. Texts in the corpus are plain, but for
// addresses, which agents get in a form that can't be followed.
func TestStagesAgentsGetTheAnswersOfHTTP(t *testing.T) {
	r := startServer(t)
	projects, asked := 0, 0
	keys := once(func(t *testing.T, load []event.Event) string {
		projects++
		made, err := r.folder.addProject(t.Context(), auth.NewProject{Name: fmt.Sprint("corpus ", projects)})
		if err != nil {
			t.Fatal(err)
		}
		project := r.folder.book.ProjectNamed(r.folder.book.Accounts()[0].ID, made.ProjectID, "")
		if err := r.folder.engine.Append(t.Context(), project.Number, slices.Clone(load)); err != nil {
			t.Fatal(err)
		}
		return made.RK
	})
	querytest.Run(t, corpus, func(t *testing.T, load []event.Event, question string) string {
		key := keys(t, load)
		status, answer := fetch(t, "GET", r.url+"/v1/"+question, key, "")
		if status == http.StatusOK {
			asked++
			r.askAgain(t, key, question)
		}
		return answer
	})
	if asked < 200 {
		t.Errorf("only %d questions", asked)
	}
}

// askAgain asks an explained question over HTTP and as an agent, and compares.
func (r *running) askAgain(t *testing.T, key, question string) {
	t.Helper()
	name, params, _ := strings.Cut(question, "?")
	values, err := url.ParseQuery(params)
	if err != nil {
		t.Fatal(err)
	}
	if !values.Has("cursor") {
		values.Set("explain", "true")
	}
	body := bodyOf(t, values.Encode())
	_, overHTTP := fetch(t, "POST", r.url+"/v1/"+name, key, body)
	tool := name
	if n, ok := map[string]string{"query": "query_events", "stats": "get_stats", "sources": "top_sources"}[name]; ok {
		tool = n
	}
	args := exactly(t, body)
	args["token_budget"] = 50_000
	got := r.tool("/mcp", key, tool, args)
	want, have := agentForm(t, overHTTP), agentAnswer(t, got)
	if values.Has("cursor") {
		want = agentForm(t, withoutSettings(t, overHTTP))
	}
	if want != have {
		t.Errorf("%s\nHTTP answers    %s\nagents are told %s", question, want, have)
	}
}

// exactly reads an object and keeps its numbers as they are written.
func exactly(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	if err := in.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// withoutSettings is an answer whose question didn't ask for an explanation itself.
func withoutSettings(t *testing.T, answer string) string {
	t.Helper()
	all := exactly(t, answer)
	delete(all, "settings")
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// agentForm is an HTTP answer as agents should get it, members sorted.
func agentForm(t *testing.T, answer string) string {
	t.Helper()
	all := exactly(t, strings.ReplaceAll(answer, "://", "{:}//"))
	delete(all, "cost")
	delete(all, "next")
	rows, _ := all["rows"].([]any)
	for _, row := range rows {
		// Escapes in the JSON of properties are spelled out for agents.
		if of, ok := row.(map[string]any); ok && of["properties"] != nil {
			of["properties"] = exactly(t, of["properties"].(string))
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func agentAnswer(t *testing.T, result toolResult) string {
	t.Helper()
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(result.StructuredContent["untrusted_answer"], &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range result.StructuredContent {
		if name != "untrusted_answer" && name != "cleaned" {
			all[name] = value
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return agentForm(t, string(text))
}

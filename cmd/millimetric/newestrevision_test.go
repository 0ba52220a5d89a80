package main

import (
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// withKey sends a key with each request.
type withKey string

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(k))
	return http.DefaultTransport.RoundTrip(r)
}

// The common client doesn't speak the newest revision yet; the client of the protocol's Go library does.
func TestTheNewestRevisionOfTheProtocolIsSpoken(t *testing.T) {
	r := startServer(t)
	r.track("sk", `{"event":"signup"}`)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: r.url + "/mcp", HTTPClient: &http.Client{Transport: withKey(r.words["rk"])},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if agreed := session.InitializeResult().ProtocolVersion; agreed != "2026-07-28" {
		t.Errorf("revision %s", agreed)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 9 {
		t.Fatalf("%v %v", tools, err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_stats", Arguments: theDay(nil)})
	if err != nil || result.IsError || result.Content[0].(*mcp.TextContent).Text != `[{"value":1}]` {
		t.Errorf("%+v %v", result, err)
	}
	if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "schema://events"}); err != nil {
		t.Error(err)
	}
	if _, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "weekly_report", Arguments: map[string]string{"conversion": "signup", "from": "2026-05-01", "to": "2026-05-08"}}); err != nil {
		t.Error(err)
	}
}

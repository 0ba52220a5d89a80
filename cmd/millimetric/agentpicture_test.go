package main

import (
	"image/png"
	"strings"
	"testing"
)

// pictures returns the decoded pictures of a result.
func (t toolResult) pictures() (all []string) {
	for _, c := range t.Content {
		if c.Type == "image" && c.MIMEType == "image/png" && c.Meta["millimetric/untrusted"] == true {
			all = append(all, string(c.Data))
		}
	}
	return all
}

func TestAgentsGetPicturesOfAnswers(t *testing.T) {
	r := startServer(t)
	r.sendHostile(hostileTexts()[:60])
	for tool, args := range map[string]map[string]any{
		"get_stats":   theDay(map[string]any{"group_by": []string{"event_name"}}),
		"top_sources": theDay(nil), "live": {"window": "1h"},
		"sessions":    theDay(map[string]any{"group_by": []string{"entry_path"}}),
		"funnel":      theDay(map[string]any{"step": []string{"$pageview", "$pageview"}, "breakdown": "path"}),
		"retention":   theDay(map[string]any{"birth": "$pageview", "return": "$pageview", "periods": 3}),
		"paths":       theDay(map[string]any{"start": "$pageview"}),
		"attribution": theDay(map[string]any{"conversion": "$pageview", "group_by": []string{"source"}}),
	} {
		args["chart"], args["token_budget"] = true, 50_000
		pictures := r.tool("/mcp", r.words["rk"], tool, args).pictures()
		if len(pictures) != 1 {
			t.Errorf("%s: %d pictures", tool, len(pictures))
			continue
		}
		img, err := png.Decode(strings.NewReader(pictures[0]))
		if err != nil {
			t.Errorf("%s: %v", tool, err)
		} else if b := img.Bounds(); b.Dx() < 1000 || b.Dy() < 200 {
			t.Errorf("%s: a picture of %v", tool, b)
		}
	}
	if plain := r.tool("/mcp", r.words["rk"], "get_stats", theDay(nil)).pictures(); len(plain) != 0 {
		t.Error("a picture that nobody asked for")
	}
	both := r.tool("/mcp/account", r.words["ak"], "get_stats", theDay(map[string]any{"chart": true})).pictures()
	if len(both) != 2 {
		t.Errorf("%d pictures of two projects", len(both))
	}
	none := r.rpc("/mcp", r.words["rk"], "tools/call", map[string]any{"name": "sessions", "arguments": theDay(map[string]any{"list": true, "chart": true})})
	if none.Error == nil || !strings.Contains(none.Error.Message, "no picture") {
		t.Errorf("single visits: %s", none.raw)
	}
}

package remote

import (
	"bytes"
	"context"
	"strings"
)

// Forgotten is what a server says when it has erased somebody from its answers.
type Forgotten struct {
	OK      bool   `json:"ok"`
	Queued  bool   `json:"queued"`
	Receipt string `json:"receipt"`
}

// Forget has the server erase the user or the visitor that body names, in a project that its id or slug names.
func Forget(ctx context.Context, s Server, project string, body map[string]any) (Forgotten, error) {
	if strings.HasPrefix(project, "prj_") {
		body["project_id"] = project
	} else if project != "" {
		body["project_slug"] = project
	}
	return ask[Forgotten](ctx, s, "POST", "/v1/forget", body)
}

// Receipt returns the receipt of an erasure, as the server has signed it.
func Receipt(ctx context.Context, s Server, id string) ([]byte, error) {
	text, err := s.Ask(ctx, "GET", "/v1/forget/"+escaped(id), nil)
	return bytes.TrimSpace(text), err
}

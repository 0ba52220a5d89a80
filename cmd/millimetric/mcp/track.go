package mcp

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/cmd/millimetric/openapi"
	"millimetric/index/event"
	"millimetric/query"
)

const toolTrack = "track_event"

// addTrack offers the one tool that writes. Batches, identities and erasure are no tools, on purpose.
func (d *Door) addTrack(s *mcp.Server) {
	input, definitions := openapi.Component("Event", defs)
	if len(definitions) > 0 {
		input["$defs"] = definitions
	}
	no, yes := false, true
	s.AddTool(&mcp.Tool{
		Name: toolTrack, Description: "Record one event. With an event_id, sending it again does no harm.",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no, IdempotentHint: false, ReadOnlyHint: !yes},
		InputSchema: input,
		OutputSchema: query.Schema{"type": "object", "required": []string{"ok", "event_id"}, "properties": query.Schema{
			"ok": query.Schema{"type": "boolean"}, "event_id": query.Schema{"type": []string{"string", "null"}}}},
	}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		body := r.Params.Arguments
		if len(body) == 0 {
			return nil, event.InvalidField(event.CodeInvalidPayload, "event", "Required")
		}
		id, err := d.opt.Track(ctx, grantOf(ctx), body)
		if err != nil {
			return nil, err
		}
		said := quote(id)
		if id == "" {
			said = []byte("null")
		}
		answer := appendMembers(nil, []member{{"ok", []byte("true")}, {"event_id", said}})
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "[" + string(answer) + "]"}}, StructuredContent: answer}, nil
	})
}

package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// The codes of JSON-RPC errors beyond the protocol's own.
const (
	codeFailed         = -32000 // a tool failed, or the key's scope isn't enough
	codeUnknownProject = -32004
	codeNoProject      = -32005
)

// guard stands around every method. It lets a key see and use only its own tools, gives tools the
// deadline of their request, which the library doesn't pass on, and turns a panic into an error: the
// library runs methods on goroutines of its own, where a panic would end the process.
func (d *Door) guard(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, request mcp.Request) (result mcp.Result, err error) {
		defer func() {
			if r := recover(); r != nil {
				d.logPanic(r, method)
				result, err = nil, failure(&event.Error{Kind: event.ErrInternal, Code: event.CodeInternal})
			}
		}()
		bounded, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		if err := d.admit(grantOf(ctx), request); err != nil {
			return nil, err
		}
		if method == "subscriptions/listen" {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "this server sends no notifications"}
		}
		result, err = next(bounded, method, request)
		if err == nil {
			result = onlyAllowed(result, grantOf(ctx))
		}
		return result, d.wireError(err)
	}
}

// admit refuses what the key may not use, though others may.
func (d *Door) admit(g auth.Grant, request mcp.Request) error {
	switch params := request.GetParams().(type) {
	case *mcp.CallToolParamsRaw:
		if isTool(params.Name) && !g.Tool(params.Name) {
			return scopeError()
		}
		if params.Name == toolTrack && g.Kind != auth.KindSecret {
			return scopeError()
		}
	case *mcp.ReadResourceParams:
		// A resource without a row there is closed to keys that were narrowed, as in the list.
		if tool, known := resourceTools[params.URI]; known && g.Kind == auth.KindSecret || !g.Tool(tool) {
			return scopeError()
		}
	}
	return nil
}

func scopeError() error {
	return failure(&event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope})
}

// onlyAllowed leaves out of lists the tools that the key may not use, and the resources that tell the same.
func onlyAllowed(result mcp.Result, g auth.Grant) mcp.Result {
	switch list := result.(type) {
	case *mcp.ListToolsResult:
		shown := *list
		shown.Tools = slices.DeleteFunc(slices.Clone(list.Tools), func(t *mcp.Tool) bool { return !g.Tool(t.Name) })
		return &shown
	case *mcp.ListResourcesResult:
		shown := *list
		shown.Resources = slices.DeleteFunc(slices.Clone(list.Resources), func(r *mcp.Resource) bool { return !g.Tool(resourceTools[r.URI]) })
		return &shown
	}
	return result
}

// wireError makes an error one that may be sent. What isn't meant for clients is logged, and sent as
// an internal error.
func (d *Door) wireError(err error) error {
	var wire *jsonrpc.Error
	if err == nil || errors.As(err, &wire) {
		return err
	}
	e := event.AsError(err)
	if e.Kind == event.ErrInternal || e.Code == event.CodeDiskLow && e.Cause != nil {
		d.opt.Log.Error("tool failed", "code", e.Code, "cause", e.Cause)
	}
	return failure(e)
}

// failure is an error of the house as JSON-RPC has it: its message says what to change, its data is what
// the other doors answer with.
func failure(e *event.Error) *jsonrpc.Error {
	message := e.Code
	if text := e.Sentence(); text != "" {
		message += ": " + text
	}
	if allowed, ok := e.Extra["allowed"]; ok {
		message += fmt.Sprintf(": allowed are %v", allowed)
	}
	return &jsonrpc.Error{Code: codeFailed, Message: message, Data: json.RawMessage(e.AppendJSON(nil))}
}

// logPanic logs where a panic came from, and its value only where that is the runtime's: any other
// could hold what a client sent.
func (d *Door) logPanic(r any, method string) {
	what := "a panic of our own"
	if err, ok := r.(runtime.Error); ok {
		what = err.Error()
	}
	d.opt.Log.Error("tool failed", "panic", what, "method", method, "stack", string(debug.Stack()))
}

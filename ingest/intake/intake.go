// Package intake is the HTTP door for events: it reads a request's body, hands it to the pipeline
// and writes the answer.
//
// It checks no keys and knows no routes: the server says who the caller is, and writes the answer
// to every error that comes back from here. It starts no goroutines and writes nothing to disk.
package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/valyala/fasthttp"

	"millimetric/ingest"
)

// Door answers the calls that bring events.
type Door struct {
	Pipeline *ingest.Pipeline
}

// Track takes one event.
func (d *Door) Track(ctx *fasthttp.RequestCtx, caller ingest.Caller) error {
	body, err := Body(ctx)
	if err != nil {
		return err
	}
	id, err := d.Pipeline.Track(lasting(), caller, body)
	if err != nil {
		return err
	}
	switch {
	case id == "":
		answer(ctx, fasthttp.StatusAccepted, `{"ok":true,"event_id":null}`)
	case isPlain(id):
		answer(ctx, fasthttp.StatusAccepted, `{"ok":true,"event_id":"`, id, `"}`)
	default:
		quoted, err := quote(id)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		answer(ctx, fasthttp.StatusAccepted, `{"ok":true,"event_id":`, quoted, `}`)
	}
	return nil
}

// Batch takes many events, all or none.
func (d *Door) Batch(ctx *fasthttp.RequestCtx, caller ingest.Caller) error {
	body, err := Body(ctx)
	if err != nil {
		return err
	}
	count, err := d.Pipeline.Batch(lasting(), caller, body)
	if err != nil {
		return err
	}
	answer(ctx, fasthttp.StatusAccepted, `{"ok":true,"count":`, strconv.Itoa(count), `}`)
	return nil
}

// Identify takes the link between a visitor and a user.
func (d *Door) Identify(ctx *fasthttp.RequestCtx, caller ingest.Caller) error {
	body, err := Body(ctx)
	if err != nil {
		return err
	}
	if err := d.Pipeline.Identify(lasting(), caller, body); err != nil {
		return err
	}
	answer(ctx, fasthttp.StatusOK, `{"ok":true}`)
	return nil
}

// lasting is the context of an append. It is not the request's: that one is cancelled when the
// server begins to stop, and a stopping server still answers what it has taken in.
func lasting() context.Context { return context.Background() }

func answer(ctx *fasthttp.RequestCtx, status int, body ...string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	for _, part := range body {
		ctx.Response.AppendBodyString(part)
	}
}

// quote writes a string as JSON, with no more escapes than JSON needs.
func quote(text string) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}

// isPlain reports whether a text is the same within quotes.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

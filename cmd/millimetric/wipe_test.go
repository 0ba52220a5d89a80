package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// offeredConn is a connection of which each read gives the next text, into memory that the test looks at.
type offeredConn struct {
	net.Conn
	texts []string
}

func (c *offeredConn) Read(p []byte) (int, error) {
	if len(c.texts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.texts[0])
	c.texts = c.texts[1:]
	return n, nil
}

func isClear(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

func TestABufferIsClearedBeforeItsConnectionRests(t *testing.T) {
	left := "what another connection left"
	buffer := make([]byte, readBufferBytes)
	copy(buffer[100:], left)
	body := bytes.Repeat([]byte{'b'}, 3*readBufferBytes)
	c := &wipingConn{Conn: &offeredConn{texts: []string{"the head of a request", "and the rest", strings.Repeat("x", len(body)), "the next one"}}}
	for _, read := range []struct {
		into, want []byte
	}{
		{buffer, []byte("the head of a request")},
		{buffer[21:], []byte("the head of a requestand the rest")}, // it was too short to be understood
		{body, []byte("the head of a requestand the rest")},        // past the buffer
		{buffer, []byte("the next one")},
	} {
		if _, err := c.Read(read.into); err != nil {
			t.Fatal(err)
		}
		if got := bytes.TrimRight(buffer, "\x00"); !bytes.Equal(got, read.want) {
			t.Fatalf("the buffer holds %q, not %q", got, read.want)
		}
	}
	if bytes.IndexByte(body, 'b') >= 0 {
		t.Error("a body was cleared while it was read")
	}
	if _, err := c.Read(buffer); err != io.EOF || !isClear(buffer) {
		t.Errorf("%v: the buffer of a connection that ended holds %q", err, bytes.TrimRight(buffer, "\x00"))
	}
}

func TestWhatARequestSaidIsClearedOnceItIsAnswered(t *testing.T) {
	var req fasthttp.Request
	req.SetRequestURI("/v1/forget/ann?email=ann@mail.example#ann")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetUserAgent("ann's browser")
	req.Header.SetReferer("https://mail.example/ann")
	req.Header.SetCookie("ann", "ann's cookie")
	req.Header.Set("Authorization", "Bearer ann's key")
	req.Header.SetConnectionClose()
	req.SetBodyString(`{"user_id":"ann"}`)
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, nil, nil)
	said := func() map[string][]byte {
		h, uri := &ctx.Request.Header, ctx.URI()
		return map[string][]byte{
			"body": ctx.Request.Body(), "agent": h.UserAgent(), "referrer": h.Referer(), "cookie": h.Cookie("ann"), "key": h.Peek("Authorization"),
			"request line": h.RequestURI(), "path": uri.PathOriginal(), "clean path": uri.Path(), "query": uri.QueryString(), "parameter": uri.QueryArgs().Peek("email"),
			"fragment": uri.Hash(),
		}
	}
	all := said()
	for what, text := range all {
		if len(text) == 0 || isClear(text) {
			t.Fatalf("%s is empty beforehand", what)
		}
	}

	ctx.Response.SetBodyStream(strings.NewReader("an answer that may need it"), -1)
	wipe(&ctx)
	if string(ctx.Request.Body()) != `{"user_id":"ann"}` {
		t.Error("a request was cleared whose answer is still to be written")
	}
	ctx.Response.Reset()
	wipe(&ctx)
	for what, text := range all {
		if !isClear(text) {
			t.Errorf("%s says %q", what, text)
		}
	}
	var next fasthttp.RequestHeader
	next.SetConnectionClose()
	if !strings.Contains(next.String(), "Connection: close") || !ctx.IsPost() {
		t.Error("more was cleared than what the request said")
	}
}

func TestTheLastBufferOfAConnectionIsCleared(t *testing.T) {
	for _, last := range []bool{false, true} {
		buffer := make([]byte, readBufferBytes)
		c := &wipingConn{Conn: &offeredConn{texts: []string{"ann"}}}
		var ctx fasthttp.RequestCtx
		ctx.Init2(c, nil, false)
		if _, err := c.Read(buffer); err != nil {
			t.Fatal(err)
		}
		if last {
			ctx.SetConnectionClose()
		}
		wipeLast(&ctx)
		if isClear(buffer) != last {
			t.Errorf("last request: %v; the buffer holds %q", last, bytes.TrimRight(buffer, "\x00"))
		}
	}
}

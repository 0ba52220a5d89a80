package main

import (
	"crypto/tls"
	"net"
	"unsafe"

	"github.com/valyala/fasthttp"

	"millimetric/ingest/intake"
)

// What a request says of a visitor stands in buffers that the HTTP library uses again, or gives up as they are.
// The collector doesn't clear what it frees, so pieces of it could show in the heap long after. So the buffers that
// are known are cleared.

// wipe clears what a request said, once it is answered. Of its head that is all that isn't the same for everybody;
// its method stays, by which the answer is written. An answer that is still to be streamed may need the request.
func wipe(ctx *fasthttp.RequestCtx) {
	if ctx.Response.IsBodyStream() || ctx.Request.IsBodyStream() {
		return
	}
	intake.Wipe(ctx)
	uri := ctx.URI()
	for key, value := range uri.QueryArgs().All() {
		clear(key)
		clear(value)
	}
	head := &ctx.Request.Header
	for _, cookie := range head.Cookies() {
		clear(cookie)
	}
	for key, value := range head.All() {
		if string(key) != fasthttp.HeaderConnection { // a word of the library's own may stand for it
			clear(value)
		}
	}
	for _, text := range [][]byte{uri.QueryString(), uri.PathOriginal(), uri.Path(), uri.Hash(), head.RequestURI(), head.RawHeaders()} {
		clear(text)
	}
}

// wipeLast clears the buffer of a connection that was read from for the last time.
func wipeLast(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(interface{ wipe() }); ok && (ctx.Response.ConnectionClose() || ctx.Request.Header.ConnectionClose()) {
		c.wipe()
	}
}

// readBuffer is the library's buffer of a connection. Requests are read into it, and small bodies with them.
type readBuffer struct {
	all  []byte
	used int // up to where something may have been read into it
}

// before is called before p is read into. All of the buffer is offered once all that it held was taken: the
// request before, that is, which was answered, or what the buffer's last connection has left.
func (b *readBuffer) before(p []byte) {
	switch {
	case len(p) != readBufferBytes: // the rest of it, or a body that is read past it
		return
	case b.all == nil:
		b.all, b.used = p, len(p)
	case &p[0] != &b.all[0]: // a body that is just as long
		return
	}
	b.wipe()
}

// after is called when n bytes were read, maybe past the buffer.
func (b *readBuffer) after(n int) { b.used = min(b.used+n, len(b.all)) }

// wipe clears the buffer.
func (b *readBuffer) wipe() {
	clear(b.all[:b.used])
	b.used = 0
}

// wipingListener accepts connections that leave nothing in the library's buffers while they rest.
type wipingListener struct{ net.Listener }

// Accept returns the next connection.
func (l wipingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if secure, ok := c.(*tls.Conn); ok {
		return &wipingTLS{wipingConn: wipingConn{Conn: c}, secure: secure}, nil
	}
	return &wipingConn{Conn: c}, nil
}

// wipingConn is a connection whose reads are looked at.
type wipingConn struct {
	net.Conn
	buffer readBuffer
}

// Read reads into the library's buffer.
func (c *wipingConn) Read(p []byte) (int, error) {
	c.buffer.before(p)
	n, err := c.Conn.Read(p)
	c.buffer.after(n)
	return n, err
}

// NetConn returns the connection below.
func (c *wipingConn) NetConn() net.Conn { return c.Conn }

func (c *wipingConn) wipe() { c.buffer.wipe() }

// wipingTLS is one with TLS, which the HTTP library knows by these methods.
type wipingTLS struct {
	wipingConn
	secure *tls.Conn
}

// Handshake makes the connection secure.
func (c *wipingTLS) Handshake() error { return c.secure.Handshake() }

// ConnectionState tells what was agreed on.
func (c *wipingTLS) ConnectionState() tls.ConnectionState { return c.secure.ConnectionState() }

// below returns the connection that the system knows, or that counts it.
func below(c net.Conn) net.Conn {
	for {
		upper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = upper.NetConn()
	}
}

// textOf returns bytes of a request as a text without a copy that nobody could clear. It is good until the request
// is answered.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

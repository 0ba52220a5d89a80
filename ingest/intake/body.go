package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/valyala/fasthttp"

	"millimetric/index/event"
)

// codeUnsupported is the code for a Content-Encoding that nobody here speaks.
const codeUnsupported = "unsupported_media_type"

// The codings of Content-Encoding, as clients spell them once case is aside.
const (
	codingIdentity = "identity"
	codingGzip     = "gzip"
	codingGzipOld  = "x-gzip" // RFC 9110 holds it to be gzip
	codingDeflate  = "deflate"
	codingBrotli   = "br"
	codingZstd     = "zstd"
)

// Body returns the request's body, decompressed. It holds at most event.BodyBytesMax bytes, and so
// does what is read to make it. The bytes belong to the request and are only good until it ends.
func Body(ctx *fasthttp.RequestCtx) ([]byte, error) {
	if body, ok := ctx.UserValue(unpackedKey{}).([]byte); ok {
		return body, nil
	}
	req := &ctx.Request
	if err := settle(req); err != nil {
		return nil, err
	}
	coding, err := codingOf(req)
	if err != nil {
		return nil, err
	}
	body, err := decompressed(req, coding)
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return nil, tooLarge()
	case err != nil:
		return nil, &event.Error{
			Kind: event.ErrInput, Code: event.CodeInvalidPayload,
			Notes: []string{"The body is no valid " + coding + " stream"}, Cause: err,
		}
	case len(body) > event.BodyBytesMax:
		return nil, tooLarge()
	}
	if coding != codingIdentity {
		ctx.SetUserValue(unpackedKey{}, body)
	}
	return body, nil
}

// unpackedKey is under which Body leaves what it decompressed, for the next time and for Wipe.
type unpackedKey struct{}

// Wipe clears the body and what it was decompressed to. It is the last that is done with them.
func Wipe(ctx *fasthttp.RequestCtx) {
	clear(ctx.Request.Body())
	if body, ok := ctx.UserValue(unpackedKey{}).([]byte); ok {
		clear(body)
	}
}

// IsPacked tells whether a body is compressed, by what its request says or by how it begins.
func IsPacked(ctx *fasthttp.RequestCtx) bool {
	coding, err := codingOf(&ctx.Request)
	return err == nil && coding != codingIdentity && coding != ""
}

// Unpack decompresses a body ahead of Body, for servers that count what it becomes, and returns its size.
func Unpack(ctx *fasthttp.RequestCtx) (size int, err error) {
	body, err := Body(ctx)
	return len(body), err
}

// settle reads a streamed body, whose length no limit of the server holds for, up to our own limit.
func settle(req *fasthttp.Request) error {
	if !req.IsBodyStream() {
		if len(req.Body()) > event.BodyBytesMax {
			return tooLarge()
		}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(req.BodyStream(), event.BodyBytesMax+1))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if len(body) > event.BodyBytesMax {
		return tooLarge()
	}
	req.SetBodyRaw(body)
	return nil
}

// codingOf says how the body is compressed. Several codings on top of one another are refused: no
// client needs them, and each multiplies what a small body can grow to.
func codingOf(req *fasthttp.Request) (string, error) {
	headers := req.Header.PeekAll(fasthttp.HeaderContentEncoding)
	if len(headers) > 1 {
		return "", unsupported()
	}
	coding := codingIdentity
	if len(headers) == 1 {
		coding = strings.ToLower(strings.TrimSpace(string(headers[0])))
	}
	switch coding {
	case codingGzip, codingDeflate, codingBrotli, codingZstd:
		return coding, nil
	case codingGzipOld:
		return codingGzip, nil
	case codingIdentity, "":
		// Some browser clients compress without saying so. JSON never begins with these bytes.
		if bytes.HasPrefix(req.Body(), []byte{0x1f, 0x8b}) {
			return codingGzip, nil
		}
		return codingIdentity, nil
	}
	return "", unsupported()
}

// decompressed returns the body without its coding. fasthttp's decoders stop at the limit that they
// are given and hold no more than one window beside the output; a window larger than the limit is
// refused before it is allocated.
func decompressed(req *fasthttp.Request, coding string) ([]byte, error) {
	switch coding {
	case codingGzip:
		return req.BodyGunzipWithLimit(event.BodyBytesMax)
	case codingBrotli:
		return req.BodyUnbrotliWithLimit(event.BodyBytesMax)
	case codingZstd:
		return req.BodyUnzstdWithLimit(event.BodyBytesMax)
	case codingDeflate:
		if isZlib(req.Body()) {
			return req.BodyInflateWithLimit(event.BodyBytesMax)
		}
		return inflateRaw(req.Body())
	}
	return req.Body(), nil
}

// isZlib reports whether p begins like a zlib stream, which "deflate" means by the standard. Some
// clients send the bare deflate stream instead; its first byte can't look like this one.
func isZlib(p []byte) bool {
	const method, check = 8, 31
	return len(p) >= 2 && p[0]&0x0f == method && (int(p[0])<<8|int(p[1]))%check == 0
}

// inflateRaw decompresses a bare deflate stream.
func inflateRaw(p []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(p))
	body, err := io.ReadAll(io.LimitReader(r, event.BodyBytesMax+1))
	if err != nil {
		return nil, err
	}
	return body, r.Close()
}

func tooLarge() error {
	return event.Invalid(event.CodeTooLarge, fmt.Sprintf("The body may have at most %d bytes, also after decompression", event.BodyBytesMax))
}

func unsupported() error {
	return event.Invalid(codeUnsupported, "Content-Encoding must be gzip, zstd, br, deflate or identity")
}

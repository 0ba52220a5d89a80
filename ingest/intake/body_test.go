package intake

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"

	"millimetric/index/event"
)

// coders compress a body the way that its name says.
var coders = map[string]func(p []byte) []byte{
	"gzip":    fasthttpBytes(fasthttp.AppendGzipBytes),
	"deflate": fasthttpBytes(fasthttp.AppendDeflateBytes),
	"br":      fasthttpBytes(fasthttp.AppendBrotliBytes),
	"zstd":    fasthttpBytes(fasthttp.AppendZstdBytes),
	"bare deflate": func(p []byte) []byte {
		return written(p, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	},
	"best gzip": func(p []byte) []byte {
		return written(p, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) })
	},
	"streamed zstd": func(p []byte) []byte {
		return written(p, func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		})
	},
	"best deflate": func(p []byte) []byte {
		return written(p, func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, zlib.BestCompression) })
	},
}

// headerOf is the Content-Encoding of a coder.
func headerOf(coder string) string {
	words := strings.Fields(coder)
	return words[len(words)-1]
}

func fasthttpBytes(appendTo func(dst, src []byte) []byte) func([]byte) []byte {
	return func(p []byte) []byte { return appendTo(nil, p) }
}

func written(p []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	var b bytes.Buffer
	w, err := open(&b)
	if err == nil {
		_, err = w.Write(p)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

func request(encoding string, body []byte) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	if encoding != "" {
		ctx.Request.Header.Set("Content-Encoding", encoding)
	}
	ctx.Request.SetBody(body)
	return ctx
}

func wantCode(t *testing.T, name string, err error, code string) {
	t.Helper()
	var known *event.Error
	if !errors.As(err, &known) || known.Code != code || known.Kind != event.ErrInput || len(known.Notes) == 0 {
		t.Errorf("%s: got %v, want %s", name, err, code)
	}
}

func TestBodiesComeDecompressed(t *testing.T) {
	want := []byte(strings.Repeat(`{"event":"a"},`, 1000))
	for name, code := range coders {
		packed := code(want)
		for _, header := range []string{headerOf(name), strings.ToUpper(headerOf(name)), " " + headerOf(name) + " "} {
			// Twice, so that a pooled decoder is met too.
			for range 2 {
				if got, err := Body(request(header, packed)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s as %q: %d bytes, %v", name, header, len(got), err)
				}
			}
		}
	}
	for header, body := range map[string][]byte{
		"": want, "identity": want, "Identity": want, "x-gzip": coders["gzip"](want), "X-GZIP": coders["gzip"](want),
	} {
		if got, err := Body(request(header, body)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, %v", header, len(got), err)
		}
	}
}

func TestWipeClearsWhatCameAndWhatItWasDecompressedTo(t *testing.T) {
	said := []byte(`{"user_id":"ann"}`)
	for name, code := range coders {
		ctx := request(headerOf(name), code(said))
		body, err := Body(ctx)
		if err != nil || !bytes.Equal(body, said) {
			t.Fatalf("%s: %q, %v", name, body, err)
		}
		Wipe(ctx)
		if left := bytes.Trim(body, "\x00"); len(left) > 0 || len(bytes.Trim(ctx.Request.Body(), "\x00")) > 0 {
			t.Errorf("%s: %q is left, from %q", name, left, ctx.Request.Body())
		}
	}
}

func TestGzipIsKnownByItsFirstBytes(t *testing.T) {
	want := []byte(`{"event":"a"}`)
	for _, header := range []string{"", "identity"} {
		if got, err := Body(request(header, coders["gzip"](want))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
}

func TestOtherCodingsAreRefused(t *testing.T) {
	for _, header := range []string{"lzma", "compress", "gzip, gzip", "gzip,br", "identity, gzip", "*", "gzip;q=1", "snappy"} {
		_, err := Body(request(header, []byte("{}")))
		wantCode(t, header, err, codeUnsupported)
	}
	ctx := request("gzip", []byte("{}"))
	ctx.Request.Header.Add("Content-Encoding", "br")
	_, err := Body(ctx)
	wantCode(t, "two headers", err, codeUnsupported)
}

func TestBrokenStreamsAreTheClientsMistake(t *testing.T) {
	plain := []byte(strings.Repeat(`{"event":"a","n":123456},`, 1000))
	for name, code := range coders {
		packed := code(plain)
		for kind, body := range map[string][]byte{
			"cut":      packed[:len(packed)/2],
			"one less": packed[:len(packed)-1],
			"plain":    plain,
			"nothing":  nil,
			"garbage":  []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		} {
			got, err := Body(request(headerOf(name), body))
			if kind == "nothing" && err == nil && len(got) == 0 {
				continue // an empty body is told apart by whoever reads its JSON
			}
			wantCode(t, name+" "+kind, err, event.CodeInvalidPayload)
		}
		// A decoder that met a broken stream must serve the next request.
		if got, err := Body(request(headerOf(name), packed)); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s after broken ones: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestBodiesEndAtTheirLimit(t *testing.T) {
	most := bytes.Repeat([]byte{' '}, event.BodyBytesMax)
	over := append(most[:len(most):len(most)], ' ')
	if got, err := Body(request("", most)); err != nil || len(got) != len(most) {
		t.Errorf("plain: %d bytes, %v", len(got), err)
	}
	_, err := Body(request("", over))
	wantCode(t, "plain", err, event.CodeTooLarge)
	for name, code := range coders {
		if got, err := Body(request(headerOf(name), code(most))); err != nil || len(got) != len(most) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		_, err := Body(request(headerOf(name), code(over)))
		wantCode(t, name, err, event.CodeTooLarge)
	}
}

// 256 MiB of zeros in a few hundred kilobytes or less: the answer must come after a small multiple
// of the limit.
func TestBombsCostNoMoreThanTheLimit(t *testing.T) {
	bomb := make([]byte, 256<<20)
	for name, code := range coders {
		if strings.HasPrefix(name, "best") {
			continue // the same decoder as without
		}
		packed := code(bomb)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Body(request(headerOf(name), packed))
		runtime.ReadMemStats(&after)
		wantCode(t, name, err, event.CodeTooLarge)
		// Growing by parts allocates each size once: about five times the last, of which two live.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*event.BodyBytesMax {
			t.Errorf("%s: %d bytes of bomb allocated %d MiB", name, len(packed), grown>>20)
		}
	}
}

// A zstd frame may ask for a window of gigabytes before it holds a single byte.
func TestZstdWindowsAreBounded(t *testing.T) {
	for _, descriptor := range []byte{0xff, 0xa8, 0x80} {
		frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor, 0x01, 0x00, 0x00}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Body(request("zstd", frame))
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4*event.BodyBytesMax {
			t.Errorf("window %#x: %v after %d MiB", descriptor, err, grown>>20)
		}
		if descriptor != 0x80 {
			wantCode(t, "a large window", err, event.CodeTooLarge)
		}
	}
}

func TestStreamedBodiesAreBoundedToo(t *testing.T) {
	for _, size := range []int{10, event.BodyBytesMax, event.BodyBytesMax + 1, 4 * event.BodyBytesMax} {
		ctx := &fasthttp.RequestCtx{}
		source := &counted{left: size}
		ctx.Request.SetBodyStream(source, -1)
		got, err := Body(ctx)
		if size <= event.BodyBytesMax {
			if err != nil || len(got) != size {
				t.Errorf("%d: %d bytes, %v", size, len(got), err)
			}
			continue
		}
		wantCode(t, "stream", err, event.CodeTooLarge)
		if source.read > event.BodyBytesMax+64<<10 {
			t.Errorf("read %d bytes", source.read)
		}
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Request.Header.Set("Content-Encoding", "gzip")
	ctx.Request.SetBodyStream(bytes.NewReader(coders["gzip"]([]byte("{}"))), -1)
	if got, err := Body(ctx); err != nil || string(got) != "{}" {
		t.Errorf("%q, %v", got, err)
	}
}

// counted gives spaces and counts them.
type counted struct{ left, read int }

func (c *counted) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), c.left)
	for i := range n {
		p[i] = ' '
	}
	c.left -= n
	c.read += n
	return n, nil
}

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/sdk"
)

// scriptBytesMax is what the script may weigh on the wire: it stands in every page.
const scriptBytesMax = 2048

func TestTheScriptIsSmall(t *testing.T) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	script, err := sdk.Script(sdk.DefaultCollect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(script); err != nil || writer.Close() != nil {
		t.Fatal(err)
	}
	served, err := newPageScript(sdk.DefaultCollect)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes; gzip %d, as served %d; brotli %d", len(script), packed.Len(), len(served.code.gzip), len(served.code.brotli))
	for _, n := range []int{packed.Len(), len(served.code.gzip), len(served.code.brotli)} {
		if n > scriptBytesMax || n == 0 {
			t.Errorf("the script weighs %d bytes, more than %d", n, scriptBytesMax)
		}
	}
}

func TestTheScriptIsServedAsTheBrowserTakesIt(t *testing.T) {
	r := startServer(t)
	want, err := sdk.Script(sdk.DefaultCollect)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ accept, encoding string }{{"identity", ""}, {"gzip, deflate", "gzip"}, {"gzip, deflate, br, zstd", "br"}} {
		res, body := r.call("GET", "/v1/a.js", http.Header{"Accept-Encoding": {c.accept}}, nil)
		if got := res.Header.Get("Content-Encoding"); got != c.encoding || res.StatusCode != 200 {
			t.Errorf("%s: %d %q", c.accept, res.StatusCode, got)
		}
		if got := unpacked(t, c.encoding, body); got != string(want) {
			t.Errorf("%s: %d bytes, not the script's %d", c.accept, len(got), len(want))
		}
		etag := res.Header.Get("ETag")
		if etag != `W/"`+sdk.Integrity(want)+`"` {
			t.Errorf("ETag %s doesn't say the integrity", etag)
		}
		for known, status := range map[string]int{etag: 304, `"other", ` + etag: 304, strings.TrimPrefix(etag, "W/"): 304, `"other"`: 200, "": 200} {
			res, body := r.call("GET", "/v1/a.js", http.Header{"If-None-Match": {known}}, nil)
			if res.StatusCode != status || (status == 304) != (body == "") {
				t.Errorf("If-None-Match %s: %d and %d bytes", known, res.StatusCode, len(body))
			}
		}
	}
}

func unpacked(t *testing.T, encoding, body string) string {
	t.Helper()
	var plain []byte
	var err error
	switch encoding {
	case "br":
		plain, err = fasthttp.AppendUnbrotliBytes(nil, []byte(body))
	case "gzip":
		var reader *gzip.Reader
		if reader, err = gzip.NewReader(strings.NewReader(body)); err == nil {
			plain, err = io.ReadAll(reader)
		}
	default:
		return body
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestPathsOfPagesCanBeRenamed(t *testing.T) {
	r := startServer(t)
	if err := r.server.rename("/s.js", "/c/d"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/s.js", "/v1/a.js"} {
		res, body := r.call("GET", path, nil, nil)
		if res.StatusCode != 200 || !strings.HasSuffix(body, "})(\"/c/d\");\n") {
			t.Errorf("%s: %d …%s", path, res.StatusCode, body[max(0, len(body)-30):])
		}
		at := res.Header.Get("SourceMap")
		if res, body := r.call("GET", path[:strings.LastIndex(path, "/")+1]+at, nil, nil); res.StatusCode != 200 || body != string(sdk.SourceMap()) {
			t.Errorf("map %s of %s: %d", at, path, res.StatusCode)
		}
	}
	page := bearer(r.words["pk"])
	page.Set("Origin", "https://shop.example")
	for path, body := range map[string]string{
		"/track": `{"event":"x"}`, "/batch": `{"events":[{"event":"x"}]}`, "/identify": `{"anonymous_id":"a","user_id":"u"}`,
	} {
		for _, prefix := range []string{"/c/d", "/v1"} {
			res, answer := r.call("POST", prefix+path, page, strings.NewReader(body))
			if res.StatusCode/100 != 2 || res.Header.Get("Access-Control-Allow-Origin") == "" {
				t.Errorf("%s%s: %d %s", prefix, path, res.StatusCode, answer)
			}
		}
	}
	if res, _ := r.call("POST", "/c/d/query", bearer(r.words["rk"]), strings.NewReader("{}")); res.StatusCode != 404 {
		t.Errorf("questions answer there, too: %d", res.StatusCode)
	}
}

func TestAPathThatIsNoneOrTakenIsRefusedAsANewName(t *testing.T) {
	r := startServer(t)
	for _, c := range []struct{ script, collect, want string }{
		{"s.js", "", "--script-path"}, {"/", "", "--script-path"}, {"/a b", "", "--script-path"}, {`/"`, "", "--script-path"},
		{"/../s.js", "", "--script-path"}, {"/" + strings.Repeat("s", renamedPathMax), "", "--script-path"},
		{"/v1/query", "", "--script-path"}, {"/healthz", "", "--script-path"},
		{"", "c", "--collect-path"}, {"", "/c/", "--collect-path"}, {"", "/c?d", "--collect-path"}, {"/c/track", "/c", "--collect-path"},
	} {
		err := r.server.rename(c.script, c.collect)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v", c.script, c.collect, err)
		}
	}
}

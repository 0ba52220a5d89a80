package main

import (
	"bytes"
	"fmt"
	"path"
	"regexp"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/sdk"
)

const (
	scriptPath = "/v1/a.js"
	mapSuffix  = ".map"
	// scriptCache is how long browsers may keep the script without asking. An hour is what a page may lag
	// behind an upgrade, and asking then costs an answer without a body.
	scriptCache = "public, max-age=3600"
	// packLevel is the hardest of gzip. That of brotli, 11, would save 87 bytes more, and leave 36 MB of tables
	// behind, which are kept for the next time; the middle one takes a megabyte. Both are done once, at start.
	packLevel       = 9
	packLevelBrotli = 5
)

// pageScript is the browser SDK as this server hands it out.
type pageScript struct{ code, sourceMap asset }

// asset is a file that pages load, packed in each way that browsers take it.
type asset struct {
	media, etag         string
	plain, gzip, brotli []byte
}

func newAsset(media string, plain []byte) asset {
	return asset{
		media: media, plain: plain,
		// A weak one, for it stands for the packed forms too. What it says is the integrity that a page
		// may ask for.
		etag:   `W/"` + sdk.Integrity(plain) + `"`,
		gzip:   fasthttp.AppendGzipBytesLevel(nil, plain, packLevel),
		brotli: fasthttp.AppendBrotliBytesLevel(nil, plain, packLevelBrotli),
	}
}

// newPageScript makes the script for a server that takes events under a path.
func newPageScript(collect string) (pageScript, error) {
	code, err := sdk.Script(collect)
	if err != nil {
		return pageScript{}, fmt.Errorf("make the script: %w", err)
	}
	return pageScript{newAsset("text/javascript; charset=utf-8", code), newAsset("application/json", sdk.SourceMap())}, nil
}

// pageScript answers with the browser SDK.
func (s *server) pageScript(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	// Beside the script, whatever a proxy in front calls its folder.
	ctx.Response.Header.Set("SourceMap", path.Base(string(ctx.Path()))+mapSuffix)
	s.script.code.serve(ctx)
	return nil
}

// scriptMap answers with the way from the script back to its source.
func (s *server) scriptMap(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	s.script.sourceMap.serve(ctx)
	return nil
}

// serve answers with the file, or says that the client has it. Any page may load it, also one that shuts out
// what other origins don't offer it.
func (a asset) serve(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Cache-Control", scriptCache)
	h.Set("ETag", a.etag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if a.isKnown(ctx.Request.Header.Peek("If-None-Match")) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	ctx.SetContentType(a.media)
	body, encoding := a.plain, ""
	switch accepted := &ctx.Request.Header; {
	case accepted.HasAcceptEncoding("br"):
		body, encoding = a.brotli, "br"
	case accepted.HasAcceptEncoding("gzip"):
		body, encoding = a.gzip, "gzip"
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	ctx.SetBody(body)
}

// isKnown reports whether a client has the file already, by what it knows of it.
func (a asset) isKnown(header []byte) bool {
	for known := range bytes.SplitSeq(header, []byte(",")) {
		known = bytes.TrimSpace(known)
		if string(known) == "*" || string(bytes.TrimPrefix(known, []byte("W/"))) == a.etag[len("W/"):] {
			return true
		}
	}
	return false
}

// plainPath is a path that needs no escaping, in a script or anywhere.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)

// renamedPathMax is the longest path that something may be renamed to.
const renamedPathMax = 128

// rename has the script, and the routes that take events, answer under other paths too. Lists of what
// blocks analytics know paths, whoever's they are. The script sends to the new path then.
func (s *server) rename(script, collect string) (err error) {
	if script != "" && script != scriptPath {
		for _, suffix := range []string{"", mapSuffix} {
			if err := s.routes.alias(scriptPath+suffix, script+suffix); err != nil {
				return usageError{fmt.Errorf("--script-path %q: %w", script, err)}
			}
		}
	}
	if collect == "" || collect == sdk.DefaultCollect {
		return nil
	}
	for _, call := range []string{"/track", "/batch", "/identify"} {
		if err := s.routes.alias(sdk.DefaultCollect+call, collect+call); err != nil {
			return usageError{fmt.Errorf("--collect-path %q: %w", collect, err)}
		}
	}
	s.script, err = newPageScript(collect)
	return err
}

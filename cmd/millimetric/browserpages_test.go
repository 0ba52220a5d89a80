package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/sdk"
)

// site serves the pages that a browser opens in tests.
type site struct {
	url        string
	collectors []string
	keys       []string // publishable, one for each collector
}

func (s *site) start(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
}

// ServeHTTP answers any path with a page; which one, its first part says.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, found := strings.CutPrefix(r.URL.Path, "/sdk/"); found {
		module, err := os.ReadFile("sdk/npm/dist/" + name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(module)
		return
	}
	name, _, _ := strings.Cut(r.URL.Path[1:], "/")
	head := s.tag(0, `data-flush-interval-ms="100"`)
	switch name {
	case "first":
		head = s.strict(w)
	case "leave", "hidden":
		head = s.tag(0, `data-flush-interval-ms="60000"`)
	case "stub":
		head = s.stub()
	case "module":
		head = fmt.Sprintf(`<script type="module">
			import { init, track, page } from "/sdk/index.mjs";
			init({ key: %q, host: "%s/", autoPageView: false, flushIntervalMs: 100 });
			track("early");
			page();
		</script>`, s.keys[0], s.collectors[0])
	case "renamed":
		head = strings.Replace(s.tag(1, ""), "/v1/a.js", "/s.js", 1)
	case "nothing", "favicon.ico":
		head = ""
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"><title>`+name+`</title>`+head+`</head><body></body></html>`)
}

// tag is the script's, as the README shows it.
func (s *site) tag(collector int, more string) string {
	return fmt.Sprintf(`<script defer src="%s/v1/a.js" data-key="%s" %s></script>`, s.collectors[collector], s.keys[collector], more)
}

// strict is a page that allows nothing but the script, and that only as it is.
func (s *site) strict(w http.ResponseWriter) string {
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; img-src data:; script-src %[1]s; connect-src %[1]s; require-trusted-types-for 'script'", s.collectors[0]))
	w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
	script, err := sdk.Script(sdk.DefaultCollect)
	if err != nil {
		panic(err)
	}
	return s.tag(0, `data-flush-interval-ms="100" crossorigin integrity="`+sdk.Integrity(script)+`"`)
}

// stub is a page that calls mm before the script is there, and starts it by itself.
func (s *site) stub() string {
	return fmt.Sprintf(`<script>
		window.mm = { q: [] };
		for (const name of ["init", "track", "identify", "page", "flush", "setAnonymousId"]) mm[name] = (...given) => mm.q.push([name, ...given]);
		mm.setAnonymousId("mine");
		mm.track("early");
		mm.identify(); // of somebody who isn't logged in
		mm.identify("ann", { plan: "pro" });
		mm.page("chapter two");
		mm.init({ key: %q, flushIntervalMs: 100 });
	</script><script async src="%[2]s/v1/a.js"></script><script async src="%[2]s/v1/a.js"></script>`, s.keys[0], s.collectors[0])
}

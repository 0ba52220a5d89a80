package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The list of probes: what may be spoken, and what must be refused.
func TestOnlyNewVersionsAndAuthenticatedSuitesOfTLSAreSpoken(t *testing.T) {
	cert, key := selfSigned(t)
	d := startDaemon(t, "--data", filepath.Join(t.TempDir(), "data"), "--tls-cert", cert, "--tls-key", key)
	addr, found := strings.CutPrefix(d.url, "https://")
	if !found {
		t.Fatal(d.url)
	}
	probe := func(name string, want bool, config *tls.Config) {
		t.Helper()
		config.InsecureSkipVerify = true
		state, err := handshake(addr, config)
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && state.NegotiatedProtocol == "h2" {
			t.Errorf("%s: HTTP/2 is offered, which isn't spoken", name)
		}
	}
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		probe(tls.VersionName(version), want, &tls.Config{MinVersion: version, MaxVersion: version})
	}
	probes := 4
	// The certificate is for ECDSA, so that suites for it alone can come about.
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		good := strings.HasPrefix(suite.Name, "TLS_ECDHE_ECDSA_") && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "POLY1305"))
		probe(suite.Name, good, &tls.Config{MaxVersion: tls.VersionTLS12, MinVersion: tls.VersionTLS10, CipherSuites: []uint16{suite.ID}})
		probes++
	}
	probe("HTTP/2 alone", false, &tls.Config{NextProtos: []string{"h2"}})
	probe("HTTP/2 or 1.1", true, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	probe("HTTP/1.0 alone", false, &tls.Config{NextProtos: []string{"http/1.0"}})
	for name, hello := range map[string]string{
		"SSL 2": "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80" + strings.Repeat("\x02", 34),
		"SSL 3": "\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00" + strings.Repeat("\x05", 32) + "\x00\x00\x02\x00\x0a\x01\x00",
		"HTTP":  "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if said := rawTLS(t, addr, hello); strings.HasPrefix(said, "\x16") || strings.HasPrefix(said, "HTTP/1.1 2") {
			t.Errorf("%s is answered: %q", name, said)
		}
	}
	t.Logf("probes=%d", probes+6)
	client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(d.url + "/healthz")
	if err != nil || res.StatusCode != 200 || res.ProtoMajor != 1 {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
}

// rawTLS sends bytes to a TLS port and returns what comes back until the connection ends, which it must soon.
func rawTLS(t *testing.T, addr, hello string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, hello)
	said, err := io.ReadAll(io.LimitReader(c, 1<<16))
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("%q: the connection stays open", hello)
	}
	return string(said)
}

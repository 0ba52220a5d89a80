package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"golang.org/x/net/dns/dnsmessage"

	"millimetric/engine"
)

// nameServer answers every question about a name with the address of this machine.
func nameServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			answerName(c)
		}
	}()
	return ln.Addr().String()
}

func answerName(c net.Conn) {
	defer c.Close()
	var length uint16
	if binary.Read(c, binary.BigEndian, &length) != nil {
		return
	}
	question := make([]byte, length)
	var m dnsmessage.Message
	if _, err := io.ReadFull(c, question); err != nil || m.Unpack(question) != nil || len(m.Questions) != 1 {
		return
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
			Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	}
	if answer, err := m.Pack(); err == nil {
		_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

// testAuthority is a certificate authority that asks back on the port of ln, as real ones do on 443.
func testAuthority(t *testing.T, ln net.Listener) (server *httptest.Server, roots *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(quiet, 0, ln.Addr().(*net.TCPAddr).Port, true, nameServer(t), store)
	front := wfe.New(quiet, store, validator, issuer, []string{"ca.example"}, true, false, 1, 1)
	server = httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(issuer.GetRootCert(0).PEM())
	return server, roots
}

// serveOverACME serves a data folder on ln with what an authority gives, until stop is called.
func serveOverACME(t *testing.T, dir string, ln net.Listener, authority *httptest.Server, logs io.Writer) (stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(logs, nil))
	f, err := openFolder(folderOptions{Dir: dir, Log: log, Now: time.Now, Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(f, nil, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newACME([]string{"Stats.Example.test"}, authority.URL+wfe.DirectoryPath, f, log)
	if err != nil {
		t.Fatal(err)
	}
	a.manager.Client.HTTPClient = authority.Client()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go a.keepUp(ctx, nil)
	go func() { done <- s.serve(ctx, ln, a) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, f.close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func handshake(addr string, config *tls.Config) (*tls.ConnectionState, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", addr, config)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	state := c.ConnectionState()
	return &state, nil
}

func TestACertificateIsFetchedFromAnAuthorityAndKept(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir, logs := ln.Addr().String(), filepath.Join(t.TempDir(), "data"), &lockedBuffer{}
	authority, roots := testAuthority(t, ln)
	stop := serveOverACME(t, dir, ln, authority, logs)
	config := &tls.Config{RootCAs: roots, ServerName: "stats.example.test", NextProtos: []string{"h2", "http/1.1"}}
	state, err := handshake(addr, config)
	if err != nil {
		t.Fatalf("%v: %s", err, logs)
	}
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("the protocol is %q", state.NegotiatedProtocol)
	}
	for _, name := range []string{"other.example.test", "", "stats.example.test.evil.test", "..", "../stats.example.test"} {
		if _, err := handshake(addr, &tls.Config{InsecureSkipVerify: true, ServerName: name}); err == nil {
			t.Errorf("a certificate for %q", name)
		}
	}
	checkKeptSecret(t, filepath.Join(dir, acmeName))
	stop()

	// After a restart the authority isn't needed: here, there is none any more.
	authority.Close()
	again, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOverACME(t, dir, again, authority, logs)
	kept, err := handshake(again.Addr().String(), config)
	if err != nil || !kept.PeerCertificates[0].Equal(state.PeerCertificates[0]) {
		t.Errorf("after a restart: %v: %s", err, logs)
	}
}

// checkKeptSecret looks for private keys in what was kept.
func checkKeptSecret(t *testing.T, dir string) {
	t.Helper()
	// Whoever has asked for a certificate may have it a moment before another one who asked has kept it.
	var files []os.DirEntry
	for range 500 {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		files = slices.DeleteFunc(all, func(f os.DirEntry) bool { return strings.Contains(f.Name(), ".tmp") })
		if len(files) >= 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(files) < 2 {
		t.Fatalf("only %v are kept", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		state, _ := file.Info()
		if err != nil || state.Mode().Perm() != 0o600 || len(text) == 0 || strings.Contains(string(text), "-----BEGIN") {
			t.Errorf("%s: mode %v, %d bytes, %v", file.Name(), state.Mode(), len(text), err)
		}
	}
}

// What can't be decrypted must not keep the server from having a certificate made anew.
func TestADamagedCertificateOfAnAuthorityIsAsGoodAsNone(t *testing.T) {
	logs := &lockedBuffer{}
	dir := t.TempDir()
	cache, err := newCertCache(dir, [32]byte{1}, quietLog(logs))
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Put(t.Context(), "stats.example", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if got, err := cache.Get(t.Context(), "stats.example"); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	other, err := newCertCache(dir, [32]byte{2}, quietLog(logs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(t.Context(), "stats.example"); err == nil || !strings.Contains(logs.String(), "made anew") {
		t.Errorf("under another key: %v, %s", err, logs)
	}
	text, err := os.ReadFile(filepath.Join(dir, "stats.example"))
	if err != nil {
		t.Fatal(err)
	}
	// Another's certificate under this name is none of this name's.
	if err := os.WriteFile(filepath.Join(dir, "other.example"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"other.example", "missing.example"} {
		if _, err := cache.Get(t.Context(), name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

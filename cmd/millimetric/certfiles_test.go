package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writePair writes a certificate for 127.0.0.1 and its key, which hold until then.
func writePair(t *testing.T, cert, key string, serial int64, until time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if name == "" {
			continue
		}
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// selfSigned writes a certificate that holds for an hour.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	writePair(t, cert, key, 1, time.Now().Add(time.Hour))
	return cert, key
}

// serial returns the number of the certificate that a new connection is shown.
func serial(t *testing.T, addr string) int64 {
	t.Helper()
	state, err := handshake(addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}

func TestACertificateIsReplacedWithoutEndingConnectionsAndABadOneIsNotTaken(t *testing.T) {
	cert, key := selfSigned(t)
	d := startDaemon(t, "--data", filepath.Join(t.TempDir(), "data"), "--tls-cert", cert, "--tls-key", key)
	addr := strings.TrimPrefix(d.url, "https://")
	old, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	reader := bufio.NewReader(old)
	alive := func(when string) {
		t.Helper()
		_ = old.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprint(old, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("%s, the old connection is gone: %v", when, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != 200 || res.Close {
			t.Errorf("%s, the old connection: %d, close %v", when, res.StatusCode, res.Close)
		}
	}
	hangUp := func(says string) {
		t.Helper()
		seen := strings.Count(d.errs.String(), says)
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if strings.Count(d.errs.String(), says) > seen {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("the log doesn't say %q: %s", says, d.errs.String())
	}
	alive("at first")
	writePair(t, cert, key, 2, time.Now().Add(time.Hour))
	hangUp("the certificate was read again")
	if got := serial(t, addr); got != 2 {
		t.Errorf("after a new pair: %d", got)
	}
	alive("after a new pair")
	for name, spoil := range map[string]func(){
		"a key of another": func() { writePair(t, "", key, 3, time.Now().Add(time.Hour)) },
		"no certificate":   func() { _ = os.WriteFile(cert, []byte("nonsense"), 0o600) },
		"one that is over": func() { writePair(t, cert, key, 4, time.Now().Add(-time.Hour)) },
		"no file":          func() { _ = os.Remove(cert) },
	} {
		spoil()
		hangUp("the old one stays")
		if got := serial(t, addr); got != 2 {
			t.Errorf("after %s: %d", name, got)
		}
		alive("after " + name)
	}
	writePair(t, cert, key, 5, time.Now().Add(time.Hour))
	hangUp("the certificate was read again")
	if got := serial(t, addr); got != 5 {
		t.Errorf("after a good pair again: %d", got)
	}
	alive("at last")
}

func TestANewCertificateIsSeenWithoutASignal(t *testing.T) {
	cert, key := selfSigned(t)
	logs := &lockedBuffer{}
	c, err := openCertFiles(cert, key, slog.New(slog.NewTextHandler(logs, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	used := func() int64 { return c.used.Load().Leaf.SerialNumber.Int64() }
	c.look(false)
	if logs.String() != "" {
		t.Errorf("nothing changed, but the log says %s", logs)
	}
	writePair(t, cert, key, 2, time.Now().Add(time.Hour))
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if c.look(false); used() != 2 {
		t.Errorf("%d: %s", used(), logs)
	}
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.look(false)
	c.look(false)
	if used() != 2 || strings.Count(logs.String(), "can't be used") != 1 {
		t.Errorf("%d: a pair that is no good must be said once: %s", used(), logs)
	}
}

// Without a certificate, the signal by which supervisors ask for a reload must end nothing.
func TestAHangUpDoesNotEndAServerWithoutCertificates(t *testing.T) {
	d := startDaemon(t, "--data", filepath.Join(t.TempDir(), "data"))
	if err := d.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if strings.Contains(d.errs.String(), "SIGHUP") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	res, err := http.Get(d.url + "/healthz")
	if err != nil || res.StatusCode != 200 || !strings.Contains(d.errs.String(), "SIGHUP") {
		t.Fatalf("%v: %s", err, d.errs.String())
	}
	_ = res.Body.Close()
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
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

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "17B": 17, "500MB": 500e6, "2GiB": 2 << 30, "1 KiB": 1024} {
		if got, err := parseBytes(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "lots", "-1", "1.5GB", "5PB", "GB", "9999999999GiB"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLSIsSpokenFromVersion12OnAndOverHTTP11(t *testing.T) {
	cert, key := selfSigned(t)
	d := startDaemon(t, "--data", filepath.Join(t.TempDir(), "data"), "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(d.url, "https://127.0.0.1:") {
		t.Fatal(d.url)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}}}
		res, err := client.Get(d.url + "/healthz")
		if (err == nil) != want {
			t.Errorf("version %x: %v", version, err)
		}
		if err == nil {
			if res.StatusCode != 200 || res.ProtoMajor != 1 {
				t.Errorf("version %x: %d %s", version, res.StatusCode, res.Proto)
			}
			_ = res.Body.Close()
		}
		client.CloseIdleConnections()
	}
}

// exhausted is a listener whose process has no file descriptor left for a while.
type exhausted struct {
	net.Listener
	left int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.left--; l.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return nil, net.ErrClosed
}

func TestTheListenerOutlivesALackOfFileDescriptors(t *testing.T) {
	inner := &exhausted{left: 3}
	l := &patientListener{Listener: inner, max: 1, log: quietLog(io.Discard)}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || inner.left != -1 {
		t.Errorf("%v with %d left", err, inner.left)
	}
}

package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	acmeName = "acme" // the folder, in the data folder, of what the authority gave

	// acmeRetry is how soon a certificate that could not be had is asked for again while nobody connects.
	// Authorities bound failures to a handful each hour.
	acmeRetry = 15 * time.Minute
	// acmeSayEvery bounds how often the log says that there is no certificate: each connection could.
	acmeSayEvery = time.Minute
)

// authority has certificates made by a certificate authority that speaks ACME (RFC 8555). The authority
// asks back on port 443 within the TLS handshake (TLS-ALPN-01, RFC 8737), so no other port need be open.
type authority struct {
	manager *autocert.Manager
	domains []string
	log     *slog.Logger
	said    atomic.Int64 // when the log was told last, in Unix seconds
}

func newACME(domains []string, directory string, f *folder, log *slog.Logger) (*authority, error) {
	store, err := newCertCache(filepath.Join(f.dir, acmeName), f.ring.Pepper(), log)
	if err != nil {
		return nil, err
	}
	a := &authority{log: log}
	for _, domain := range domains {
		a.domains = append(a.domains, strings.ToLower(domain))
	}
	a.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      store,
		HostPolicy: autocert.HostWhitelist(a.domains...),
		Client:     &acme.Client{DirectoryURL: directory, UserAgent: "millimetric/" + thisBuild().Version},
	}
	return a, nil
}

// config is part of certificates.
func (a *authority) config() *tls.Config { return secureConfig(a.certificate, acme.ALPNProto) }

// certificate answers a handshake. Names of others end here: a stranger's must neither reach the authority
// nor the disk.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !slices.Contains(a.domains, strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))) {
		return nil, errors.New("no certificate for that name")
	}
	found, err := a.manager.GetCertificate(hello)
	if now := time.Now().Unix(); err != nil {
		if last := a.said.Load(); now-last >= int64(acmeSayEvery.Seconds()) && a.said.CompareAndSwap(last, now) {
			a.log.Warn("there is no certificate; connections fail until there is one", "domain", hello.ServerName, "cause", err)
		}
	}
	return found, err
}

// keepUp fetches the certificates at once: else the first visitor would wait for them, and nobody would learn
// that they can't be had. The manager renews them by itself.
func (a *authority) keepUp(ctx context.Context, reload <-chan struct{}) {
	// The manager can't be stopped while it waits for the authority, so that nothing here waits for it.
	fetched := make(chan bool, 1)
	fetch := func() { fetched <- a.fetch() }
	go fetch()
	retry := time.NewTimer(acmeRetry)
	defer retry.Stop()
	retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		case ok := <-fetched:
			if !ok {
				retry.Reset(acmeRetry)
			}
		case <-retry.C:
			go fetch()
		}
	}
}

// fetch sees to it that there is a certificate for each domain.
func (a *authority) fetch() bool {
	all := true
	for _, domain := range a.domains {
		// As a client of today asks, which can have an ECDSA certificate.
		hello := &tls.ClientHelloInfo{ServerName: domain, CipherSuites: suites, SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256}}
		cert, err := a.certificate(hello)
		if err != nil {
			all = false
			continue
		}
		a.log.Info("there is a certificate", "domain", domain, "until", cert.Leaf.NotAfter)
	}
	return all
}

// certCache keeps on disk what the authority gave, private keys included, encrypted under a key that follows
// from the keyring.
type certCache struct {
	autocert.DirCache
	aead cipher.AEAD
	log  *slog.Logger
}

func newCertCache(dir string, pepper [32]byte, log *slog.Logger) (*certCache, error) {
	key, err := hkdf.Key(sha256.New, pepper[:], nil, "millimetric acme cache 1", 32)
	if err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	return &certCache{autocert.DirCache(dir), aead, log}, nil
}

// Put is part of autocert.Cache.
func (c *certCache) Put(ctx context.Context, name string, plain []byte) error {
	return c.DirCache.Put(ctx, name, c.aead.Seal(nil, nil, plain, []byte(name)))
}

// Get is part of autocert.Cache. What can't be decrypted is as good as not there: it is made anew.
func (c *certCache) Get(ctx context.Context, name string) ([]byte, error) {
	sealed, err := c.DirCache.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	plain, err := c.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		c.log.Warn("a file of the certificate authority's is damaged or under another key; it is made anew", "name", name)
		return nil, autocert.ErrCacheMiss
	}
	return plain, nil
}

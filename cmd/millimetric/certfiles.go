package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certLookEvery is how long a new certificate may lie on the disk before it is used.
const certLookEvery = 10 * time.Second

// certFiles is a certificate and its key from files, which whoever renews them replaces while the server
// runs. Connections keep the certificate that they began with.
type certFiles struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time
	used      atomic.Pointer[tls.Certificate]
	seen      [2]stamp // of the files when they were read last, be it in vain; keepUp's alone once it runs
}

// stamp is what changes of a file that is written or replaced.
type stamp struct {
	at   time.Time
	size int64
}

func openCertFiles(cert, key string, log *slog.Logger, now func() time.Time) (*certFiles, error) {
	c := &certFiles{cert: cert, key: key, log: log, now: now}
	c.seen = c.stamps()
	pair, err := c.read()
	if err != nil {
		return nil, err
	}
	c.used.Store(pair)
	if err := c.checkTime(pair.Leaf); err != nil {
		log.Warn("clients will refuse the certificate", "cause", err)
	}
	return c, nil
}

// config is part of certificates.
func (c *certFiles) config() *tls.Config {
	return secureConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.used.Load(), nil })
}

// keepUp reads the files again when they change, and when it is asked to.
func (c *certFiles) keepUp(ctx context.Context, reload <-chan struct{}) {
	ticker := time.NewTicker(certLookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			c.look(true)
		case <-ticker.C:
			c.look(false)
		}
	}
}

// look takes a new pair into use. One that is no good leaves the old one in its place: a renewal that went
// wrong must not take the site down. The two files can't change in one step, so halves of two pairs are seen
// now and then; the next look finds the rest.
func (c *certFiles) look(asked bool) {
	stamps := c.stamps()
	if stamps == c.seen && !asked {
		return
	}
	c.seen = stamps
	pair, err := c.read()
	if err == nil {
		err = c.checkTime(pair.Leaf)
	}
	if err != nil {
		c.log.Warn("the new certificate can't be used; the old one stays", "cause", err, "until", c.used.Load().Leaf.NotAfter)
		return
	}
	c.used.Store(pair)
	c.log.Info("the certificate was read again", "until", pair.Leaf.NotAfter)
}

func (c *certFiles) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return &pair, nil
}

func (c *certFiles) checkTime(leaf *x509.Certificate) error {
	now := c.now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("it holds from %s to %s only", leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// stamps looks at the files. One that can't be seen has the zero stamp: reading it will say why.
func (c *certFiles) stamps() (found [2]stamp) {
	for i, name := range []string{c.cert, c.key} {
		if file, err := os.Stat(name); err == nil {
			found[i] = stamp{file.ModTime(), file.Size()}
		}
	}
	return found
}

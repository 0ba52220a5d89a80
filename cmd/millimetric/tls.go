package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"
)

// certificates is where HTTPS has its certificate from: files of the operator's, or a certificate authority.
type certificates interface {
	// config says how to speak TLS.
	config() *tls.Config
	// keepUp has the certificate be the newest until ctx ends. A value from reload asks to look at once.
	keepUp(ctx context.Context, reload <-chan struct{})
}

// suites are those of TLS 1.2 that encrypt and authenticate in one, with keys that no later theft of the
// certificate's reveals. Those of TLS 1.3 are all so, and can't be chosen.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// secureConfig speaks TLS with the certificates that get gives. Further protocols go behind HTTP/1.1;
// HTTP/2 must not be offered, as the HTTP library doesn't speak it.
func secureConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protocols ...string) *tls.Config {
	return &tls.Config{
		GetCertificate: get,
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   suites,
		NextProtos:     append([]string{"http/1.1"}, protocols...),
	}
}

// ownCertificate opens the certificate of the operator's; nil where none is set.
func ownCertificate(values settings, log *slog.Logger) (certificates, error) {
	cert, key := values.one("tls-cert"), values.one("tls-key")
	switch {
	case cert == "" && key == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, errTogether
	case len(values["acme-domain"]) > 0:
		return nil, errTwoCertificates
	}
	return openCertFiles(cert, key, log, time.Now)
}

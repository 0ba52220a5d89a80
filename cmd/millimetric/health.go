package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
)

// healthTime is how long a server may take to say how it is.
const healthTime = 5 * time.Second

// healthAnswerMost bounds what is read of the answer.
const healthAnswerMost = 4 << 10

func healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is well",
		Long: "Ask the server on this machine whether it is well: status 0 if it is, 1 if it isn't.\n\n" +
			"Where it listens is found as serve finds it, so the same flags, environment and file lead to it.\n" +
			"This is for supervisors and containers, which must not restart a server whose disk is full: that\n" +
			"one is well (/healthz), but not ready to take events (--ready, /readyz).",
		Example: "  millimetric health\n  millimetric health --ready --listen 127.0.0.1:8787",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingListen, settingCert, settingKey, settingDomain})
	ready := cmd.Flags().Bool("ready", false, "ask whether events are taken, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path := "/healthz"
		if *ready {
			path = "/readyz"
		}
		text, err := askHealth(cmd, read(), path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}

func askHealth(cmd *cobra.Command, values settings, path string) (string, error) {
	address, err := ownAddress(values.one("listen"))
	if err != nil {
		return "", err
	}
	scheme, name := "http://", values.one("acme-domain")
	if name != "" || values.one("tls-cert") != "" {
		scheme = "https://"
	}
	// The machine asks itself and tells nothing, so it needs no proof of who answers; and a certificate that
	// is over is for clients to find, not a reason to have the server restarted.
	client := http.Client{Timeout: healthTime, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: name, MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, scheme+address+path, nil)
	if err != nil {
		return "", fmt.Errorf("ask the server: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the server: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, healthAnswerMost))
	if err != nil {
		return "", fmt.Errorf("ask the server: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server at %s answers %d: %s", address, res.StatusCode, text)
	}
	return string(text), nil
}

// ownAddress is where a server that listens so is reached from this machine.
func ownAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("find the server: %w", err)
	}
	if port == "0" {
		return "", usageError{errors.New("--listen: port 0 doesn't say where the server is")}
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

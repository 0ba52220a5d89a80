package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/crypto/acme"

	"millimetric/cmd/millimetric/auth"
)

// setting is one knob of the server. It is a flag, an environment variable, a line in the configuration
// file, a line of help and a row in the README, all of which are made from this.
type setting struct {
	flag      string             // its name, in the file too
	value     string             // the default
	otherwise string             // says the default where value can't
	many      bool               // may be given several times; a comma parts the values in one text
	only      string             // the one place that it may come from; "" for all
	help      string             // what it is
	check     func(string) error // finds what is wrong with one value; nil where anything goes
}

// onlyEnvironment marks secrets: a command line is seen by every user of the machine, and a file that is
// written by hand is copied about.
const onlyEnvironment = "environment"

// onlyOutside marks what can't be in the file because it says which file that is.
const onlyOutside = "flag or environment"

// The settings that offline commands have too; settingFolder is the data folder of those that make none.
var (
	settingConfig = setting{flag: "config", only: onlyOutside, otherwise: "no file", help: "configuration file (YAML): any setting of this table as `name: value`"}
	settingData   = setting{flag: "data", value: "./data", help: "folder that holds everything; made where it is missing"}
	settingFolder = setting{flag: "data", value: "./data", help: "folder that holds everything"}

	settingRootKey = setting{flag: "root-key-file", otherwise: "root.key in the data folder",
		help: "file with the root key, 64 hex digits; MILLIMETRIC_ROOT_KEY, the key itself, goes before it"}
	settingRootKeyText = setting{flag: "root-key", only: onlyEnvironment, otherwise: "root-key-file", help: "the root key itself"}

	settingListen = setting{flag: "listen", value: "127.0.0.1:8787", check: checkAddress, help: "address to listen on; port 0 picks a free one"}
	settingCert   = setting{flag: "tls-cert", help: "file with the certificate chain (PEM); with tls-key, HTTPS is spoken"}
	settingDomain = setting{flag: "acme-domain", many: true, check: checkDomain,
		help: "domain for which a certificate is fetched and renewed by ACME, whose terms are thereby agreed to; port 443 of the domain must lead here"}
	settingKey = setting{flag: "tls-key", help: "file with the certificate's private key (PEM)"}
)

// serveSettings are all settings there are.
var serveSettings = []setting{
	settingData,
	settingRootKey,
	settingRootKeyText,
	settingListen,
	settingCert,
	settingKey,
	settingDomain,
	{flag: "acme-directory", value: acme.LetsEncryptURL, check: checkDirectory, help: "address of the certificate authority"},
	{flag: "trusted-proxy", many: true, check: checkProxy, help: "network (CIDR) of a proxy whose X-Forwarded-For counts"},
	{flag: "mcp-origin", many: true, check: checkOrigin, help: "origin of a page that may speak to /mcp, such as https://chat.example.com"},
	{flag: "mcp-host", many: true, help: "further host name under which this machine is reached for /mcp, such as stats.example.com"},
	{flag: "script-path", otherwise: "/v1/a.js alone", help: "further path of the browser SDK, such as /s.js"},
	{flag: "collect-path", otherwise: "/v1 alone", help: "further path under which track, batch and identify are taken, such as /c, and to which the browser SDK sends"},
	settingBackupTo, settingBackupEndpoint, settingBackupRegion, settingBackupKeep, settingBackupDrill,
	{flag: "memory", check: checkMemory, otherwise: "a quarter of what the machine, or the container, has", help: "memory that the server may need, such as 2GiB"},
	{flag: "min-free", check: checkBytes, otherwise: "5 % or 2 GiB, whichever is more", help: "free disk space below which events are refused, such as 500MB or 2GiB; 0 for never"},
	settingConfig,
}

// otherVariables are the variables of commands that ask a server; they are no settings of one.
var otherVariables = []string{"MILLIMETRIC_KEY", "MILLIMETRIC_SERVER", "MILLIMETRIC_PASSPHRASE"}

const envPrefix = "MILLIMETRIC_"

// envName is the environment variable of a setting: trusted-proxy is MILLIMETRIC_TRUSTED_PROXY.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// isSecret tells whether the value may never be shown.
func (s setting) isSecret() bool { return s.only == onlyEnvironment }

// isFlag tells whether a setting may stand on the command line.
func (s setting) isFlag() bool { return !s.isSecret() }

// isInFile tells whether a setting may stand in the configuration file.
func (s setting) isInFile() bool { return s.only == "" }

// defaultText says the default to a reader.
func (s setting) defaultText() string {
	switch {
	case s.value != "":
		return s.value
	case s.otherwise != "":
		return s.otherwise
	}
	return "none"
}

// usage is the help of the flag.
func (s setting) usage() string {
	help := s.help
	if s.many {
		help += "; may be repeated"
	}
	if s.otherwise != "" {
		help += " (default: " + s.otherwise + ")"
	}
	// The flag library takes a word in back quotes for the name of the value.
	return strings.ReplaceAll(help, "`", "'") + " [" + envName(s.flag) + "]"
}

// settings holds the values of some settings, by flag.
type settings map[string][]string

func (s settings) one(flag string) string {
	if values := s[flag]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func checkAddress(text string) error {
	if _, _, err := net.SplitHostPort(text); err != nil {
		return fmt.Errorf("%q is no address; expected one such as 127.0.0.1:8787", text)
	}
	return nil
}

func checkDomain(text string) error {
	if !strings.Contains(text, ".") || strings.ContainsAny(text, ":/*@ ") || net.ParseIP(text) != nil {
		return fmt.Errorf("%q is no domain; expected one such as stats.example.com", text)
	}
	return nil
}

func checkDirectory(text string) error {
	if at, err := url.Parse(text); err != nil || at.Scheme != "https" || at.Host == "" {
		return fmt.Errorf("%q is no address that begins with https://", text)
	}
	return nil
}

func checkProxy(text string) error {
	_, err := parseProxy(text)
	return err
}

func checkOrigin(text string) error {
	_, err := auth.NormalOrigin(text)
	return err
}

func checkMemory(text string) error {
	_, err := memoryBytes(text)
	return err
}

func checkBytes(text string) error {
	_, err := parseBytes(text)
	return err
}

// parseProxies reads the networks of trusted proxies.
func parseProxies(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := parseProxy(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// parseProxy reads one network. A single address is a network of one.
func parseProxy(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, fmt.Errorf("%q is no network; expected one such as 10.0.0.0/8", text)
	}
	return network.Masked(), nil
}

// parseBytes reads a size. Units without "i" count in thousands.
func parseBytes(text string) (int64, error) {
	number := strings.TrimRight(text, "KMGTiB ")
	factors := map[string]int64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	factor, known := factors[strings.TrimSpace(text[len(number):])]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n < 0 || n > (1<<60)/factor {
		return 0, fmt.Errorf("%q is no size; expected one such as 500MB or 2GiB", text)
	}
	return n * factor, nil
}

var (
	errTogether        = usageError{errors.New("--tls-cert and --tls-key go together")}
	errTwoCertificates = usageError{errors.New("--tls-cert and --acme-domain exclude each other: the certificate is from files or from an authority")}
)

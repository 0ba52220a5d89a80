package main

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// setting is one knob of the server: a flag, and an environment variable of the same name.
type setting struct {
	flag  string
	value string // the default
	many  bool   // may be given several times; a comma parts the values in the environment
	help  string
}

// The settings of serve. The data folder and the root key are settings of the offline commands too;
// settingFolder is the data folder of those that make none.
var (
	settingData    = setting{flag: "data", value: "./data", help: "folder that holds everything; made where it is missing"}
	settingFolder  = setting{flag: "data", value: "./data", help: "folder that holds everything"}
	settingRootKey = setting{flag: "root-key-file", help: "file with the root key, 64 hex digits (default: root.key in the data folder; MILLIMETRIC_ROOT_KEY, the key itself, goes before it)"}

	serveSettings = []setting{
		settingData,
		settingRootKey,
		{flag: "listen", value: "127.0.0.1:8787", help: "address to listen on; port 0 picks a free one"},
		{flag: "tls-cert", help: "file with the certificate chain (PEM); with --tls-key, HTTPS is spoken"},
		{flag: "tls-key", help: "file with the certificate's private key (PEM)"},
		{flag: "trusted-proxy", many: true, help: "network (CIDR) of a proxy whose X-Forwarded-For counts; may be repeated"},
		{flag: "mcp-origin", many: true, help: "origin of a page that may speak to /mcp, such as https://chat.example.com; may be repeated (default: none)"},
		{flag: "mcp-host", many: true, help: "further host name under which this machine is reached for /mcp, such as stats.example.com; may be repeated"},
		settingBackupTo, settingBackupEndpoint, settingBackupRegion, settingBackupKeep, settingBackupDrill,
		{flag: "memory", help: "memory that the server may need, such as 2GiB (default: a quarter of what the machine, or the container, has)"},
		{flag: "min-free", help: "free disk space below which events are refused, such as 500MB or 2GiB; 0 for never (default: 5 % or 2 GiB, whichever is more)"},
	}
)

// settings holds the values of some settings, by flag.
type settings map[string][]string

func (s settings) one(flag string) string {
	if values := s[flag]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// envName is the environment variable of a flag: --trusted-proxy is MILLIMETRIC_TRUSTED_PROXY.
func envName(flag string) string {
	return "MILLIMETRIC_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// bindSettings gives cmd the flags of a table. The function that it returns reads the values once
// the command line is parsed: a flag goes before the environment, that before the default.
func bindSettings(cmd *cobra.Command, table []setting) func() settings {
	for _, s := range table {
		help := s.help + " [" + envName(s.flag) + "]"
		if s.many {
			cmd.Flags().StringArray(s.flag, nil, help)
		} else {
			cmd.Flags().String(s.flag, s.value, help)
		}
	}
	return func() settings {
		values := settings{}
		for _, s := range table {
			flag := cmd.Flags().Lookup(s.flag)
			env, set := os.LookupEnv(envName(s.flag))
			switch {
			case s.many && flag.Changed:
				values[s.flag], _ = cmd.Flags().GetStringArray(s.flag)
			case s.many && set && env != "":
				values[s.flag] = strings.Split(env, ",")
			case s.many:
			case !flag.Changed && set && env != "":
				values[s.flag] = []string{env}
			default:
				values[s.flag] = []string{flag.Value.String()}
			}
		}
		return values
	}
}

// parseProxies reads the networks of trusted proxies. A single address is a network of one.
func parseProxies(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			addr = addr.Unmap()
			networks = append(networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--trusted-proxy %q: expected a network, such as 10.0.0.0/8", text)}
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
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

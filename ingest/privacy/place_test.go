package privacy

import (
	"net/netip"
	"os"
	"testing"

	"github.com/phuslu/iploc"
)

// TestMain sets the variable that makes the library forget IPv6, before anything asks it.
func TestMain(m *testing.M) {
	os.Setenv("IPLOC_IPV4ONLY", "1")
	os.Exit(m.Run())
}

func TestCountryOfKnownAddresses(t *testing.T) {
	for addr, want := range map[string]string{
		"8.8.8.8": "US", "::ffff:8.8.8.8": "US", "2001:4860:4860::8888": "US", "193.0.6.139": "NL", "2001:67c:2e8:22::c100:68b": "NL",
		"193.99.144.80": "DE", "202.12.27.33": "JP", "200.160.2.3": "BR", "2001:dc3::35": "JP", "2001:4860:4860::8888%eth0": "US",
		"10.1.2.3": "", "192.168.0.1": "", "172.16.9.9": "", "127.0.0.1": "", "169.254.1.1": "", "100.64.0.1": "", "0.0.0.0": "",
		"255.255.255.255": "", "::": "", "::1": "", "fe80::1%eth0": "", "fd00::1": "", "2001:db8::1": "", "ff02::1": "",
	} {
		if got := Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	if got := Country(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func TestALeftoverVariableDoesNotSwitchIPv6Off(t *testing.T) {
	if err := loadCountries(); err != nil {
		t.Fatal(err)
	}
	if iploc.IPCountry(netip.MustParseAddr("2001:4860:4860::8888")) == "" {
		t.Error("IPv6 is off")
	}
	if os.Getenv("IPLOC_IPV4ONLY") != "1" {
		t.Error("the environment was not put back")
	}
}

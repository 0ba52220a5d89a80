package privacy

import (
	"errors"
	"net/netip"
	"os"
	"sync"

	"github.com/phuslu/iploc"
)

// Country returns where addr is registered, as ISO 3166 alpha-2 in upper case, and "" where that is
// unknown: private and reserved ranges, no address at all. It never says more than the country.
func Country(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	// A v4 address written as v6 would be looked up in the wrong table.
	addr = addr.Unmap().WithZone("")
	if addr.Is6() && loadCountries() != nil {
		return ""
	}
	country := iploc.IPCountry(addr)
	if country == "ZZ" || len(country) != 2 {
		return ""
	}
	return country
}

// loadCountries unpacks the v6 table, once, before its first use; it takes some 60 ms. The library
// looks at IPLOC_IPV4ONLY at that moment and then answers no v6 address ever again, so the variable
// is taken out of its sight: a leftover in somebody's environment must not cost half the countries.
var loadCountries = sync.OnceValue(func() error {
	const variable = "IPLOC_IPV4ONLY"
	if set, ok := os.LookupEnv(variable); ok {
		if err := os.Unsetenv(variable); err != nil {
			return err
		}
		defer os.Setenv(variable, set)
	}
	// Any v6 address unpacks the table; this one is known to have a country.
	if iploc.IPCountry(netip.AddrFrom16([16]byte{0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 14: 0x88, 15: 0x88})) == "" {
		return errors.New("the table of IPv6 countries doesn't answer")
	}
	return nil
})

package privacy

import (
	"net/netip"
	"strconv"
	"testing"
)

const benchAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

func BenchmarkParseCached(b *testing.B) {
	agents := newAgents(b)
	b.ReportAllocs()
	for b.Loop() {
		agents.Parse(benchAgent)
	}
}

func BenchmarkParseUncached(b *testing.B) {
	agents := newAgents(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		agents.Parse(benchAgent + strconv.Itoa(n))
	}
}

func BenchmarkCrawlerReason(b *testing.B) {
	list := newAgents(b).crawlers
	b.ReportAllocs()
	for b.Loop() {
		list.reason(benchAgent)
	}
}

func BenchmarkCountry(b *testing.B) {
	for _, addr := range []netip.Addr{netip.MustParseAddr("193.99.144.80"), netip.MustParseAddr("2001:67c:2e8:22::c100:68b")} {
		Country(addr)
		b.Run(addr.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Country(addr)
			}
		})
	}
}

func BenchmarkStripURL(b *testing.B) {
	for name, raw := range map[string]string{
		"clean": "https://www.example.com/shop/shoes?size=42&utm_source=news&utm_medium=email&gclid=Cj0KCQjw_abc&sort=price#reviews",
		"dirty": "https://www.example.com/shop/shoes?size=42&email=ann%40example.com&utm_source=news&token=abcdef&sort=price#reviews",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				StripURL(raw)
			}
		})
	}
}

func BenchmarkDayVisitor(b *testing.B) {
	addr := netip.MustParseAddr("203.0.113.7")
	b.ReportAllocs()
	for b.Loop() {
		DayVisitor([32]byte{1}, addr, benchAgent)
	}
}

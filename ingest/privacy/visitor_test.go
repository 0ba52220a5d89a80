package privacy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

func TestAnAddressIsTheSameInItsV6Form(t *testing.T) {
	salt := [32]byte{1}
	plain, mapped := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("::ffff:203.0.113.7")
	if IPHash(salt, plain) != IPHash(salt, mapped) || DayVisitor(salt, plain, "a") != DayVisitor(salt, mapped, "a") {
		t.Error("one address, two visitors")
	}
	if Country(plain) != Country(mapped) {
		t.Error("one address, two countries")
	}
	zoned := netip.MustParseAddr("fe80::1%eth0")
	if IPHash(salt, zoned) != IPHash(salt, zoned.WithZone("")) {
		t.Error("the name of a network card is part of the hash")
	}
}

func TestVisitorsDifferByEverythingThatMakesThem(t *testing.T) {
	a, b := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	s1, s2 := [32]byte{1}, [32]byte{2}
	seen := map[string]bool{}
	for _, id := range []string{
		DayVisitor(s1, a, "x"), DayVisitor(s1, b, "x"), DayVisitor(s1, a, "y"), DayVisitor(s2, a, "x"), DayVisitor(s1, a, ""),
		DayVisitor(s1, netip.Addr{}, "x"), UserVisitor(s1, "x"), UserVisitor(s2, "x"), UserVisitor(s1, "y"),
		"d_" + IPHash(s1, a), "u_" + IPHash(s1, a), RandomVisitor(), RandomVisitor(),
	} {
		if seen[id] || len(id) != 34 || strings.Trim(id[2:], "0123456789abcdef") != "" {
			t.Errorf("%q: taken, or not two letters and 32 digits", id)
		}
		seen[id] = true
	}
	if UserVisitor(s1, "x") != UserVisitor(s1, "x") || DayVisitor(s1, a, "x") != DayVisitor(s1, a, "x") {
		t.Error("the same visitor twice must be one")
	}
	if got := IPHash(s1, netip.Addr{}); got != "" {
		t.Errorf("no address has the hash %s", got)
	}
}

// The ids are in stored events, so their making may never change.
func TestVisitorsStayThemselvesBetweenReleases(t *testing.T) {
	salt, addr := [32]byte{7}, netip.MustParseAddr("2001:db8::7")
	for got, want := range map[string]string{
		IPHash(salt, addr):               "18474d742d36191bc6a99cec8df502b3",
		DayVisitor(salt, addr, "agent"):  "d_8d620fc6605028a8b993f03be31846f2",
		UserVisitor(salt, "ann@example"): "u_d5752e2651299061e2497c9584a5f6a1",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDigestsAreTheStandardHMAC(t *testing.T) {
	secret := [32]byte{1, 2, 3, 31: 4}
	for size := range 600 {
		message := bytes.Repeat([]byte{'m'}, size)
		mac := hmac.New(sha256.New, secret[:])
		mac.Write([]byte(purposeDay))
		mac.Write(message)
		if got, want := digest(secret, purposeDay, message), hex.EncodeToString(mac.Sum(nil)[:digestBytes]); got != want {
			t.Fatalf("%d bytes: %s, want %s", size, got, want)
		}
	}
}

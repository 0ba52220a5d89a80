package receipt

import (
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/engine"
)

func someReceipt() Receipt {
	return Of(engine.Erasure{
		Receipt: "0123456789abcdef0123456789abcdef", Kind: "user", Subject: strings.Repeat("ab", 32), Entry: 7, Head: strings.Repeat("cd", 32),
		Requested: 1774612800000, Before: 1774612800001, Hidden: 1774612800500, Gone: 1774612802000,
		Events: 12, Segments: 3, FilesRetired: 4, BytesScanned: 123456,
	}, "prj_0123456789abcdef")
}

func signer(t testing.TB, secret byte) Signer {
	t.Helper()
	s, err := NewSigner([32]byte{secret})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func document(t testing.TB, s Signer, r Receipt) []byte {
	t.Helper()
	text, err := s.Sign(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAReceiptIsVerifiedAgainstTheKeyThatSignedIt(t *testing.T) {
	s := signer(t, 1)
	for _, r := range []Receipt{someReceipt(), OfProject("prj_1", 9, time.Unix(1e9, 5e6), time.Unix(1e9+1, 0))} {
		text := document(t, s, r)
		got, err := Verify(append(text, '\n'), s.Public())
		if err != nil || got.Receipt != r.Receipt || got.Status != StatusErased || got.Events != r.Events {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if _, err := Verify(text, signer(t, 2).Public()); err == nil {
			t.Error("another key takes it")
		}
		if _, err := Verify(document(t, signer(t, 2), r), s.Public()); err == nil {
			t.Error("what another key has signed is taken")
		}
	}
}

func TestNoBitOfAReceiptCanBeChanged(t *testing.T) {
	s := signer(t, 1)
	whole := document(t, s, someReceipt())
	for bit := range 8 * len(whole) {
		text := slices.Clone(whole)
		text[bit/8] ^= 1 << (bit % 8)
		if _, err := Verify(text, s.Public()); err == nil {
			t.Fatalf("bit %d was changed: %s", bit, text)
		}
	}
	for _, text := range []string{"", "{}", " " + string(whole), string(whole) + "x", string(whole[:len(whole)-1]) + `,"more":1}`, strings.Repeat("[", 100_000)} {
		if _, err := Verify([]byte(text), s.Public()); err == nil {
			t.Errorf("%.60q is taken", text)
		}
	}
	for _, public := range []string{"", "00", s.Public() + "00", "zz" + s.Public()[2:]} {
		if _, err := Verify(whole, public); err == nil {
			t.Errorf("the key %q is taken", public)
		}
	}
}

func FuzzAnyDocumentIsTakenOrRefused(f *testing.F) {
	s := signer(f, 1)
	f.Add(document(f, s, someReceipt()))
	f.Add([]byte("{}"))
	known := string(document(f, s, someReceipt()))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := Verify(text, s.Public()); err == nil && strings.TrimRight(string(text), " \t\r\n") != known {
			t.Errorf("%s is taken", text)
		}
	})
}

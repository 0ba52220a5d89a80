package archive

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millimetric/engine/enginetest"
)

var testKey = Secret{Key: bytes.Repeat([]byte{7}, keyBytes)}

// someArchive is an archive of some segments, and what is in it.
func someArchive(t *testing.T, secret Secret) (file []byte, parts map[string][]byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, secret, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	parts = map[string][]byte{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5 {
		content := make([]byte, r.IntN(700_000))
		for j := range content {
			content[j] = byte(r.Uint32())
		}
		name := fmt.Sprintf("events/dt=2026-05-0%d/part.parquet", i+1)
		parts[name] = content
		if err := w.Add(name, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), parts
}

func TestAnArchiveIsReadBackAsItWasWritten(t *testing.T) {
	for name, secret := range map[string]Secret{"a key": testKey, "a passphrase": {Passphrase: "correct horse battery"}} {
		file, parts := someArchive(t, secret)
		dir := filepath.Join(t.TempDir(), "out")
		found, err := Unpack(bytes.NewReader(file), secret, dir)
		if err != nil || found.Parts != len(parts) {
			t.Fatalf("%s: %+v, %v", name, found, err)
		}
		for part, want := range parts {
			got, err := os.ReadFile(filepath.Join(dir, part))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s differs: %v", name, part, err)
			}
			if bytes.Contains(file, want[:32]) {
				t.Errorf("%s: %s stands in clear", name, part)
			}
		}
		if sums, err := os.ReadFile(filepath.Join(dir, sumsName)); err != nil || bytes.Count(sums, []byte("\n")) != len(parts) {
			t.Errorf("%s: the hashes are %s, %v", name, sums, err)
		}
		if _, err := Unpack(bytes.NewReader(file), secret, dir); err == nil {
			t.Errorf("%s: unpacked over what was there", name)
		}
	}
}

func TestAnotherSecretOpensNothing(t *testing.T) {
	file, _ := someArchive(t, Secret{Passphrase: "correct horse battery"})
	for _, secret := range []Secret{testKey, {Passphrase: "correct horse batterY"}} {
		if _, err := Read(bytes.NewReader(file), secret, nil); err == nil {
			t.Errorf("opened with %+v", secret)
		}
	}
	for _, secret := range []Secret{{}, {Passphrase: "short"}, {Key: []byte("short")}, {Passphrase: "correct horse battery", Key: testKey.Key}} {
		if _, err := NewWriter(io.Discard, secret, time.Unix(0, 0)); err == nil {
			t.Errorf("made with %+v", secret)
		}
	}
}

// TestProofADamagedArchiveIsAlwaysAnError flips bits, and cuts, moves and repeats segments.
func TestProofADamagedArchiveIsAlwaysAnError(t *testing.T) {
	file, _ := someArchive(t, testKey)
	seed := enginetest.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	damages := map[string]func() []byte{
		"a bit": func() []byte {
			at, bad := r.IntN(len(file)), bytes.Clone(file)
			bad[at] ^= 1 << r.IntN(8)
			return bad
		},
		"cut": func() []byte { return file[:r.IntN(len(file))] },
		"cut at a segment": func() []byte {
			return file[:len(file)/segmentBytes*segmentBytes]
		},
		"more behind": func() []byte { return append(bytes.Clone(file), 0) },
		"a segment twice": func() []byte {
			return append(bytes.Clone(file[:segmentBytes]), file[r.IntN(2)*1000:]...)
		},
	}
	injections := 0
	for name, damage := range damages {
		for range enginetest.Figure(t, 10, 40, 400) {
			injections++
			if _, err := Read(bytes.NewReader(damage()), testKey, nil); err == nil {
				t.Fatalf("seed %d: %s is no error", seed, name)
			}
		}
	}
	if _, err := Read(bytes.NewReader(file), testKey, nil); err != nil {
		t.Errorf("undamaged: %v", err)
	}
	enginetest.Say(t, "R5", "seed=%d archive injections=%d undetected=0", seed, injections)
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	w, err := NewWriter(&out, testKey, time.Unix(0, 0))
	if err == nil {
		err = w.Add("a", []byte("b"))
	}
	if err != nil || w.Close() != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		found, err := Read(bytes.NewReader(file), testKey, nil)
		if err == nil && !bytes.Equal(file, out.Bytes()) {
			t.Errorf("another file was taken for an archive of %+v", found)
		}
	})
}

package encode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millimetric/index/event"
)

func TestFramesComeBackAndOnlyInTheirPlace(t *testing.T) {
	f := NewFramer()
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 200 {
		plain := make([]byte, r.IntN(1+n*10))
		for i := range plain {
			plain[i] = byte(r.IntN(1 + n))
		}
		place := Place{Stamp: r.Uint64(), Number: r.Uint32()}
		src := f.Append(nil, plain, place, []Saving{SavingNever, SavingTexts, SavingIntegers}[n%3])
		got, err := OpenFrame(src, place)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %v", len(plain), err)
		}
		for _, other := range []Place{{place.Stamp, place.Number + 1}, {place.Stamp ^ 1<<40, place.Number}} {
			if _, err := OpenFrame(src, other); !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("opened in another place: %v", err)
			}
		}
		bit := r.IntN(8 * len(src))
		src[bit/8] ^= 1 << (bit % 8)
		if _, err := OpenFrame(src, place); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
}

func TestCompressionMustPay(t *testing.T) {
	f := NewFramer()
	text := []byte(strings.Repeat("/blog/a-page ", 100))
	noise := make([]byte, 1000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	if src := f.Append(nil, text, Place{}, SavingTexts); src[0] != frameZstd || len(src) > len(text)/5 {
		t.Errorf("text: codec %d, %d of %d bytes", src[0], len(src), len(text))
	}
	if src := f.Append(nil, noise, Place{}, SavingTexts); src[0] != framePlain {
		t.Errorf("noise: codec %d", src[0])
	}
}

func hostileTexts(r *rand.Rand, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		switch r.IntN(6) {
		case 0:
			texts[i] = ""
		case 1:
			texts[i] = string([]byte{0, 0xff, byte(r.Uint32())})
		case 2:
			texts[i] = strings.Repeat("ü", r.IntN(2000))
		default:
			texts[i] = fmt.Sprintf("/blog/%d/%x", r.IntN(20), r.IntN(1000))
		}
	}
	return texts
}

func TestTextsComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		want := hostileTexts(r, int(seed*5))
		for i := range want {
			switch r.IntN(4) {
			case 0:
				want[i] = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
			case 1:
				want[i] = fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xffff, r.Uint32()&0xffff, r.Uint64()&(1<<48-1))
			}
			if seed%4 == 1 {
				want[i] = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
			}
		}
		src, fixed := AppendTexts(nil, want, seed%4 != 0)
		if fixed != (seed%4 == 1) {
			t.Fatalf("seed %d: of fixed width: %v", seed, fixed)
		}
		list, err := ParseTexts(src)
		if err != nil || list.Len() != len(want) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, text := range want {
			if list.At(i) != text {
				t.Fatalf("seed %d: text %d", seed, i)
			}
		}
		for from, blocks := 0, 0; from < len(want); blocks++ {
			end := BlockEnd(want, from, TextBlockBytes)
			if end <= from || blocks > len(want) {
				t.Fatalf("seed %d: the block from %d ends at %d", seed, from, end)
			}
			from = end
		}
	}
}

func TestDictsFindWhatTheyHold(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		want := hostileTexts(r, int(seed*5))
		slices.Sort(want)
		want = slices.Compact(want)
		src := AppendDict(nil, want)
		d, err := ParseDict(src)
		if err != nil || d.Len() != len(want) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, text := range want {
			if at, found := d.Find(text); d.At(i) != text || at != i || !found {
				t.Fatalf("seed %d: text %d is found at %d, %v", seed, i, at, found)
			}
			if at, count, found, err := FindInDict(src, text); err != nil || at != i || count != len(want) || !found {
				t.Fatalf("seed %d: text %d of %d is found at %d of %d, %v, %v", seed, i, len(want), at, count, found, err)
			}
		}
		for _, text := range hostileTexts(r, 20) {
			at, found := d.Find(text)
			plain, plainFound := slices.BinarySearch(want, text)
			if at != plain || found != plainFound {
				t.Fatalf("seed %d: %q at %d, %v", seed, text, at, found)
			}
			if at, _, found, err := FindInDict(src, text); err != nil || at != plain || found != plainFound {
				t.Fatalf("seed %d: %q at %d of what isn't taken apart, %v, %v", seed, text, at, found, err)
			}
		}
	}
}

func TestSqueezedIdsComeBack(t *testing.T) {
	uuid := "0190163d-8694-739b-aea5-966c26f8ad91"
	hash := strings.ReplaceAll(uuid, "-", "")
	for id, size := range map[string]int{
		"": 1, "a": 2, uuid: 17, hash: 17, strings.ToUpper(uuid): 37, strings.ToUpper(hash): 33, uuid[:35]: 36,
		uuid[:35] + "g": 37, hash[:31] + "\xff": 33, strings.ReplaceAll(uuid, "-", "a"): 37,
	} {
		squeezed := Squeeze(id)
		if got, ok := Unsqueeze(squeezed); !ok || got != id || len(squeezed) != size {
			t.Errorf("%q: %d bytes, back as %q", id, len(squeezed), got)
		}
	}
	for _, bad := range []string{"", "x", "u123", "?abc"} {
		if _, ok := Unsqueeze(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzTextsNeverPanic(f *testing.F) {
	plain, _ := AppendTexts(nil, []string{"", "a", "bc"}, false)
	f.Add(plain)
	f.Add(AppendDict(nil, []string{"", "a", "ab", "b"}))
	f.Add([]byte{3, 0, 200, 1, 1, 255})
	f.Fuzz(func(t *testing.T, src []byte) {
		if list, err := ParseTexts(src); err == nil {
			for i := range list.Len() {
				_ = list.At(i)
			}
		} else if !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("kind of %v", err)
		}
		if _, _, _, err := FindInDict(src, "ab"); err != nil && !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("kind of %v", err)
		}
		d, err := ParseDict(src)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		for i := range d.Len() {
			if at, found := d.Find(d.At(i)); !found || at != i {
				t.Fatalf("text %d is found at %d", i, at)
			}
			if at, _, found, err := FindInDict(src, d.At(i)); err != nil || !found || at != i {
				t.Fatalf("text %d is found at %d of what isn't taken apart: %v", i, at, err)
			}
		}
	})
}

// The checksum is put right, so that the fuzzer gets at what lies behind it.
func FuzzFramesNeverPanic(f *testing.F) {
	framer := NewFramer()
	for _, plain := range []string{"", "short", strings.Repeat("a longer text ", 20)} {
		src := framer.Append(nil, []byte(plain), Place{}, SavingTexts)
		f.Add(src[:len(src)-checksumBytes])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		src := binary.LittleEndian.AppendUint32(slices.Clone(body), Place{}.checksum(body))
		if plain, err := OpenFrame(src, Place{}); err != nil && !errors.Is(err, event.ErrDamaged) || len(plain) > FrameBytesMax {
			t.Fatalf("%d bytes, kind of %v", len(plain), err)
		}
	})
}

func TestOnlyLowerCaseDigitsMakeAnID(t *testing.T) {
	for _, id := range []string{"0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-fedc-ba9876543210"} {
		for at := range len(id) {
			for c := range 256 {
				bad := id[:at] + string([]byte{byte(c)}) + id[at+1:]
				isDigit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
				want := isDigit
				if id[at] == '-' {
					want = c == '-'
				}
				kind, short := squeezeID(bad)
				if (kind != squeezedText) != want {
					t.Fatalf("%q is of kind %q", bad, kind)
				}
				if want && idText(kind, string(short[:])) != bad {
					t.Fatalf("%q comes back as %q", bad, idText(kind, string(short[:])))
				}
			}
		}
	}
}

package encode

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

// shapes are columns as segments have them, and some that nobody would wish for.
func shapes(r *rand.Rand, n int) map[string][]uint64 {
	all := map[string][]uint64{}
	fill := func(name string, value func(i int) uint64) {
		values := make([]uint64, n)
		for i := range values {
			values[i] = value(i)
		}
		all[name] = values
	}
	for width := 0; width <= 64; width++ {
		fill(fmt.Sprint("width ", width), func(int) uint64 { return r.Uint64() & (1<<width - 1) })
	}
	fill("constant", func(int) uint64 { return 1 << 63 })
	fill("high base", func(int) uint64 { return 1774612800000 + r.Uint64N(86400000) })
	run := uint64(0)
	fill("runs", func(int) uint64 {
		if r.IntN(12) == 0 {
			run = r.Uint64N(200)
		}
		return run
	})
	fill("skewed", func(int) uint64 {
		if r.IntN(50) == 0 {
			return r.Uint64()
		}
		return r.Uint64N(4)
	})
	up := r.Uint64N(1000)
	fill("rising", func(int) uint64 { up += r.Uint64N(5); return up })
	fill("walk", func(int) uint64 { up += r.Uint64N(9) - 4; return up })
	fill("wide steps", func(i int) uint64 {
		if i%97 == 0 {
			up = uint64(i%2) * (1<<32 - 1)
		}
		up += r.Uint64N(3)
		return up & (1<<32 - 1)
	})
	fill("wild walk", func(i int) uint64 { return uint64(i%2) * ^uint64(0) })
	return all
}

// plainInts is the slow twin of the unpacking loops: one value at a time, one bit at a time.
func plainPacked(src []byte, width, i int) uint64 {
	var v uint64
	for bit := range width {
		at := i*width + bit
		v |= uint64(src[at/8]>>(at%8)&1) << bit
	}
	return v
}

func TestIntegersComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := []int{0, 1, 2, 7, 8, 9, 511, 512, 513, 1025, 3000, 4099}[seed]
		for name, want := range shapes(r, n) {
			c, err := ParseInts(AppendInts(nil, want))
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			got, low := make([]uint64, c.Len()), make([]uint32, c.Len())
			c.Unpack64(got)
			c.Unpack32(low)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d of %s, codec %d: changed", seed, n, name, c.codec)
			}
			for i, v := range want {
				if c.At(i) != v || low[i] != uint32(v) {
					t.Fatalf("seed %d, %d of %s, codec %d: value %d is %d and %d, want %d", seed, n, name, c.codec, i, c.At(i), low[i], v)
				}
			}
		}
	}
}

func TestFastUnpackingIsThePlainOne(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for width := 1; width <= 64; width++ {
		if !validWidth(width) {
			continue
		}
		values := make([]uint64, 203)
		for i := range values {
			values[i] = r.Uint64() & widthMask(width)
		}
		src := appendPacked(nil, values, 0, width)
		if len(src) != packedBytes(len(values), width) {
			t.Fatalf("width %d: %d bytes", width, len(src))
		}
		got := make([]uint64, len(values))
		unpack(got, src, width, 0)
		for i, v := range values {
			if plain := plainPacked(src, width, i); got[i] != plain || plain != v {
				t.Fatalf("width %d, value %d: fast %d, plain %d, want %d", width, i, got[i], plain, v)
			}
		}
	}
}

func TestTheSmallestCodecIsTaken(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, want := range map[string]byte{"constant": intsPacked, "width 7": intsPacked, "runs": intsRuns, "skewed": intsPacked, "rising": intsDelta, "walk": intsDelta, "wide steps": intsDelta} {
		values := shapes(r, 5000)[name]
		src := AppendInts(nil, values)
		if src[0] != want {
			t.Errorf("%s: codec %d", name, src[0])
		}
		wide := bits.Len64(slices.Max(values) - slices.Min(values))
		if most := len(values)*wide/8 + 40; len(src) > most {
			t.Errorf("%s: %d bytes, %d would do", name, len(src), most)
		}
	}
}

func FuzzIntsNeverPanic(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, name := range []string{"constant", "width 9", "runs", "skewed", "rising", "wild walk"} {
		f.Add(AppendInts(nil, shapes(r, 30)[name]))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := ParseInts(src)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		values, low := make([]uint64, c.Len()), make([]uint32, c.Len())
		c.Unpack64(values)
		c.Unpack32(low)
		for i := 0; i < len(values); i += 1 + i/8 {
			if c.At(i) != values[i] || uint32(values[i]) != low[i] {
				t.Fatalf("value %d is %d, %d or %d", i, c.At(i), values[i], low[i])
			}
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 3))
	dst := make([]uint32, IntsMax)
	all := shapes(r, IntsMax)
	for _, name := range []string{"width 1", "width 5", "width 8", "width 11", "width 16", "width 27", "runs", "skewed", "rising", "walk"} {
		c, err := ParseInts(AppendInts(nil, all[name]))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Unpack32(dst)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/IntsMax, "ns/value")
		})
	}
}

// The example that FORMAT.md takes apart.
func TestTheWorkedExampleHolds(t *testing.T) {
	if got, want := fmt.Sprintf("% x", AppendInts(nil, []uint64{5, 6, 7, 5})), "01 04 05 02 00 24 00 00 00 00 00 00 00 00 00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAPartIsUnpackedAsInTheWhole(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := []int{1, 8, 9, 513, 1024, 1025, 3000, 4099}[seed]
		for name, values := range shapes(r, n) {
			c, err := ParseInts(AppendInts(nil, values))
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			for range 60 {
				from := r.IntN(n + 1)
				part, low := make([]uint64, r.IntN(n-from+1)), make([]uint32, n-from)
				UnpackPart(&c, from, part)
				UnpackPart(&c, from, low[:len(part)])
				if !slices.Equal(part, values[from:from+len(part)]) {
					t.Fatalf("seed %d, %s, codec %d: %d values from %d on changed", seed, name, c.codec, len(part), from)
				}
				for i, v := range part {
					if low[i] != uint32(v) {
						t.Fatalf("seed %d, %s, codec %d: value %d is %d, want %d", seed, name, c.codec, from+i, low[i], uint32(v))
					}
				}
			}
		}
	}
}

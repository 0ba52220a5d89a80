package encode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// randomGroup makes a group of up to five parts, now and then with values that no client may send:
// the codec must not depend on the rules of the doors.
func randomGroup(seed uint64) *Group {
	r := rand.New(rand.NewPCG(seed, 1))
	gen := eventtest.New(seed, 1+r.IntN(50), 1000)
	g := &Group{Number: r.Uint64() >> r.IntN(64), Committed: event.Time(r.Int64N(1 << 42))}
	for range r.IntN(5) {
		p := Part{Project: event.Project(1 + r.IntN(1<<30)), Events: gen.Events(1 + r.IntN(1+r.IntN(300)))}
		first := event.Seq(1 + r.Uint64()>>(1+r.IntN(60)))
		for i := range p.Events {
			e := &p.Events[i]
			e.Seq = first + event.Seq(i)
			if r.IntN(10) == 0 {
				odd(r, e)
			}
		}
		g.Parts = append(g.Parts, p)
	}
	return g
}

func odd(r *rand.Rand, e *event.Event) {
	e.Time = event.Time(r.Int64N(int64(event.TimeMax)))
	fields := append(wordsAndTexts(e), wordsAndTexts(e)...)
	for range 5 {
		*fields[r.IntN(len(fields))] = []string{"", "\x00", "\xff\xfe", strings.Repeat("ü", r.IntN(3000)), "\"\n"}[r.IntN(5)]
	}
	e.IPHash = fmt.Sprintf("%032x", r.Uint64())
}

func wordsAndTexts(e *event.Event) []*string {
	w, t := words(e), texts(e)
	return append(w[:], t[:]...)
}

func TestGroupsComeBackAsTheyWere(t *testing.T) {
	var encoder Encoder
	var decoder Decoder
	for seed := range uint64(300) {
		want := randomGroup(seed)
		bytes := encoder.Append([]byte("before"), want)
		got, err := decoder.Decode(bytes[len("before"):], want.Number)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		clear(bytes) // the events must not alias what they were read from
		if !reflect.DeepEqual(&got, want) {
			t.Fatalf("seed %d: %d parts came back as %d, or changed", seed, len(want.Parts), len(got.Parts))
		}
	}
}

// A field that event.Event gains later must not be dropped in silence.
func TestEveryFieldOfAnEventIsKept(t *testing.T) {
	var e event.Event
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.String:
			field.SetString("value of " + v.Type().Field(i).Name)
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int64:
			field.SetInt(1774612800123)
		case reflect.Uint64:
			field.SetUint(7)
		default:
			t.Fatalf("field %s has a kind that this test doesn't know", v.Type().Field(i).Name)
		}
	}
	want := Group{Number: 9, Committed: 1, Parts: []Part{{Project: 3, Events: []event.Event{e}}}}
	got, err := new(Decoder).Decode(new(Encoder).Append(nil, &want), 9)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	var known Words
	known.OwnWords(&got.Parts[0].Events[0])
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("owning changed the event: %+v", got)
	}
}

func TestEveryFlippedBitIsDamage(t *testing.T) {
	want := randomGroup(4)
	bytes := new(Encoder).Append(nil, want)
	r := rand.New(rand.NewPCG(4, 4))
	for range 2000 {
		bit := r.IntN(8 * len(bytes))
		bytes[bit/8] ^= 1 << (bit % 8)
		if _, err := new(Decoder).Decode(bytes, want.Number); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		bytes[bit/8] ^= 1 << (bit % 8)
	}
	for cut := range bytes {
		if _, err := new(Decoder).Decode(bytes[:cut], want.Number); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestAGroupInAnothersPlaceIsDamage(t *testing.T) {
	bytes := new(Encoder).Append(nil, &Group{Number: 5})
	if _, err := new(Decoder).Decode(bytes, 6); !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if _, err := new(Decoder).Decode(bytes, 5); err != nil {
		t.Fatal(err)
	}
}

func TestPartsThatBreakTheRulesPanic(t *testing.T) {
	gap := []event.Event{{Seq: 1}, {Seq: 3}}
	for name, p := range map[string]Part{
		"no events": {Project: 1}, "a gap": {Project: 1, Events: gap},
		"no project": {Events: gap[:1]}, "no position": {Project: 1, Events: make([]event.Event, 1)},
		"too many": {Project: 1, Events: make([]event.Event, PartEventsMax+1)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the encoder took it")
				}
			}()
			new(Encoder).Append(nil, &Group{Parts: []Part{p}})
		})
	}
}

func TestWordsAreSharedAndForgottenInBounds(t *testing.T) {
	var known Words
	for i := range 3 * wordsMax {
		known.Text(fmt.Sprint(i))
		if len(known.known) > wordsMax {
			t.Fatalf("%d words are remembered", len(known.known))
		}
	}
	known.Text(strings.Repeat("x", wordBytesMax+1))
	if _, ok := known.known[strings.Repeat("x", wordBytesMax+1)]; ok {
		t.Error("a long value is remembered")
	}
}

// The checksum is put right, so that the fuzzer gets at what lies behind it.
func FuzzDecodeNeverPanics(f *testing.F) {
	for n := range 3 {
		g := &Group{Number: uint64(n), Committed: 5}
		for p := range n {
			events := eventtest.New(uint64(n), 3, 1000).Events(1 + p)
			for i := range events {
				events[i].Seq = event.Seq(i + 1)
			}
			g.Parts = append(g.Parts, Part{Project: event.Project(p + 1), Events: events})
		}
		bytes := new(Encoder).Append(nil, g)
		f.Add(bytes[:len(bytes)-checksumBytes])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		number := uint64(0)
		if len(body) > 1 {
			number, _ = binary.Uvarint(body[1:])
		}
		src := binary.LittleEndian.AppendUint32(append([]byte{}, body...), crc32.Checksum(body, castagnoli))
		g, err := new(Decoder).Decode(src, number)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		again, err := new(Decoder).Decode(new(Encoder).Append(nil, &g), number)
		if err != nil || !reflect.DeepEqual(g, again) {
			t.Fatalf("what was decoded doesn't survive: %v", err)
		}
	})
}

// FuzzRowsNeverPanic gets past the compression, too.
func FuzzRowsNeverPanic(f *testing.F) {
	var buffers rowBuffers
	f.Add(buffers.appendRows(nil, eventtest.New(1, 3, 1000).Events(3)), 3)
	f.Add([]byte{2, 0xff, 0xff, 0, 0}, 1)
	f.Add([]byte{3, 1, 0, 9, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, plain []byte, count int) {
		events := make([]event.Event, max(0, min(count, 100)))
		if !readRows(plain, events, &Words{}) {
			return
		}
		var buffers rowBuffers
		again := make([]event.Event, len(events))
		if !readRows(buffers.appendRows(nil, events), again, &Words{}) || !reflect.DeepEqual(events, again) {
			t.Fatal("what was read doesn't survive")
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		p := Part{Project: 1, Events: eventtest.New(1, 1000, 1000).Events(n)}
		for i := range p.Events {
			p.Events[i].Seq = event.Seq(i + 1)
		}
		g := &Group{Number: 1, Parts: []Part{p}}
		var encoder Encoder
		var decoder Decoder
		bytes := encoder.Append(nil, g)
		b.Run(fmt.Sprintf("encode/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bytes = encoder.Append(bytes[:0], g)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
			b.ReportMetric(float64(len(bytes))/float64(n), "B/event")
		})
		b.Run(fmt.Sprintf("decode/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decoder.Decode(bytes, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}

package index

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// held is a segment whose bytes a test may spoil.
type held struct{ sections [][]byte }

func (h *held) Section(id SectionID) ([]byte, error) {
	if int(id) >= len(h.sections) {
		return nil, damaged("section %d of %d", id, len(h.sections))
	}
	return h.sections[id], nil
}

func holding(b *Built) *held {
	h := &held{}
	for _, section := range b.Sections {
		h.sections = append(h.sections, slices.Clone(section))
	}
	return h
}

// spoil damages one thing and says what.
func spoil(r *rand.Rand, h, other *held) string {
	at := r.IntN(len(h.sections))
	section := h.sections[at]
	switch kind := r.IntN(10); kind {
	default:
		bit := r.IntN(8 * len(section))
		section[bit/8] ^= 1 << (bit % 8)
		return fmt.Sprintf("bit %d of section %d flipped", bit, at)
	case 0:
		from := r.IntN(len(section)) &^ 4095
		clear(section[from:min(from+4096, len(section))])
		return fmt.Sprintf("section %d zeroed from %d", at, from)
	case 1:
		n := r.IntN(len(section))
		h.sections[at] = section[:n]
		return fmt.Sprintf("section %d cut to %d", at, n)
	case 2:
		to := (at + 1 + r.IntN(len(h.sections)-1)) % len(h.sections)
		h.sections[at], h.sections[to] = h.sections[to], h.sections[at]
		return fmt.Sprintf("sections %d and %d swapped", at, to)
	case 3:
		h.sections[at] = slices.Clone(other.sections[at])
		return fmt.Sprintf("section %d of another segment", at)
	case 4:
		h.sections[at] = append(section, byte(r.Uint32()))
		return fmt.Sprintf("section %d has a byte too much", at)
	}
}

// readAround reads some events of a segment that may be damaged. Each must be right, or an error.
func readAround(t *testing.T, r *rand.Rand, s *Segment, want []Row, what string) {
	t.Helper()
	reader, err := s.Reader()
	if err != nil {
		if !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("%s: kind of %v", what, err)
		}
		return
	}
	for range 3 {
		row := r.IntN(len(want))
		got, _, err := reader.Event(uint32(row))
		if err == nil && got != *want[row].Event || err != nil && !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("%s: row %d is\n%+v, want\n%+v, %v", what, row, got, *want[row].Event, err)
		}
	}
}

func TestDamageIsNeverAnAnswer(t *testing.T) {
	for _, c := range []struct{ rows, injections int }{{90, 5200}, {4000, 150}} {
		rows := sorted(newTraffic(1, 50).day(c.rows, true))
		whole := Build(rows, BuildOptions{})
		other := holding(Build(newTraffic(2, 50).day(c.rows, true), BuildOptions{}))
		for len(other.sections) < len(whole.Sections) {
			other.sections = append(other.sections, []byte("another"))
		}
		for seed := range uint64(c.injections) {
			r := rand.New(rand.NewPCG(seed, 77))
			h := holding(whole)
			what := fmt.Sprintf("%d rows, seed %d: %s", c.rows, seed, spoil(r, h, other))
			s, err := Open(h)
			if err == nil {
				readAround(t, r, s, rows, what)
				err = s.Check()
			}
			if !errors.Is(err, event.ErrDamaged) && !slices.EqualFunc(h.sections, whole.Sections, slices.Equal[[]byte]) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
}

// A segment whose checksums are right and whose pieces don't agree was built wrong. Check finds it.
func TestCheckFindsWhatChecksumsCannot(t *testing.T) {
	for name, lie := range map[string]struct{ before, after func(b *builder) }{
		"rows out of order": {before: func(b *builder) { b.rows[5], b.rows[6] = b.rows[6], b.rows[5] }},
		"bounds too wide":   {after: func(b *builder) { b.maxTime++ }},
		"a position twice":  {before: func(b *builder) { b.rows[0].Event.Seq = b.rows[30].Event.Seq }},
	} {
		rows := sorted(rowsOf(eventtest.New(1, 3, 1000).Events(50)))
		b := &builder{draft: newDraft(), rows: rows}
		if lie.before != nil {
			lie.before(b)
		}
		b.gather()
		if lie.after != nil {
			lie.after(b)
		}
		s, err := Open(b.finish(BuildOptions{}))
		if err == nil {
			err = s.Check()
		}
		if !errors.Is(err, event.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every piece in turn is replaced by another that is well framed: whatever a piece holds, reading
// it must not panic, and Check must see that it isn't the right one.
func TestForgedPiecesNeverPanic(t *testing.T) {
	rows := sorted(newTraffic(1, 50).day(120, true))
	whole := Build(rows, BuildOptions{})
	s, err := Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(6, 6))
	framer := encode.NewFramer()
	for at := range s.spots {
		right, err := s.piece(at)
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			forged := slices.Clone(right)
			for range 1 + r.IntN(3) {
				forged[r.IntN(len(forged))] ^= byte(1 << r.IntN(8))
			}
			frame := framer.Append(nil, forged, encode.Place{Stamp: s.stamp, Number: uint32(at + 1)}, encode.SavingNever)
			fake := &Segment{}
			*fake = *s
			fake.spots = slices.Clone(s.spots)
			fake.spots[at] = spot{section: 0, length: uint32(len(frame)), whole: uint32(len(frame))}
			fake.src = &overlay{s.src, frame}
			for _, p := range fake.properties {
				p.segment = fake
			}
			err := fake.Check()
			if err == nil {
				readAll(t, fake, at)
			} else if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("piece %d: kind of %v", at, err)
			}
			if _, failed := Merge([]*Segment{fake}, MergeOptions{}); failed != nil && (err == nil || !errors.Is(failed, event.ErrDamaged)) {
				t.Fatalf("piece %d: Check says %v, Merge %v", at, err, failed)
			}
		}
	}
}

// readAll reads a segment that Check has passed although a piece of it was changed: a text may have
// become another, which only the checksum tells, but nothing may be missing.
func readAll(t *testing.T, s *Segment, at int) {
	t.Helper()
	reader, err := s.Reader()
	if err != nil {
		t.Fatalf("piece %d: %v", at, err)
	}
	for row := range uint32(s.rows) {
		if _, _, err := reader.Event(row); err != nil {
			t.Fatalf("piece %d: Check passes, row %d: %v", at, row, err)
		}
	}
}

type overlay struct {
	src   Sections
	piece []byte
}

func (o *overlay) Section(id SectionID) ([]byte, error) {
	if id == 0 {
		return o.piece, nil
	}
	return o.src.Section(id)
}

// The checksum is put right, so that the fuzzer gets at what lies behind it.
func FuzzHeadersNeverPanic(f *testing.F) {
	for _, n := range []int{1, 40} {
		built := Build(newTraffic(1, 20).day(n, true), BuildOptions{})
		plain, err := encode.OpenFrame(built.Sections[0][len(magic)+1:], encode.Place{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	framer := encode.NewFramer()
	sections := Build(newTraffic(1, 20).day(40, true), BuildOptions{}).Sections
	f.Fuzz(func(t *testing.T, plain []byte) {
		h := &held{sections: slices.Clone(sections)}
		h.sections[0] = framer.Append(append([]byte(magic), segmentVersion), plain, encode.Place{}, encode.SavingNever)
		s, err := Open(h)
		if err == nil {
			err = s.Check()
		}
		if err != nil && !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("kind of %v", err)
		}
	})
}

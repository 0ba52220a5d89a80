package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"millimetric/index/event"
)

var rewrite = flag.Bool("rewrite", false, "rewrite expected outputs from what the code does now")

// example is the segment that FORMAT.md and testdata/describe.txt show.
func example() *Built {
	day := event.Time(1_772_359_200_000) // 2026-03-01T10:00:00Z
	view := func(seq event.Seq, at event.Time, who, path string) *event.Event {
		return &event.Event{
			Seq: seq, Time: day + at, Name: event.EventPageview, AnonymousID: who, SessionID: derivedSession(who, day+at), SessionDerived: true,
			URL: "https://a.example" + path, Path: path, Source: "direct", Medium: "direct", SourceConfidence: "high", SourceRule: "direct",
			Country: "DE", Device: "desktop", Properties: "{}",
		}
	}
	order := view(14, 90_000, "ann", "/shop")
	order.Name, order.UserID, order.Properties = "purchase", "7", `{"total":19.90,"plan":"pro"}`
	return Build([]Row{{view(11, 0, "ann", "/"), 0}, {view(12, 1500, "ben", "/"), 1}, {view(13, 60_000, "ann", "/shop"), 0}, {order, 0}}, BuildOptions{})
}

func dumped(t *testing.T, s *Segment, id SectionID) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Dump(&out, id); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The segment in FORMAT.md is what Build makes of four events, and what Dump says of it.
func TestTheFormatPageShowsARealSegment(t *testing.T) {
	built := example()
	s, err := Open(built)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for id := range built.Sections {
		got.WriteString(dumped(t, s, SectionID(id)))
	}
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "```dump\n", "```\n"
	before, rest, found := strings.Cut(string(page), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("FORMAT.md has no dump")
	}
	if *rewrite {
		if err := os.WriteFile("FORMAT.md", []byte(before+begin+got.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	sameLines(t, shown, got.String())
}

func TestDescribeSaysWhatTheSegmentIsMadeOf(t *testing.T) {
	s, err := Open(example())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Describe(&out, true); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/describe.txt"
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, string(want), out.String())
}

func sameLines(t *testing.T, want, got string) {
	t.Helper()
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		if i >= len(wants) || i >= len(gots) || wants[i] != gots[i] {
			t.Fatalf("line %d differs (make golden rewrites it):\nwant %q\ngot  %q", i+1, append(wants, "the end")[min(i, len(wants))], append(gots, "the end")[min(i, len(gots))])
		}
	}
}

// A dump has every byte of a section, in order, and no line that can't tell what its bytes are.
func TestDumpsHaveEveryByte(t *testing.T) {
	for name, rows := range cases() {
		built := Build(rows, BuildOptions{})
		s, err := Open(built)
		if err != nil {
			t.Fatal(err)
		}
		for id, section := range built.Sections {
			text := dumped(t, s, SectionID(id))
			if strings.Contains(text, "not what it should be") {
				t.Errorf("%s, section %d: a piece isn't understood", name, id)
			}
			if got := storedBytes(t, text); !bytes.Equal(got, section) {
				t.Errorf("%s, section %d: the dump has %d bytes, which aren't the %d of the section", name, id, len(got), len(section))
			}
		}
	}
}

// storedBytes returns the bytes of a dump, but for what it shows unpacked.
func storedBytes(t *testing.T, dump string) []byte {
	t.Helper()
	var all []byte
	unpacked := false
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, " ") {
			unpacked = strings.HasPrefix(line, "unpacked")
			continue
		}
		if unpacked {
			continue
		}
		digits, _, _ := strings.Cut(strings.TrimSpace(line[8:]), " ")
		bytes, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, bytes...)
	}
	return all
}

// What Describe counts is what Build says it wrote.
func TestDescribeCountsAllBytes(t *testing.T) {
	for name, rows := range cases() {
		built := Build(rows, BuildOptions{})
		s, err := Open(built)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := s.Describe(&out, true); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, records, err := s.records()
		if err != nil {
			t.Fatal(err)
		}
		all, next := tally{}, 0
		for _, rec := range records {
			for _, p := range rec.contents {
				if p.pieces.first != next {
					t.Fatalf("%s: %s begins with piece %d, not %d", name, p.about, p.pieces.first, next)
				}
				next += p.pieces.count
				if err := s.tally(&tally{}, &all, p.pieces); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := -built.Sizes["header"]
		for _, size := range built.Sizes {
			want += size
		}
		if all.stored != want || all.pieces != len(s.spots) {
			t.Errorf("%s: %d pieces of %d bytes, want %d of %d", name, all.pieces, all.stored, len(s.spots), want)
		}
	}
}

func TestInspectingDamageIsAnError(t *testing.T) {
	built := example()
	s, err := Open(built)
	if err != nil {
		t.Fatal(err)
	}
	for id := range built.Sections {
		for at := range built.Sections[id] {
			whole := built.Sections[id]
			built.Sections[id] = bytes.Clone(whole)
			built.Sections[id][at] ^= 4
			described, dumped := s.Describe(&bytes.Buffer{}, true), s.Dump(&bytes.Buffer{}, SectionID(id))
			built.Sections[id] = whole
			if !errors.Is(described, event.ErrDamaged) || !errors.Is(dumped, event.ErrDamaged) {
				t.Fatalf("byte %d of section %d: %v, %v", at, id, described, dumped)
			}
		}
	}
}

func TestInspectingPassesOnThatTheOutputFails(t *testing.T) {
	s, err := Open(example())
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken pipe")
	for _, err := range []error{s.Describe(brokenPipe{broken}, false), s.Dump(brokenPipe{broken}, 1)} {
		if !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	}
}

type brokenPipe struct{ err error }

func (p brokenPipe) Write([]byte) (int, error) { return 0, p.err }

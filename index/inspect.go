package index

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// A record is what the header says at one place, and the pieces that it speaks of there. Inspecting
// reads the header once more, record by record, with the functions that Open reads it with.
type record struct {
	about    string // what it says
	bytes    []byte // of the header, unpacked
	contents []content
}

// content is pieces of one form.
type content struct {
	about  string
	form   form
	pieces span
}

// form is how the bytes of a piece read.
type form byte

const (
	formIntegers form = iota
	formSet
	formDict
	formList
)

// surveyor reads the records of a header. It reads into a copy of the segment: others may read the
// segment itself.
type surveyor struct {
	segment Segment
	r       *headReader
	records []record
}

// records returns the stamp and the table of sections as they stand in the header, then its records.
func (s *Segment) records() (table []byte, records []record, err error) {
	section, err := s.src.Section(0)
	if err != nil {
		return nil, nil, err
	}
	_, spots, r, err := readHeader(section)
	if err != nil {
		return nil, nil, err
	}
	plain, err := encode.OpenFrame(section[len(magic)+1:], encode.Place{})
	if err != nil {
		return nil, nil, err
	}
	table = plain[:len(plain)-len(r.rest)]
	v := &surveyor{segment: *s, r: r}
	v.survey()
	if r.bad || len(r.rest) != 0 || r.next != len(spots) {
		return nil, nil, damaged("header: %d bytes are left, %d of %d pieces are spoken of", len(r.rest), r.next, len(spots))
	}
	return table, v.records, nil
}

// take notes what read reads.
func (v *surveyor) take(read func() (about string, contents []content)) {
	before := v.r.rest
	about, contents := read()
	v.records = append(v.records, record{about, before[:len(before)-len(v.r.rest)], contents})
}

// survey goes through the records in the order of readRecords.
func (v *surveyor) survey() {
	s, r := &v.segment, v.r
	v.take(func() (string, []content) {
		rows, visitors := r.length(RowsMax), r.length(RowsMax)
		about := fmt.Sprintf("%s of %s, times %s to %s", counted(rows, "row"), counted(visitors, "visitor"), clock(event.Time(r.sv())), clock(event.Time(r.sv())))
		return about + fmt.Sprintf(", positions %d to %d", r.uv(), r.uv()), nil
	})
	v.span("visitors: ordinals", formSet)
	v.span("visitors: first rows", formIntegers)
	v.store("visitors: anonymous ids")
	v.span("times", formIntegers)
	v.span("positions", formIntegers)
	for _, spec := range columnSpecs {
		v.codes(string(spec.name))
		v.store(string(spec.name))
	}
	v.codes("touch")
	for _, name := range touchNames {
		v.store(string(name))
		v.span(string(name)+": code of each touch", formIntegers)
	}
	v.codes("session")
	v.store("session")
	v.codes("session derived")
	v.codes("path in URL")
	v.store("event ids")
	for _, name := range setColumns {
		v.sets(string(name))
	}
	v.nameVisitors()
	columns := 0
	v.take(func() (string, []content) {
		columns = r.length(typedNamesMax)
		return fmt.Sprintf("typed properties: %d", columns), nil
	})
	for range columns {
		v.property()
	}
	v.take(func() (string, []content) {
		s.rest.shape = byte(r.length(restByCode))
		return "properties: what typed columns don't give back, by " + [...]string{"row", "code"}[s.rest.shape], nil
	})
	if s.rest.shape == restByCode {
		v.codes("properties")
	}
	v.store("properties")
}

func (v *surveyor) span(about string, f form) {
	v.take(func() (string, []content) {
		pieces := v.r.span()
		return about + inPieces(pieces.count), []content{{about, f, pieces}}
	})
}

// counted says how many there are of what has a plural in s.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func inPieces(count int) string { return ", " + counted(count, "piece") }

// codes reads a code column.
func (v *surveyor) codes(name string) {
	v.take(func() (string, []content) {
		c := v.segment.readCodeColumn(v.r)
		about := fmt.Sprintf("%s: codes below %d", name, c.limit)
		switch c.shape {
		case shapeOne:
			return fmt.Sprintf("%s, all rows have %d", about, c.one), nil
		case shapePerRow:
			return about + ", by row" + inPieces(c.chunks.count), []content{{name + ": codes", formIntegers, c.chunks}}
		}
		return about + ", by visitor" + inPieces(c.chunks.count+c.exceptRows.count+c.exceptCode.count), []content{
			{name + ": codes of first rows", formIntegers, c.chunks},
			{name + ": rows that differ", formIntegers, c.exceptRows},
			{name + ": their codes", formIntegers, c.exceptCode},
		}
	})
}

// store reads a text store.
func (v *surveyor) store(name string) {
	v.take(func() (string, []content) { return storeAbout(name, readTextStore(v.r)) })
}

func storeAbout(name string, t textStore) (about string, contents []content) {
	about = name + ": " + counted(t.count, "text")
	switch t.kind {
	case storeInline:
		return about + " in the header:" + texts(&t.inline), nil
	case storeDict:
		return about + " that rise" + inPieces(t.pieces.count), []content{{name + ": texts", formDict, t.pieces}}
	}
	return about + " in a list" + inPieces(t.pieces.count), []content{{name + ": texts", formList, t.pieces}}
}

// sets reads the sets of one column, as readSets does.
func (v *surveyor) sets(name string) {
	v.take(func() (string, []content) {
		limit := v.r.length(setValuesMax)
		if limit == 0 {
			return name + ": no sets", nil
		}
		first := v.r.length(limit - 1)
		all := span{v.r.next, 0}
		for code := range limit {
			if code != first {
				all.count += v.r.span().count
			}
		}
		about := fmt.Sprintf("%s: sets of %s, %d is the most frequent", name, counted(limit, "code"), first)
		return about + inPieces(all.count), []content{{name + ": rows of a code", formSet, all}}
	})
}

func (v *surveyor) nameVisitors() {
	v.take(func() (string, []content) {
		names, all := v.r.length(namesWithSets), span{v.r.next, 0}
		for range names {
			all.count += v.r.span().count
		}
		about := "visitors by event_name: sets of " + counted(names, "code")
		return about + inPieces(all.count), []content{{"visitors by event_name: ordinals of a code", formSet, all}}
	})
}

// property reads a typed column, as readProperties does.
func (v *surveyor) property() {
	v.take(func() (string, []content) {
		r := v.r
		name, kind, count := r.text(), PropertyKind(r.length(int(PropertyValues))), r.length(v.segment.rows)
		name = fmt.Sprintf("property %q", name)
		about, contents, of := "", []content(nil), ": numbers"
		if kind == PropertyNumbers {
			about = fmt.Sprintf("%s: numbers of %s, scale %d, trimmed %d, from %d on", name, counted(count, "row"), r.length(scaleMax), r.length(1), r.sv())
		} else {
			about, contents = storeAbout(name, readTextStore(r))
			about, of = fmt.Sprintf("%s, of %s", about, counted(count, "row")), ": codes"
		}
		rows, values := r.span(), r.span()
		return about + inPieces(rows.count+values.count), append(contents,
			content{name + ": rows that have it", formSet, rows}, content{name + of, formIntegers, values})
	})
}

func clock(t event.Time) string { return t.Std().Format(time.RFC3339Nano) }

// frame returns a piece as it is stored, and what is in it.
func (s *Segment) frame(number int) (stored, plain []byte, err error) {
	if plain, err = s.piece(number); err != nil {
		return nil, nil, err
	}
	at := s.spots[number]
	section, err := s.src.Section(at.section)
	if err != nil {
		return nil, nil, err
	}
	return section[at.offset : at.offset+at.length], plain, nil
}

// tally is what pieces take.
type tally struct{ pieces, packed, stored, plain int }

func (t *tally) add(stored, plain []byte) {
	t.pieces++
	t.stored += len(stored)
	t.plain += len(plain)
	if isPacked(stored) {
		t.packed++
	}
}

// Describe writes for a human what the segment is made of: its facts, what each record of the header takes,
// and, if pieces is true, each piece and where it stands. It reads all pieces. Of the texts it names
// those that the header has, and the names of typed properties.
func (s *Segment) Describe(w io.Writer, pieces bool) error {
	table, records, err := s.records()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if err := s.describe(out, table, records); err != nil {
		return err
	}
	if pieces {
		if err := s.describePieces(out, records); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (s *Segment) describe(out *bufio.Writer, table []byte, records []record) error {
	head, err := s.src.Section(0)
	if err != nil {
		return err
	}
	header, all := len(table), tally{}
	var lines []string
	for _, rec := range records {
		header += len(rec.bytes)
		t := tally{}
		for _, p := range rec.contents {
			if err := s.tally(&t, &all, p.pieces); err != nil {
				return err
			}
		}
		lines = append(lines, fmt.Sprintf("%6d %6d %6d %10d %10d %9.3f  %s",
			len(rec.bytes), t.pieces, t.packed, t.stored, t.plain, float64(t.stored)/float64(s.rows), rec.about))
	}
	total := len(head) + all.stored
	fmt.Fprintf(out, "segment %016x, version %d\n", s.stamp, segmentVersion)
	fmt.Fprintf(out, "%s of %s in %s\n", counted(s.rows, "row"), counted(s.visitors, "visitor"), counted(s.Chunks(), "chunk"))
	fmt.Fprintf(out, "times %s to %s, positions %d to %d\n", clock(s.minTime), clock(s.maxTime), s.minSeq, s.maxSeq)
	fmt.Fprintf(out, "%d bytes, %.2f per row: header %d (unpacked %d), %s in %s %d (unpacked %d)\n\n",
		total, float64(total)/float64(s.rows), len(head), header, counted(all.pieces, "piece"), counted(int(s.LastSection()), "section"), all.stored, all.plain)
	fmt.Fprintf(out, "%6s %6s %6s %10s %10s %9s\n", "header", "pieces", "zstd", "bytes", "unpacked", "per row")
	fmt.Fprintf(out, "%6d %6d %6d %10d %10d %9.3f  table of sections\n", len(table), 0, 0, 0, 0, 0.0)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	return nil
}

// LastSection returns the greatest number of a section, 0 where there is only the header.
func (s *Segment) LastSection() SectionID {
	if len(s.spots) == 0 {
		return 0
	}
	return s.spots[len(s.spots)-1].section
}

func (s *Segment) tally(own, all *tally, pieces span) error {
	for i := range pieces.count {
		stored, plain, err := s.frame(pieces.first + i)
		if err != nil {
			return err
		}
		own.add(stored, plain)
		all.add(stored, plain)
	}
	return nil
}

func (s *Segment) describePieces(out *bufio.Writer, records []record) error {
	fmt.Fprintf(out, "\n%6s %7s %7s %7s %9s\n", "piece", "section", "offset", "bytes", "unpacked")
	for _, rec := range records {
		for _, p := range rec.contents {
			for i := range p.pieces.count {
				number := p.pieces.first + i
				stored, plain, err := s.frame(number)
				if err != nil {
					return err
				}
				at, codec := s.spots[number], "plain"
				if isPacked(stored) {
					codec = "zstd"
				}
				fmt.Fprintf(out, "%6d %7d %7d %7d %9d  %-5s  %s, %d of %d\n",
					number, at.section, at.offset, len(stored), len(plain), codec, p.about, i+1, p.pieces.count)
			}
		}
	}
	return nil
}

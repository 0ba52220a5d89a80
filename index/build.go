package index

import (
	"fmt"
	"strings"

	"millimetric/index/event"
)

// RowsMax bounds the rows of a segment: row numbers, and sums of them, fit 32 bits.
const RowsMax = 1 << 30

// Row is an event and the ordinal of its visitor: the project's number for the anonymous id.
type Row struct {
	Event   *event.Event
	Ordinal uint32
}

// BuildOptions say how a segment is built. The zero value is right for most.
type BuildOptions struct {
	// TypedMax is how many properties become columns of their own at most; 0 means
	// typedColumnsMax, a negative number none.
	TypedMax int
}

// Built is a segment as bytes.
type Built struct {
	// Sections are what Sections must give back later, by their ids.
	Sections [][]byte
	// Sizes is how many bytes each kind of content takes.
	Sizes map[string]int
}

// Section makes what was built a source of sections.
func (b *Built) Section(id SectionID) ([]byte, error) {
	if int(id) >= len(b.Sections) {
		return nil, damaged("section %d of %d", id, len(b.Sections))
	}
	return b.Sections[id], nil
}

// builder makes a draft of rows.
type builder struct {
	draft
	rows []Row

	columns  [len(columnSpecs)]numbered
	touches  touchNumbers
	sessions sessionNumbers
	derived  []uint32
	inURL    []uint32
	site     string // of the last URL
	objects  objects
}

// numbered is a column on its way to codes.
type numbered struct {
	numberer
	codes []uint32 // by row
}

// Build makes a segment of rows, in whatever order they come; they stay as they are. It panics where
// there are none or too many, where a row comes twice, and where an ordinal has two anonymous ids:
// each is a mistake of the caller that no reader could put right.
func Build(rows []Row, opt BuildOptions) *Built {
	if len(rows) == 0 || len(rows) > RowsMax {
		panic(fmt.Sprintf("index: a segment of %d rows", len(rows)))
	}
	b := &builder{draft: newDraft(), rows: sorted(rows)}
	b.gather()
	return b.finish(opt)
}

// finish writes all records, in the order in which Open reads them.
func (b *builder) finish(opt BuildOptions) *Built {
	b.writeFacts()
	b.writeRuns(b.anonymousIDs())
	b.writeOrder()
	for c := range columnSpecs {
		b.writeColumn(c, &b.columns[c])
	}
	b.writeTouches(&b.touches)
	b.writeSessions(&b.head, b.sessions.codes, b.sessions.texts)
	b.writeCodes(&b.head, "session derived", b.derived, 2, false)
	b.writeCodes(&b.head, "path in url", b.inURL, 2, false)
	b.writeRowTexts("event ids", true, func(i int) string { return b.rows[i].Event.ID })
	b.writeSets()
	b.writeProperties(opt.TypedMax)
	return b.built()
}

// gather reads each event once and takes apart what the columns keep of it. Events lie anywhere in
// memory, so reading one is what costs most; a pass for each column would read it twenty times.
func (b *builder) gather() {
	n := len(b.rows)
	b.times, b.seqs = make([]uint64, n), make([]uint64, n)
	for c := range b.columns {
		b.columns[c].codes = make([]uint32, n)
	}
	b.touches.codes, b.sessions.codes, b.derived, b.inURL = make([]uint32, n), make([]uint32, n), make([]uint32, n), make([]uint32, n)
	b.objects.shapeOf = make([]uint32, n)
	first := b.rows[0].Event
	b.minTime, b.maxTime, b.minSeq, b.maxSeq = first.Time, first.Time, first.Seq, first.Seq
	for i, r := range b.rows {
		e := r.Event
		b.survey(i, r)
		b.number(i, e)
		b.touches.add(i, e)
		b.sessions.add(i, e, len(b.starts))
		if e.SessionDerived {
			b.derived[i] = 1
		}
		b.objects.add(i, e.Properties, b.columns[nameColumn].codes[i])
	}
	b.starts = append(b.starts, uint32(n))
}

// survey finds the visitors and the bounds, and checks what Build demands.
func (b *builder) survey(i int, r Row) {
	e := r.Event
	b.times[i], b.seqs[i] = uint64(e.Time), uint64(e.Seq)
	b.minTime, b.maxTime = min(b.minTime, e.Time), max(b.maxTime, e.Time)
	b.minSeq, b.maxSeq = min(b.minSeq, e.Seq), max(b.maxSeq, e.Seq)
	if i == 0 || b.rows[i-1].Ordinal != r.Ordinal {
		b.starts, b.ordinals = append(b.starts, uint32(i)), append(b.ordinals, r.Ordinal)
		return
	}
	last := b.rows[i-1].Event
	if last.AnonymousID != e.AnonymousID || last.Time == e.Time && last.Seq == e.Seq {
		panic(fmt.Sprintf("index: events %d and %d of ordinal %d are the same, or of two visitors", last.Seq, e.Seq, r.Ordinal))
	}
}

// number numbers the texts of a row. They stand in the order of columnSpecs.
func (b *builder) number(i int, e *event.Event) {
	site, rest, inURL := b.splitURL(e)
	if inURL {
		b.inURL[i] = 1
	}
	for c, text := range [len(columnSpecs)]string{
		e.Name, e.UserID, e.Path, site, rest, e.Referrer, e.Country, e.Device, e.Browser, e.OS, e.Bot, e.IPHash,
	} {
		b.columns[c].codes[i] = b.columns[c].number(text)
	}
}

// splitURL is splitURL, but fast where the site is that of the last URL.
func (b *builder) splitURL(e *event.Event) (site, rest string, inURL bool) {
	n := len(b.site)
	if n == 0 || len(e.URL) <= n || e.URL[:n] != b.site || strings.IndexByte(siteEnds, e.URL[n]) < 0 {
		site, rest, inURL = splitURL(e)
		b.site = site
		return site, rest, inURL
	}
	if rest = e.URL[n:]; e.Path != "" && strings.HasPrefix(rest, e.Path) {
		return b.site, rest[len(e.Path):], true
	}
	return b.site, rest, false
}

// columnSpecs are the text columns with codes of their own.
var columnSpecs = [...]struct {
	name   event.Column
	listed bool // ids that hardly ever recur in another visitor's rows
	cold   bool // seldom asked for
}{
	{event.ColumnName, false, false},
	{event.ColumnUserID, false, true},
	{event.ColumnPath, false, false},
	{ColumnSite, false, true},
	{ColumnRest, false, true},
	{event.ColumnReferrer, false, true},
	{event.ColumnCountry, false, false},
	{event.ColumnDevice, false, false},
	{event.ColumnBrowser, false, false},
	{event.ColumnOS, false, false},
	{ColumnBot, false, false},
	{ColumnIPHash, true, true},
}

// nameColumn is where the name stands in columnSpecs.
const nameColumn = 0

// siteEnds are the bytes that end the site of a URL.
const siteEnds = `/\?#`

// splitURL parts an event's URL. The URL is site, then the event's path if inURL, then rest.
func splitURL(e *event.Event) (site, rest string, inURL bool) {
	site, rest = "", e.URL
	if scheme := strings.Index(e.URL, "://"); scheme >= 0 {
		end := strings.IndexAny(e.URL[scheme+3:], siteEnds)
		if end < 0 {
			return e.URL, "", false
		}
		site, rest = e.URL[:scheme+3+end], e.URL[scheme+3+end:]
	}
	if e.Path != "" && strings.HasPrefix(rest, e.Path) {
		return site, rest[len(e.Path):], true
	}
	return site, rest, false
}

// anonymousIDs lists the ids of the visitors.
func (b *builder) anonymousIDs() *headWriter {
	ids := headWriter{packer: b.head.packer}
	list := lister{packer: ids.packer, kind: "anonymous ids", ids: true}
	for _, start := range b.starts[:len(b.ordinals)] {
		list.add(b.rows[start].Event.AnonymousID)
	}
	list.write(&ids)
	return &ids
}

// settle returns the codes of all rows and their texts. The texts are sorted, or, where they hardly
// recur, in the order of their first rows.
func (n *numbered) settle(listed bool) (codes []uint32, texts []string, isSorted bool) {
	if listed || len(n.texts) > listedMin && len(n.texts) > len(n.codes)/listedShare {
		return n.codes, n.texts, false
	}
	places, rising := ranks(n.texts)
	for i, c := range n.codes {
		n.codes[i] = places[c]
	}
	return n.codes, rising, true
}

// writeRowTexts writes a text for each row, or one text where all are equal.
func (b *builder) writeRowTexts(kind string, ids bool, text func(i int) string) {
	first, same := text(0), 1
	for same < len(b.rows) && text(same) == first {
		same++
	}
	if same == len(b.rows) {
		b.head.sorted(kind, []string{first})
		return
	}
	list := lister{packer: b.head.packer, kind: kind, ids: ids}
	for i := range b.rows {
		list.add(text(i))
	}
	list.write(&b.head)
}

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

// Builder builds one segment after the other in the same memory, of which it keeps about as much as
// the greatest took. It is not safe for concurrent use; the zero value is ready.
type Builder struct{ b *builder }

// Build makes a segment of rows, in whatever order they come; they stay as they are. It panics where
// there are none or too many, where a row comes twice, and where an ordinal has two anonymous ids:
// each is a mistake of the caller that no reader could put right.
func (r *Builder) Build(rows []Row, opt BuildOptions) *Built {
	if len(rows) == 0 || len(rows) > RowsMax {
		panic(fmt.Sprintf("index: a segment of %d rows", len(rows)))
	}
	b := r.b
	if r.b = nil; b == nil { // a panic leaves it behind
		b = &builder{draft: newDraft()}
	}
	b.rows = b.sorter.sorted(rows)
	b.gather()
	built := b.finish(opt)
	b.forget()
	r.b = b
	return built
}

// Build is that of a Builder which builds nothing else.
func Build(rows []Row, opt BuildOptions) *Built {
	var r Builder
	return r.Build(rows, opt)
}

// builder makes a draft of rows.
type builder struct {
	draft
	rows []Row

	sorter   sorter
	columns  [len(columnSpecs)]numbered
	touches  touchNumbers
	sessions sessionNumbers
	derived  []uint32
	inURL    []uint32
	site     string // of the last URL
	ids      bool   // not all rows have the same event id
	objects  objects
	warmth   uint64
}

// numbered is a column on its way to codes.
type numbered struct {
	numberer
	codes []uint32 // by row
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
	b.writeIDs()
	b.writeSets()
	b.writeProperties(opt.TypedMax)
	return b.built()
}

// gather reads each event once and takes apart what the columns keep of it. Events lie anywhere in
// memory, so reading one is what costs most; a pass for each column would read it twenty times.
func (b *builder) gather() {
	b.begin()
	first := b.rows[0].Event
	b.minTime, b.maxTime, b.minSeq, b.maxSeq = first.Time, first.Time, first.Seq, first.Seq
	for i, r := range b.rows {
		if i%warmRows == 0 {
			b.warmth += warm(b.rows[i:min(i+warmRows, len(b.rows))])
		}
		e := r.Event
		b.survey(i, r)
		b.number(i, e)
		b.touches.add(i, e)
		b.sessions.add(i, e, len(b.starts))
		if e.SessionDerived {
			b.derived[i] = 1
		}
		b.ids = b.ids || e.ID != first.ID
		b.objects.add(i, e.Properties, b.columns[nameColumn].codes[i])
	}
	b.starts = append(b.starts, uint32(len(b.rows)))
}

// begin makes room for a code of each row in each column.
func (b *builder) begin() {
	n := len(b.rows)
	b.times, b.seqs = sized(b.times, n), sized(b.seqs, n)
	for c := range b.columns {
		b.columns[c].codes = sized(b.columns[c].codes, n)
	}
	for _, codes := range []*[]uint32{&b.touches.codes, &b.sessions.codes, &b.objects.shapeOf, &b.derived, &b.inURL} {
		*codes = sized(*codes, n)
	}
	clear(b.derived)
	clear(b.inURL)
}

// sized returns a slice of n elements, which are those of s if it is great enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// forget lets go of the rows and their texts, and keeps memory.
func (b *builder) forget() {
	clear(b.rows)
	b.draft.forget()
	for c := range b.columns {
		b.columns[c].numberer.forget()
	}
	b.touches.forget()
	b.sessions.forget()
	b.objects.forget()
	b.site, b.ids = "", false
}

// warmRows is how many events are read ahead. Each lies elsewhere in memory, and so do its texts: one
// after the other, they would be waited for one by one, but a loop that does nothing else has a dozen
// of them on their way at a time. What is read must still be in the first-level caches when it is used.
const warmRows = 16

// warm reads a little of everything that gather will read of rows. The sum is of no use but to keep
// the compiler from leaving the reading out.
func warm(rows []Row) (sum uint64) {
	for i := range rows {
		e := rows[i].Event
		sum += uint64(e.Time) + uint64(len(e.UserID)) + uint64(len(e.Path)) + uint64(len(e.Medium)) + uint64(len(e.Device)) + uint64(len(e.Properties))
		for _, text := range [...]string{e.Properties, e.URL, e.SessionID, e.AnonymousID} {
			if len(text) > 0 {
				sum += uint64(text[0]) + uint64(text[len(text)-1])
			}
		}
	}
	return sum
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
		b.columns[c].codes[i] = b.columns[c].numberInPlace(text)
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

// nameColumn and userColumn are where the name and the user stand in columnSpecs.
const (
	nameColumn = 0
	userColumn = 1
)

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

// writeIDs writes the event id of each row, or one where all are equal.
func (b *builder) writeIDs() {
	const kind = "event ids"
	if !b.ids {
		b.head.sorted(kind, []string{b.rows[0].Event.ID})
		return
	}
	list := lister{packer: b.head.packer, kind: kind, ids: true}
	for i := range b.rows {
		list.add(b.rows[i].Event.ID)
	}
	list.write(&b.head)
}

package index

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millimetric/index/encode"
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

// builder is a segment that is being built.
type builder struct {
	rows             []Row
	starts           []uint32 // the first row of each visitor, and the number of rows
	minTime, maxTime event.Time
	minSeq, maxSeq   event.Seq
	head             headWriter
}

// Build makes a segment of rows, in whatever order they come; they stay as they are. It panics where
// there are none or too many, where a row comes twice, and where an ordinal has two anonymous ids:
// each is a mistake of the caller that no reader could put right.
func Build(rows []Row, opt BuildOptions) *Built {
	if len(rows) == 0 || len(rows) > RowsMax {
		panic(fmt.Sprintf("index: a segment of %d rows", len(rows)))
	}
	b := &builder{rows: sorted(rows)}
	b.survey()
	return b.finish(opt)
}

// finish writes all records, in the order in which Open reads them.
func (b *builder) finish(opt BuildOptions) *Built {
	b.head.uv(uint64(len(b.rows)))
	b.head.uv(uint64(len(b.starts) - 1))
	b.head.sv(int64(b.minTime))
	b.head.sv(int64(b.maxTime))
	b.head.uv(uint64(b.minSeq))
	b.head.uv(uint64(b.maxSeq))
	b.writeRuns()
	b.writeOrder()
	b.writeColumns(opt)
	built := &Built{Sizes: map[string]int{}}
	built.Sections = frameSections(&b.head, built.Sizes)
	return built
}

// sorted returns rows by visitor, time and position.
func sorted(rows []Row) []Row {
	type sortKey struct {
		ordinal, at uint32
		time        event.Time
		seq         event.Seq
	}
	keys := make([]sortKey, len(rows))
	for i, r := range rows {
		keys[i] = sortKey{r.Ordinal, uint32(i), r.Event.Time, r.Event.Seq}
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		if a.ordinal != b.ordinal {
			return cmp.Compare(a.ordinal, b.ordinal)
		}
		if a.time != b.time {
			return cmp.Compare(a.time, b.time)
		}
		return cmp.Compare(a.seq, b.seq)
	})
	out := make([]Row, len(rows))
	for i, k := range keys {
		out[i] = rows[k.at]
	}
	return out
}

// survey finds the visitors and the bounds, and checks what Build demands.
func (b *builder) survey() {
	first := b.rows[0].Event
	b.minTime, b.maxTime, b.minSeq, b.maxSeq = first.Time, first.Time, first.Seq, first.Seq
	for i, r := range b.rows {
		e := r.Event
		b.minTime, b.maxTime = min(b.minTime, e.Time), max(b.maxTime, e.Time)
		b.minSeq, b.maxSeq = min(b.minSeq, e.Seq), max(b.maxSeq, e.Seq)
		if i == 0 || b.rows[i-1].Ordinal != r.Ordinal {
			b.starts = append(b.starts, uint32(i))
			continue
		}
		last := b.rows[i-1].Event
		if last.AnonymousID != e.AnonymousID || last.Time == e.Time && last.Seq == e.Seq {
			panic(fmt.Sprintf("index: events %d and %d of ordinal %d are the same, or of two visitors", last.Seq, e.Seq, r.Ordinal))
		}
	}
	b.starts = append(b.starts, uint32(len(b.rows)))
}

// columnSpecs are the text columns with codes of their own.
var columnSpecs = [...]struct {
	name   event.Column
	listed bool // ids that hardly ever recur in another visitor's rows
	cold   bool // seldom asked for
	text   func(*event.Event) string
}{
	{event.ColumnName, false, false, func(e *event.Event) string { return e.Name }},
	{event.ColumnUserID, false, true, func(e *event.Event) string { return e.UserID }},
	{event.ColumnPath, false, false, func(e *event.Event) string { return e.Path }},
	{ColumnSite, false, true, func(e *event.Event) string { site, _, _ := splitURL(e); return site }},
	{ColumnRest, false, true, func(e *event.Event) string { _, rest, _ := splitURL(e); return rest }},
	{event.ColumnReferrer, false, true, func(e *event.Event) string { return e.Referrer }},
	{event.ColumnCountry, false, false, func(e *event.Event) string { return e.Country }},
	{event.ColumnDevice, false, false, func(e *event.Event) string { return e.Device }},
	{event.ColumnBrowser, false, false, func(e *event.Event) string { return e.Browser }},
	{event.ColumnOS, false, false, func(e *event.Event) string { return e.OS }},
	{ColumnBot, false, false, func(e *event.Event) string { return e.Bot }},
	{ColumnIPHash, true, true, func(e *event.Event) string { return e.IPHash }},
}

// splitURL parts an event's URL. The URL is site, then the event's path if inURL, then rest.
func splitURL(e *event.Event) (site, rest string, inURL bool) {
	site, rest = "", e.URL
	if scheme := strings.Index(e.URL, "://"); scheme >= 0 {
		end := strings.IndexAny(e.URL[scheme+3:], `/\?#`)
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

func joinURL(site, path, rest string, inURL bool) string {
	if inURL {
		return site + path + rest
	}
	return site + rest
}

func (b *builder) writeColumns(opt BuildOptions) {
	codes := map[event.Column][]uint32{}
	limits := map[event.Column]uint32{}
	for _, spec := range columnSpecs {
		own, texts, isSorted := b.codesOf(spec.text, spec.listed)
		b.writeCodes(string(spec.name), own, uint32(len(texts)), spec.cold)
		if isSorted {
			b.writeSorted(string(spec.name)+" texts", texts)
		} else {
			b.writeBlocks(storeListed, string(spec.name)+" texts", squeezeAll(texts))
		}
		codes[spec.name], limits[spec.name] = own, uint32(len(texts))
	}
	touchCodes, touchLimits := b.writeTouches()
	for i, name := range touchNames {
		codes[name], limits[name] = touchCodes[i], touchLimits[i]
	}
	b.writeSessions()
	b.writeFlags("session derived", func(e *event.Event) bool { return e.SessionDerived })
	b.writeFlags("path in url", func(e *event.Event) bool { _, _, inURL := splitURL(e); return inURL })
	b.writeRowTexts("event ids", true, func(i int) string { return b.rows[i].Event.ID })
	for _, name := range setColumns {
		b.writeValueSets(codes[name], limits[name])
	}
	b.writeNameVisitors(codes[event.ColumnName], limits[event.ColumnName])
	b.writeProperties(opt.TypedMax)
}

// codesOf numbers the texts of all rows. The texts are sorted, or, where they hardly recur, in the
// order of their first rows.
func (b *builder) codesOf(text func(*event.Event) string, listed bool) (codes []uint32, texts []string, isSorted bool) {
	known := map[string]uint32{}
	codes = make([]uint32, len(b.rows))
	last := ""
	for i := range b.rows {
		t := text(b.rows[i].Event)
		if i > 0 && t == last {
			codes[i] = codes[i-1]
			continue
		}
		last = t
		code, ok := known[t]
		if !ok {
			code = uint32(len(texts))
			known[t] = code
			texts = append(texts, t)
		}
		codes[i] = code
	}
	if listed || len(texts) > listedMin && len(texts) > len(b.rows)/listedShare {
		return codes, texts, false
	}
	order, ranked := sortedCodes(texts)
	for i, c := range codes {
		codes[i] = order[c]
	}
	return codes, ranked, true
}

func squeezeAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = encode.Squeeze(t)
	}
	return out
}

func (b *builder) writeFlags(kind string, flag func(*event.Event) bool) {
	codes := make([]uint32, len(b.rows))
	for i := range b.rows {
		if flag(b.rows[i].Event) {
			codes[i] = 1
		}
	}
	b.writeCodes(kind, codes, 2, false)
}

// writeRowTexts writes a text for each row, or one text where all are equal.
func (b *builder) writeRowTexts(kind string, squeeze bool, text func(i int) string) {
	texts := make([]string, len(b.rows))
	for i := range b.rows {
		texts[i] = text(i)
	}
	if !slices.ContainsFunc(texts, func(t string) bool { return t != texts[0] }) {
		b.writeSorted(kind, texts[:1])
		return
	}
	if squeeze {
		b.writeBlocks(storeListed, kind, squeezeAll(texts))
		return
	}
	b.writeBlocks(storeRaw, kind, texts)
}

// derivedSession returns the session id that is made where none was sent: the visitor and the
// half-hour.
func derivedSession(anonymousID string, at event.Time) string {
	return anonymousID + "-" + strconv.FormatInt(int64(at)/(30*60*1000), 10)
}

// writeSessions numbers the sessions by visitor and id, in the order of their first rows. The text
// of a session is squeezed, or empty where derivedSession makes it from any of its rows.
func (b *builder) writeSessions() {
	codes := make([]uint32, len(b.rows))
	var texts []string
	known := map[string]uint32{}
	for run, start := range b.starts[:len(b.starts)-1] {
		if len(known) > 64 {
			known = map[string]uint32{} // clearing costs what the map has grown to
		}
		clear(known)
		for row := start; row < b.starts[run+1]; row++ {
			e := b.rows[row].Event
			if row > start && e.SessionID == b.rows[row-1].Event.SessionID {
				codes[row] = codes[row-1]
			} else if code, ok := known[e.SessionID]; ok {
				codes[row] = code
			} else {
				codes[row] = uint32(len(texts))
				known[e.SessionID] = codes[row]
				texts = append(texts, "")
			}
			if e.SessionID != derivedSession(e.AnonymousID, e.Time) {
				texts[codes[row]] = encode.Squeeze(e.SessionID)
			}
		}
	}
	b.writeCodes("session", codes, uint32(len(texts)), false)
	b.writeBlocks(storeRaw, "session texts", texts)
}

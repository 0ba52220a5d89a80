package index

import (
	"slices"

	"millimetric/index/encode"
)

// A text store holds texts that codes, rows or visitors number.
//
//	kind    1 byte  storeInline, storeDict or storeListed
//	count   uv      how many texts
//	storeInline  a dict (length uv, bytes): small ones tell without a look-up what a segment holds
//	storeDict    pieces, each a dict; how many texts each holds (uv); the least text and the
//	             greatest, cut to boundBytes
//	storeListed  pieces, each a list in the order of the first rows; how many texts each holds (uv)
//
// Where texts hardly recur, sorting them saves nothing and makes their codes random; listed ones
// have codes that rise.
const (
	storeInline = 0
	storeDict   = 1
	storeListed = 2

	inlineBytesMax = 512
	boundBytes     = 32
	// listedMin and listedShare say where a column's texts are listed instead of sorted.
	listedMin   = 1024
	listedShare = 4
)

type textStore struct {
	kind   byte
	count  int
	inline encode.Dict
	pieces span
	firsts []int // the first text of each piece, and count
	least  string
	most   string // "" where the greatest had to be cut: then nothing is known of it
}

// sorted writes texts that rise.
func (w *headWriter) sorted(kind string, texts []string) {
	if w.inline(texts) {
		return
	}
	var pieces []piece
	var counts []int
	for from := 0; from < len(texts); {
		end := encode.BlockEnd(texts, from, encode.DictBlockBytes)
		w.plain = encode.AppendDict(w.plain[:0], texts[from:end])
		pieces = append(pieces, w.pack(kind, encode.SavingTexts))
		counts = append(counts, end-from)
		from = end
	}
	w.blocks(storeDict, pieces, counts)
	least, most := texts[0], texts[len(texts)-1]
	w.text(least[:min(len(least), boundBytes)])
	if len(most) > boundBytes {
		most = ""
	}
	w.text(most)
}

// inline writes texts that rise into the header, if they are few.
func (w *headWriter) inline(texts []string) bool {
	if len(texts) > inlineBytesMax/2 {
		return false // each takes two bytes at least
	}
	plain := encode.AppendDict(w.plain[:0], texts)
	if w.plain = plain; len(plain) > inlineBytesMax {
		return false
	}
	w.out = append(w.out, storeInline)
	w.uv(uint64(len(texts)))
	w.text(string(plain))
	return true
}

// blocks writes the record of pieces that hold so many texts each.
func (w *headWriter) blocks(store byte, pieces []piece, counts []int) {
	total := 0
	for _, n := range counts {
		total += n
	}
	w.out = append(w.out, store)
	w.uv(uint64(total))
	w.add(pieces...)
	for _, n := range counts {
		w.uv(uint64(n))
	}
}

// lister makes pieces of texts that come one by one, and keeps no more of them than one piece holds.
type lister struct {
	*packer
	kind   string
	ids    bool // the texts may be ids: they are squeezed
	block  []string
	short  []encode.ID // instead of block, as long as all that came are ids of one kind
	bytes  int         // of the texts in either
	pieces []piece
	counts []int
}

func (l *lister) add(text string) {
	if len(l.short) > 0 {
		l.spell()
	}
	l.block, l.bytes = append(l.block, text), l.bytes+len(text)
	l.flushFull()
}

// addID is add for the text of an id. The texts must be ones that may be ids.
func (l *lister) addID(id encode.ID) {
	if len(l.block) > 0 || len(l.short) > 0 && !l.short[0].SameKind(id) {
		l.add(id.Text())
		return
	}
	l.short, l.bytes = append(l.short, id), l.bytes+id.Len()
	l.flushFull()
}

// spell makes texts of the ids in short.
func (l *lister) spell() {
	for _, id := range l.short {
		l.block = append(l.block, id.Text())
	}
	l.short = l.short[:0]
}

func (l *lister) flushFull() {
	if l.bytes >= encode.TextBlockBytes || len(l.block)+len(l.short) == encode.IntsMax {
		l.flush()
	}
}

func (l *lister) flush() {
	saving, fixed := encode.SavingTexts, len(l.short) > 0
	if fixed {
		l.plain = encode.AppendIDs(l.plain[:0], l.short)
	} else {
		l.plain, fixed = encode.AppendTexts(l.plain[:0], l.block, l.ids)
	}
	if fixed {
		saving = encode.SavingNever
	}
	l.pieces, l.counts = append(l.pieces, l.pack(l.kind, saving)), append(l.counts, len(l.block)+len(l.short))
	clear(l.block) // or they would pin what they are parts of
	l.block, l.short, l.bytes = l.block[:0], l.short[:0], 0
}

// write writes the record of all texts.
func (l *lister) write(w *headWriter) {
	if len(l.block)+len(l.short) > 0 {
		l.flush()
	}
	w.blocks(storeListed, l.pieces, l.counts)
}

func readTextStore(r *headReader) textStore {
	s := textStore{kind: byte(r.length(storeListed)), count: r.length(1 << 31)}
	if s.kind == storeInline {
		var err error
		if s.inline, err = encode.ParseDict([]byte(r.text())); err != nil || s.inline.Len() != s.count {
			r.fail()
		}
		return s
	}
	s.pieces = r.span()
	total := 0
	for range s.pieces.count {
		s.firsts = append(s.firsts, total)
		n := r.length(encode.IntsMax)
		if total += n; n == 0 {
			r.fail()
			return s
		}
	}
	s.firsts = append(s.firsts, total)
	if total != s.count {
		r.fail()
	}
	if s.kind == storeDict {
		s.least, s.most = r.text(), r.text()
	}
	return s
}

// mayHold reports whether the store may hold text, by what the header says.
func (s *textStore) mayHold(text string) bool {
	switch s.kind {
	case storeInline:
		_, found := s.inline.Find(text)
		return found
	case storeDict:
		return text >= s.least && (s.most == "" || text <= s.most)
	}
	return true
}

// Dict gives the texts of a store by their codes. It keeps what it has opened; it is not safe for
// concurrent use.
type Dict struct {
	segment *Segment
	store   *textStore
	opened  []TextPiece // by piece; nil where it isn't open
	looked  [][]byte    // by piece: as it is stored, where a text was looked for in it
	frugal  bool        // keep only the piece that was opened last
	near    int         // that piece
	code    uint32      // asked for last
	text    string      // of that code, if asked
	asked   bool
}

func (s *Segment) dict(store *textStore, frugal bool) *Dict {
	return &Dict{segment: s, store: store, frugal: frugal}
}

// Len returns how many texts there are.
func (d *Dict) Len() int { return d.store.count }

// Sorted reports whether greater codes mean greater texts.
func (d *Dict) Sorted() bool { return d.store.kind <= storeDict }

// At returns the text of a code. It may share memory with thousands of others: whoever keeps it for
// long clones it.
func (d *Dict) At(code uint32) (string, error) {
	if d.asked && d.code == code {
		return d.text, nil
	}
	if int(code) >= d.store.count {
		return "", damaged("text %d of %d", code, d.store.count)
	}
	if d.store.kind == storeInline {
		return d.store.inline.At(int(code)), nil
	}
	p, err := d.openOf(code)
	if err != nil {
		return "", err
	}
	d.text, d.code, d.asked = p.At(int(code)-d.store.firsts[d.near]), code, true
	return d.text, nil
}

// openOf opens the piece that has the text of a code, which is near then.
func (d *Dict) openOf(code uint32) (TextPiece, error) {
	firsts := d.store.firsts
	if at := d.near; int(code) < firsts[at] || int(code) >= firsts[at+1] {
		found := false
		if d.near, found = slices.BinarySearch(firsts, int(code)); !found {
			d.near--
		}
	}
	return d.open(d.near)
}

// addTo adds the text of a code to a list of texts that may be ids. One that stands as an id isn't written out.
func (d *Dict) addTo(list *lister, code uint32) error {
	if d.store.kind == storeListed && int(code) < d.store.count {
		p, err := d.openOf(code)
		if err != nil {
			return err
		}
		if texts, ok := p.(*encode.Texts); ok {
			if id, ok := texts.ID(int(code) - d.store.firsts[d.near]); ok {
				list.addID(id)
				return nil
			}
		}
	}
	text, err := d.At(code)
	if err == nil {
		list.add(text)
	}
	return err
}

// Texts returns all texts, by their codes. It keeps nothing open, but the texts share the memory that
// At's do.
func (d *Dict) Texts() ([]string, error) {
	texts := make([]string, 0, d.store.count)
	if d.store.kind == storeInline {
		for i := range d.store.count {
			texts = append(texts, d.store.inline.At(i))
		}
		return texts, nil
	}
	for at := range d.store.pieces.count {
		p, err := d.parse(at)
		if err != nil {
			return nil, err
		}
		for i := range p.Len() {
			texts = append(texts, p.At(i))
		}
	}
	return texts, nil
}

func (d *Dict) open(at int) (TextPiece, error) {
	if d.opened == nil {
		d.opened = make([]TextPiece, d.store.pieces.count)
	}
	if d.opened[at] != nil {
		return d.opened[at], nil
	}
	p, err := d.parse(at)
	if err != nil {
		return nil, err
	}
	if d.frugal {
		clear(d.opened)
	}
	d.opened[at] = p
	return p, nil
}

// parse reads a piece.
func (d *Dict) parse(at int) (TextPiece, error) {
	number := d.store.pieces.first + at
	keeper := d.segment.keeper()
	if keeper == nil {
		return d.takeApart(at)
	}
	if p, ok := keptPiece[TextPiece](keeper, number); ok {
		return p, nil
	}
	p, err := d.takeApart(at)
	if err == nil {
		keeper.Keep(number, p)
	}
	return p, err
}

func (d *Dict) takeApart(at int) (TextPiece, error) {
	plain, err := d.segment.piece(d.store.pieces.first + at)
	if err != nil {
		return nil, err
	}
	var p TextPiece
	if d.store.kind == storeDict {
		var dict encode.Dict
		dict, err = encode.ParseDict(plain)
		p = &dict
	} else {
		var list encode.Texts
		list, err = encode.ParseTexts(plain)
		p = &list
	}
	if err != nil {
		return nil, err
	}
	if want := d.store.firsts[at+1] - d.store.firsts[at]; p.Len() != want {
		return nil, damaged("piece %d of a text store has %d texts, not %d", at, p.Len(), want)
	}
	return p, nil
}

// Find returns the code of a text. In a store that isn't sorted it reads all of it; in one that is, it takes
// no piece apart.
func (d *Dict) Find(text string) (code uint32, found bool, err error) {
	switch {
	case !d.store.mayHold(text):
		return 0, false, nil
	case d.store.kind == storeListed:
		return d.scan(text)
	case d.store.kind == storeInline:
		at, found := d.store.inline.Find(text)
		return uint32(at), found, nil
	}
	from, to := 0, d.store.pieces.count
	for from < to {
		middle := (from + to) / 2
		at, count, found, err := d.findIn(middle, text)
		switch {
		case err != nil:
			return 0, false, err
		case found || at > 0 && at < count:
			return uint32(d.store.firsts[middle] + at), found, nil
		case at == 0:
			to = middle
		default:
			from = middle + 1
		}
	}
	return uint32(d.store.firsts[from]), false, nil
}

// findIn looks for a text in a piece of a sorted store.
func (d *Dict) findIn(piece int, text string) (at, count int, found bool, err error) {
	if d.looked == nil {
		d.looked = make([][]byte, d.store.pieces.count)
	}
	if d.looked[piece] == nil {
		if d.looked[piece], err = d.segment.piece(d.store.pieces.first + piece); err != nil {
			return 0, 0, false, err
		}
	}
	at, count, found, err = encode.FindInDict(d.looked[piece], text)
	if want := d.store.firsts[piece+1] - d.store.firsts[piece]; err == nil && count != want {
		err = damaged("piece %d of a text store has %d texts, not %d", piece, count, want)
	}
	return at, count, found, err
}

func (d *Dict) scan(text string) (uint32, bool, error) {
	for code := range uint32(d.store.count) {
		other, err := d.At(code)
		if err != nil || other == text {
			return code, err == nil, err
		}
	}
	return 0, false, nil
}

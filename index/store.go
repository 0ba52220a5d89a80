package index

import (
	"slices"
	"sort"
	"strings"

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
	bytes  int // of the texts in block
	pieces []piece
	counts []int
}

func (l *lister) add(text string) {
	l.block, l.bytes = append(l.block, text), l.bytes+len(text)
	if l.bytes >= encode.TextBlockBytes || len(l.block) == encode.IntsMax {
		l.flush()
	}
}

func (l *lister) flush() {
	saving, fixed := encode.SavingTexts, false
	if l.plain, fixed = encode.AppendTexts(l.plain[:0], l.block, l.ids); fixed {
		saving = encode.SavingNever
	}
	l.pieces, l.counts = append(l.pieces, l.pack(l.kind, saving)), append(l.counts, len(l.block))
	clear(l.block) // or they would pin what they are parts of
	l.block, l.bytes = l.block[:0], 0
}

// write writes the record of all texts.
func (l *lister) write(w *headWriter) {
	if len(l.block) > 0 {
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
	opened  []textPiece // by piece; nil where it isn't open
	frugal  bool        // keep only the piece that was opened last
	near    int         // that piece
	code    uint32      // asked for last
	text    string      // of that code, if asked
	asked   bool
}

// textPiece is one open piece: a dict or a list.
type textPiece interface {
	Len() int
	At(i int) string
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
	firsts := d.store.firsts
	if at := d.near; int(code) < firsts[at] || int(code) >= firsts[at+1] {
		found := false
		if d.near, found = slices.BinarySearch(firsts, int(code)); !found {
			d.near--
		}
	}
	p, err := d.open(d.near)
	if err != nil {
		return "", err
	}
	d.text, d.code, d.asked = p.At(int(code)-firsts[d.near]), code, true
	return d.text, nil
}

func (d *Dict) open(at int) (textPiece, error) {
	if d.opened == nil {
		d.opened = make([]textPiece, d.store.pieces.count)
	}
	if d.opened[at] != nil {
		return d.opened[at], nil
	}
	plain, err := d.segment.piece(d.store.pieces.first + at)
	if err != nil {
		return nil, err
	}
	var p textPiece
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
	if d.frugal {
		clear(d.opened)
	}
	d.opened[at] = p
	return p, nil
}

// Find returns the code of a text. In a store that isn't sorted it reads all of it.
func (d *Dict) Find(text string) (code uint32, found bool, err error) {
	if !d.store.mayHold(text) {
		return 0, false, nil
	}
	if !d.Sorted() {
		return d.scan(text)
	}
	at, found := sort.Find(d.store.count, func(i int) int {
		other, failed := d.At(uint32(i))
		if failed != nil {
			err = failed
		}
		return strings.Compare(text, other)
	})
	return uint32(at), found && err == nil, err
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

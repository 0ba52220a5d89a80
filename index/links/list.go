package links

import (
	"encoding/binary"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/piece"
)

// A list is the links of one piece, column by column. Integers and texts are columns of package encode.
//
//	positions  length (uv), integers  rising
//	times      length (uv), integers  as unsigned numbers of 64 bits
//	visitors   column of words
//	users      column of words
//
// A column of words has each text once, in the order in which they come first:
//
//	numbers  length (uv), integers  of each link's text in the texts
//	texts    length (uv), texts
type list struct {
	seqs, times     []uint64
	visitors, users words
	bytes           int // about what the list will take, at most
}

const (
	// listBytes is where a list ends. Longer ones save little; with the longest ids, one link more makes
	// a piece that is far below its limit.
	listBytes = 32 << 10
	// linkBytes is what a link takes beside its texts, at most: two numbers of 64 bits, two of 16.
	linkBytes = 20
)

func (l *list) reset() {
	l.seqs, l.times, l.bytes = l.seqs[:0], l.times[:0], 0
	l.visitors.reset()
	l.users.reset()
}

func (l *list) add(link event.Link) {
	l.seqs, l.times = append(l.seqs, uint64(link.Seq)), append(l.times, uint64(link.Time))
	l.bytes += linkBytes + l.visitors.add(link.AnonymousID) + l.users.add(link.UserID)
}

// append writes the list behind dst, and says what compressing it must save.
func (l *list) append(dst []byte) ([]byte, encode.Saving) {
	dst = appendInts(dst, l.seqs)
	dst = appendInts(dst, l.times)
	dst, fixed := l.visitors.append(dst)
	dst, alsoFixed := l.users.append(dst)
	if fixed && alsoFixed {
		return dst, encode.SavingIntegers
	}
	return dst, encode.SavingTexts
}

func appendInts[T uint32 | uint64](dst []byte, values []T) []byte {
	return appendColumn(dst, encode.AppendInts(nil, values))
}

func appendColumn(dst, column []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(column))), column...)
}

// words is a column of texts, most of which come more than once, or none.
type words struct {
	numbers []uint32
	texts   []string
	known   map[string]uint32
}

func (w *words) reset() {
	w.numbers, w.texts = w.numbers[:0], w.texts[:0]
	clear(w.known)
}

// add adds a text, and returns how many bytes it takes at most.
func (w *words) add(text string) (bytes int) {
	if w.known == nil {
		w.known = map[string]uint32{}
	}
	number, known := w.known[text]
	if !known {
		number = uint32(len(w.texts))
		w.known[text] = number
		w.texts = append(w.texts, text)
		bytes = len(encode.Squeeze(text)) + binary.MaxVarintLen16
	}
	w.numbers = append(w.numbers, number)
	return bytes
}

func (w *words) append(dst []byte) (out []byte, fixed bool) {
	dst = appendInts(dst, w.numbers)
	texts, fixed := encode.AppendTexts(nil, w.texts, true)
	return appendColumn(dst, texts), fixed
}

// openedList is a list that is being read.
type openedList struct {
	seqs            []event.Seq
	times           []event.Time
	visitors, users openedWords
}

type openedWords struct {
	numbers []uint32
	texts   []string
}

// openList takes a list apart. What it returns doesn't alias plain.
func openList(plain []byte) (openedList, error) {
	fields := piece.FieldsOf(plain)
	seqs, err := readInts[event.Seq](&fields)
	if err != nil {
		return openedList{}, err
	}
	times, err := readInts[event.Time](&fields)
	if err != nil {
		return openedList{}, err
	}
	visitors, err := readWords(&fields)
	if err != nil {
		return openedList{}, err
	}
	users, err := readWords(&fields)
	if err != nil {
		return openedList{}, err
	}
	n := len(seqs)
	if !fields.Done() || n == 0 || len(times) != n || len(visitors.numbers) != n || len(users.numbers) != n {
		return openedList{}, piece.Damaged("a list of %d links", n)
	}
	for i := 1; i < n; i++ {
		if seqs[i] <= seqs[i-1] {
			return openedList{}, piece.Damaged("position %d of a list of links doesn't rise", i)
		}
	}
	return openedList{seqs, times, visitors, users}, nil
}

func readInts[T ~uint32 | ~uint64 | ~int64](fields *piece.Fields) ([]T, error) {
	column, err := encode.ParseInts(fields.Bytes())
	if err != nil {
		return nil, err
	}
	values := make([]T, column.Len())
	encode.UnpackInts(&column, values)
	return values, nil
}

func readWords(fields *piece.Fields) (openedWords, error) {
	numbers, err := readInts[uint64](fields)
	if err != nil {
		return openedWords{}, err
	}
	texts, err := encode.ParseTexts(fields.Bytes())
	if err != nil {
		return openedWords{}, err
	}
	w := openedWords{make([]uint32, len(numbers)), make([]string, texts.Len())}
	for i := range w.texts {
		w.texts[i] = texts.At(i)
	}
	next := uint64(0)
	for i, number := range numbers {
		if number > next || number >= uint64(len(w.texts)) {
			return openedWords{}, piece.Damaged("text %d of %d in a list of links", number, len(w.texts))
		}
		next = max(next, number+1)
		w.numbers[i] = uint32(number)
	}
	if next != uint64(len(w.texts)) {
		return openedWords{}, piece.Damaged("%d texts of a list of links, of which %d are in use", len(w.texts), next)
	}
	return w, nil
}

func (w *openedWords) at(i int) string { return w.texts[w.numbers[i]] }

func (l *openedList) link(i int) event.Link {
	return event.Link{AnonymousID: l.visitors.at(i), UserID: l.users.at(i), Time: l.times[i], Seq: l.seqs[i]}
}

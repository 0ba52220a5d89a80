package encode

import "encoding/binary"

// A list of texts in any order, such as the properties of neighbouring rows.
//
//	form     1 byte
//	count    uv
//	textsPlain, textsSqueezed  the length of each (uv), then the bytes of one after another
//	textsHex, textsUUID        16 bytes of each
//
// A long list is cut into blocks, each of them a list, so that one text costs one block.
const (
	textsPlain    = 0 // as they are
	textsSqueezed = 1 // squeezed one by one
	textsHex      = 2 // all are 32 lower-case hex digits
	textsUUID     = 3 // all are lower-case UUIDs

	idBytes   = 16
	hexBytes  = 32 // of the text of an id
	uuidBytes = 36
)

// TextBlockBytes is where a block of a list ends, DictBlockBytes where one of a dict does. Blocks of
// twice that save 2 % and make one text cost twice as much to read.
const (
	TextBlockBytes = 32 << 10
	DictBlockBytes = 8 << 10
)

// BlockEnd returns where the block of so many bytes ends that begins at text from: behind the text
// that makes it full, and at the latest behind IntsMax texts.
func BlockEnd(texts []string, from, bytes int) int {
	size, end := 0, from
	for end < len(texts) && size < bytes && end-from < IntsMax {
		size += len(texts[end])
		end++
	}
	return end
}

// Texts is a list of texts. The zero value is empty.
type Texts struct {
	form byte
	text string
	ends []uint32 // empty for the forms of fixed width
}

// AppendTexts encodes texts, whose bytes together must stay below FrameBytesMax. squeeze says that
// they may be ids. fixed reports that they were, all of one kind: such bytes can't be compressed.
func AppendTexts(dst []byte, texts []string, squeeze bool) (out []byte, fixed bool) {
	if !squeeze {
		return appendList(dst, textsPlain, texts), false
	}
	if out, fixed = appendIDs(dst, texts); fixed {
		return out, true
	}
	squeezed := make([]string, len(texts))
	ids := 0
	for i, t := range texts {
		if squeezed[i] = Squeeze(t); squeezed[i][0] != squeezedText {
			ids++
		}
	}
	if ids == 0 {
		return appendList(dst, textsPlain, texts), false
	}
	return appendList(dst, textsSqueezed, squeezed), false
}

// appendIDs appends texts if all are ids of one kind.
func appendIDs(dst []byte, texts []string) (out []byte, ok bool) {
	if len(texts) == 0 {
		return dst, false
	}
	kind, form := byte(squeezedHex), byte(textsHex)
	if len(texts[0]) == uuidBytes {
		kind, form = squeezedUUID, textsUUID
	}
	out = binary.AppendUvarint(append(dst, form), uint64(len(texts)))
	for _, t := range texts {
		own, id := squeezeID(t)
		if own != kind {
			return dst, false
		}
		out = append(out, id[:]...)
	}
	return out, true
}

func appendList(dst []byte, form byte, texts []string) []byte {
	dst = binary.AppendUvarint(append(dst, form), uint64(len(texts)))
	for _, t := range texts {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
	}
	for _, t := range texts {
		dst = append(dst, t...)
	}
	return dst
}

// ParseTexts takes src apart; the texts don't alias it.
func ParseTexts(src []byte) (Texts, error) {
	r := reader{rest: src}
	head := r.bytes(1)
	if head == nil || head[0] > textsUUID {
		return Texts{}, damaged("form of a list of texts")
	}
	form, count := head[0], r.length(len(src))
	if form == textsHex || form == textsUUID {
		if r.bad || len(r.rest) != count*idBytes {
			return Texts{}, damaged("%d ids in %d bytes", count, len(r.rest))
		}
		return Texts{form: form, text: string(r.rest)}, nil
	}
	ends := make([]uint32, count)
	end := 0
	for i := range ends {
		end += r.length(len(src))
		if r.bad || end > len(src) {
			return Texts{}, damaged("length of text %d of %d", i, len(ends))
		}
		ends[i] = uint32(end)
	}
	if r.bad || end != len(r.rest) {
		return Texts{}, damaged("%d texts of %d bytes in %d", len(ends), end, len(r.rest))
	}
	t := Texts{form: form, text: string(r.rest), ends: ends}
	for i := range ends {
		if form != textsSqueezed {
			break
		}
		if _, ok := Unsqueeze(t.raw(i)); !ok {
			return Texts{}, damaged("squeezed text %d", i)
		}
	}
	return t, nil
}

// Bytes returns about how much memory they take.
func (t *Texts) Bytes() int { return len(t.text) + 4*len(t.ends) }

// Len returns how many texts there are.
func (t *Texts) Len() int {
	if t.form == textsHex || t.form == textsUUID {
		return len(t.text) / idBytes
	}
	return len(t.ends)
}

// At returns text i, which may share memory with all others. It panics where there is none.
func (t *Texts) At(i int) string {
	switch t.form {
	case textsHex:
		return idText(squeezedHex, t.text[i*idBytes:(i+1)*idBytes])
	case textsUUID:
		return idText(squeezedUUID, t.text[i*idBytes:(i+1)*idBytes])
	case textsSqueezed:
		text, _ := Unsqueeze(t.raw(i)) // ParseTexts has tried
		return text
	}
	return t.raw(i)
}

func (t *Texts) raw(i int) string {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.text[start:t.ends[i]]
}

// Ids are squeezed before they become texts: a letter, then the bytes. Random digits can't be
// compressed to the half that they are worth.
const (
	squeezedText = 't' // any text, as it is
	squeezedHex  = 'x' // 32 lower-case hex digits, as 16 bytes
	squeezedUUID = 'u' // a lower-case UUID, as 16 bytes
)

// Squeeze returns a shorter form of id, from which Unsqueeze makes id again.
func Squeeze(id string) string {
	kind, short := squeezeID(id)
	if kind == squeezedText {
		return string(rune(squeezedText)) + id
	}
	return string(rune(kind)) + string(short[:])
}

// dashes are where a UUID has them.
const dashes = 1<<8 | 1<<13 | 1<<18 | 1<<23

// squeezeID returns what kind of id a text is, and its bytes.
func squeezeID(id string) (kind byte, short [idBytes]byte) {
	var digits [4]uint64 // eight of each
	switch len(id) {
	case hexBytes:
		kind = squeezedHex
		digits = [4]uint64{eight(id), eight(id[8:]), eight(id[16:]), eight(id[24:])}
	case uuidBytes:
		if id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
			return squeezedText, short
		}
		kind = squeezedUUID
		digits = [4]uint64{eight(id), four(id[9:]) | four(id[14:])<<32, four(id[19:]) | four(id[24:])<<32, eight(id[28:])}
	default:
		return squeezedText, short
	}
	whole := true
	for i, d := range digits {
		value, ok := hexValue(d)
		binary.LittleEndian.PutUint32(short[4*i:], value)
		whole = whole && ok
	}
	if !whole {
		return squeezedText, [idBytes]byte{}
	}
	return kind, short
}

// eight and four return the first bytes of a text as one number, the first of them lowest.
func eight(s string) uint64 { return four(s) | four(s[4:])<<32 }

func four(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// hexValue returns what eight lower-case hex digits stand for, two to a byte. It looks at all eight at
// once; an id is a quarter of what a segment is built of.
func hexValue(text uint64) (value uint32, ok bool) {
	const ones = 0x0101010101010101
	letters := text >> 6 & ones // 1 for each byte that can be a letter only
	low := text & (0x0f * ones)
	digits := low + 9*letters
	// A digit is 0x3?, a letter 0x6?; letters, and only these, stand for ten and more, but less than sixteen.
	ok = text == low|(0x30*ones+0x30*letters) && digits&(0xf0*ones) == 0 && (digits+6*ones)>>4&ones == letters
	pairs := (digits<<4 | digits>>8) & 0x00ff00ff00ff00ff
	pairs = (pairs | pairs>>8) & 0x0000ffff0000ffff
	return uint32(pairs | pairs>>16), ok
}

// Unsqueeze undoes Squeeze. ok is false for what Squeeze never makes.
func Unsqueeze(squeezed string) (id string, ok bool) {
	if squeezed == "" {
		return "", false
	}
	switch kind, rest := squeezed[0], squeezed[1:]; kind {
	case squeezedText:
		return rest, true
	case squeezedHex, squeezedUUID:
		if len(rest) == idBytes {
			return idText(kind, rest), true
		}
	}
	return "", false
}

// idText writes 16 bytes as digits.
func idText(kind byte, short string) string {
	const digits = "0123456789abcdef"
	var out [36]byte
	n := 0
	for i := range idBytes {
		if kind == squeezedUUID && dashes>>n&1 == 1 {
			out[n] = '-'
			n++
		}
		out[n], out[n+1] = digits[short[i]>>4], digits[short[i]&15]
		n += 2
	}
	return string(out[:n])
}

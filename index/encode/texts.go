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

	idBytes = 16
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
	form := byte(textsPlain)
	if squeeze {
		form = formOf(texts)
	}
	dst = binary.AppendUvarint(append(dst, form), uint64(len(texts)))
	if form == textsSqueezed {
		squeezed := make([]string, len(texts))
		for i, t := range texts {
			squeezed[i] = Squeeze(t)
		}
		texts = squeezed
	}
	if form == textsHex || form == textsUUID {
		for _, t := range texts {
			_, id := squeezeID(t)
			dst = append(dst, id[:]...)
		}
		return dst, true
	}
	for _, t := range texts {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
	}
	for _, t := range texts {
		dst = append(dst, t...)
	}
	return dst, false
}

func formOf(texts []string) byte {
	kinds := [256]int{}
	for _, t := range texts {
		kind, _ := squeezeID(t)
		kinds[kind]++
	}
	switch len(texts) {
	case kinds[squeezedText]:
		return textsPlain
	case kinds[squeezedHex]:
		return textsHex
	case kinds[squeezedUUID]:
		return textsUUID
	}
	return textsSqueezed
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
	switch len(id) {
	case 32:
		kind = squeezedHex
	case 36:
		kind = squeezedUUID
	default:
		return squeezedText, short
	}
	nibble := 0
	for i := range len(id) {
		if kind == squeezedUUID && dashes>>i&1 == 1 {
			if id[i] != '-' {
				return squeezedText, short
			}
			continue
		}
		c := id[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return squeezedText, short
		}
		short[nibble>>1] |= c << (4 * (^nibble & 1))
		nibble++
	}
	return kind, short
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

package encode

import (
	"encoding/binary"
	"encoding/hex"
)

// A list of texts in any order, such as the properties of neighbouring rows.
//
//	count    uv
//	lengths  uv each
//	bytes    of one text after another
//
// A long list is cut into blocks, each of them a list, so that one text costs one block.

// TextBlockBytes is where a block ends. Twice as much saves 3 % and makes one text cost twice as
// much to read.
const TextBlockBytes = 128 << 10

// BlockEnd returns where the block ends that begins at text from: behind the text that makes it
// full, and at the latest behind IntsMax texts.
func BlockEnd(texts []string, from int) int {
	size, end := 0, from
	for end < len(texts) && size < TextBlockBytes && end-from < IntsMax {
		size += len(texts[end])
		end++
	}
	return end
}

// Texts is a list of texts. The zero value is empty.
type Texts struct {
	text string
	ends []uint32
}

// AppendTexts encodes texts, whose bytes together must stay below FrameBytesMax.
func AppendTexts(dst []byte, texts []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
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
	ends := make([]uint32, r.length(len(src)))
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
	return Texts{text: string(r.rest), ends: ends}, nil
}

// Len returns how many texts there are.
func (t *Texts) Len() int { return len(t.ends) }

// At returns text i, which shares memory with all others. It panics where there is none.
func (t *Texts) At(i int) string {
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
	var digits [32]byte
	kind := byte(squeezedHex)
	switch len(id) {
	case 32:
		copy(digits[:], id)
	case 36:
		if id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
			return string(rune(squeezedText)) + id
		}
		kind = squeezedUUID
		n := copy(digits[:], id[:8])
		n += copy(digits[n:], id[9:13])
		n += copy(digits[n:], id[14:18])
		n += copy(digits[n:], id[19:23])
		copy(digits[n:], id[24:])
	default:
		return string(rune(squeezedText)) + id
	}
	for _, c := range digits {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return string(rune(squeezedText)) + id
		}
	}
	var out [17]byte
	out[0] = kind
	if _, err := hex.Decode(out[1:], digits[:]); err != nil {
		panic("encode: hex digits that aren't: " + err.Error())
	}
	return string(out[:])
}

// Unsqueeze undoes Squeeze. ok is false for what Squeeze never makes.
func Unsqueeze(squeezed string) (id string, ok bool) {
	if squeezed == "" {
		return "", false
	}
	rest := squeezed[1:]
	switch squeezed[0] {
	case squeezedText:
		return rest, true
	case squeezedHex, squeezedUUID:
		if len(rest) != 16 {
			return "", false
		}
	default:
		return "", false
	}
	var digits [32]byte
	hex.Encode(digits[:], []byte(rest))
	if squeezed[0] == squeezedHex {
		return string(digits[:]), true
	}
	out := make([]byte, 0, 36)
	for i, c := range digits {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			out = append(out, '-')
		}
		out = append(out, c)
	}
	return string(out), true
}

package encode

import "encoding/binary"

// ID is an id of 32 lower-case hex digits, or a lower-case UUID, as its bytes. Whoever moves ids from one list
// to another needs no texts of them.
type ID struct {
	kind  byte
	short [idBytes]byte
}

// ID returns text i as an ID; ok is false where the list has texts of other kinds. It panics where there is
// none.
func (t *Texts) ID(i int) (id ID, ok bool) {
	switch t.form {
	case textsHex:
		id.kind = squeezedHex
	case textsUUID:
		id.kind = squeezedUUID
	default:
		return ID{}, false
	}
	copy(id.short[:], t.text[i*idBytes:(i+1)*idBytes])
	return id, true
}

// Text returns the id as it is written.
func (id ID) Text() string { return idText(id.kind, string(id.short[:])) }

// Len returns how many bytes the text has.
func (id ID) Len() int {
	if id.kind == squeezedUUID {
		return uuidBytes
	}
	return hexBytes
}

// SameKind reports whether both are UUIDs, or neither.
func (id ID) SameKind(other ID) bool { return id.kind == other.kind }

// AppendIDs encodes ids of one kind, one at least, as AppendTexts does their texts.
func AppendIDs(dst []byte, ids []ID) []byte {
	form := byte(textsHex)
	if ids[0].kind == squeezedUUID {
		form = textsUUID
	}
	dst = binary.AppendUvarint(append(dst, form), uint64(len(ids)))
	for i := range ids {
		dst = append(dst, ids[i].short[:]...)
	}
	return dst
}

package piece

import (
	"errors"
	"slices"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
)

var kind = Kind{Magic: "mtst", Version: 3}

// held is pieces in memory.
type held map[ID][]byte

func (h held) Piece(id ID) ([]byte, error) { return h[id], nil }

func (h held) emit(id ID, piece []byte) error {
	h[id] = slices.Clone(piece)
	return nil
}

func written(t *testing.T) held {
	t.Helper()
	h := held{}
	w := NewWriter(kind, 7, h.emit)
	if err := w.Put(1, []byte("first"), encode.SavingNever); err != nil {
		t.Fatal(err)
	}
	if err := w.PutHead([]byte{5, 2, 2, 'a', 'b'}); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPiecesComeBack(t *testing.T) {
	h := written(t)
	fields, err := kind.OpenHead(h, 7)
	if err != nil {
		t.Fatal(err)
	}
	if a, b, c := fields.Uvarint(5), fields.Varint(), fields.Bytes(); a != 5 || b != 1 || string(c) != "ab" || !fields.Done() {
		t.Fatalf("%d, %d, %q, %v", a, b, c, fields.Done())
	}
	if plain, err := Open(h, 7, 1); err != nil || string(plain) != "first" {
		t.Fatalf("%q, %v", plain, err)
	}
}

func TestPiecesOpenInTheirPlaceOnly(t *testing.T) {
	h := written(t)
	h[2] = h[1]
	_, ofStamp := Open(h, 8, 1)
	_, ofNumber := Open(h, 7, 2)
	_, missing := Open(h, 7, 3)
	_, headOfStamp := kind.OpenHead(h, 8)
	_, ofKind := Kind{"mtsu", 3}.OpenHead(h, 7)
	_, ofVersion := Kind{"mtst", 4}.OpenHead(h, 7)
	for i, err := range []error{ofStamp, ofNumber, missing, headOfStamp, ofKind, ofVersion} {
		if !errors.Is(err, event.ErrDamaged) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for at := range h[0] {
		spoiled := held{0: slices.Clone(h[0])}
		spoiled[0][at] ^= 1
		if _, err := kind.OpenHead(spoiled, 7); !errors.Is(err, event.ErrDamaged) {
			t.Errorf("byte %d of the head: %v", at, err)
		}
	}
}

func TestFieldsThatArentThereAreZero(t *testing.T) {
	for _, c := range []struct {
		plain []byte
		read  func(f *Fields) bool // reports whether what it got is zero
	}{
		{nil, func(f *Fields) bool { return f.Uvarint(9) == 0 }},
		{[]byte{0x80}, func(f *Fields) bool { return f.Varint() == 0 }},
		{[]byte{10}, func(f *Fields) bool { return f.Uvarint(9) == 0 }},
		{[]byte{2, 'a'}, func(f *Fields) bool { return f.Bytes() == nil }},
		{[]byte{10, 1}, func(f *Fields) bool { return f.Uvarint(9) == 0 && f.Uvarint(9) == 0 && f.Varint() == 0 }},
		{[]byte{1, 1}, func(f *Fields) bool { return f.Uvarint(9) == 1 }}, // one is left
		{[]byte{1}, func(f *Fields) bool { defer f.Fail(); return f.Uvarint(9) == 1 }},
	} {
		f := FieldsOf(c.plain)
		if !c.read(&f) || f.Done() {
			t.Errorf("%x is read, or done", c.plain)
		}
	}
}

func TestAPieceThatIsTooLongIsAProgrammersMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	_ = NewWriter(kind, 1, held{}.emit).Put(1, make([]byte, BytesMax), encode.SavingNever)
}

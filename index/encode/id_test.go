package encode

import (
	"bytes"
	"fmt"
	"testing"
)

// Ids that go from list to list as bytes make the lists that their texts make.
func TestIDsMakeTheListsOfTheirTexts(t *testing.T) {
	for _, pattern := range []string{"%032x", "0190163d-8694-739b-aea5-%012x"} {
		for _, n := range []int{1, 2, 300} {
			var texts []string
			for i := range n {
				texts = append(texts, fmt.Sprintf(pattern, i*7919))
			}
			want, fixed := AppendTexts([]byte("before"), texts, true)
			list, err := ParseTexts(want[len("before"):])
			if err != nil || !fixed {
				t.Fatal(err, fixed)
			}
			var ids []ID
			for i, text := range texts {
				id, ok := list.ID(i)
				if !ok || id.Text() != text || id.Len() != len(text) || !id.SameKind(id) {
					t.Fatalf("id %d of %q: %v, %q", i, text, ok, id.Text())
				}
				ids = append(ids, id)
			}
			if got := AppendIDs([]byte("before"), ids); !bytes.Equal(got, want) {
				t.Fatalf("%d ids like %s make %x, want %x", n, texts[0], got, want)
			}
		}
	}
}

func TestListsOfOtherTextsHaveNoIDs(t *testing.T) {
	const uuid = "0190163d-8694-739b-aea5-966c26f8ad91"
	for _, texts := range [][]string{{"a"}, {uuid, ""}, {uuid, "0190163d8694739baea5966c26f8ad91"}} {
		for _, squeeze := range []bool{false, true} {
			bytes, _ := AppendTexts(nil, texts, squeeze)
			list, err := ParseTexts(bytes)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := list.ID(0); ok {
				t.Errorf("%q, squeezed %v: the first is an id", texts, squeeze)
			}
		}
	}
	hex, _ := AppendTexts(nil, []string{"0190163d8694739baea5966c26f8ad91"}, true)
	dashed, _ := AppendTexts(nil, []string{uuid}, true)
	one, err := ParseTexts(hex)
	other, otherErr := ParseTexts(dashed)
	if err != nil || otherErr != nil {
		t.Fatal(err, otherErr)
	}
	a, _ := one.ID(0)
	if b, _ := other.ID(0); a.SameKind(b) {
		t.Error("32 digits and a UUID are of one kind")
	}
}

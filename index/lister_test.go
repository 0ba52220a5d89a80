package index

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/encode"
)

// Whether ids come as bytes or as texts, and whatever comes between them, the pieces are the same.
func TestIDsAreListedAsTheirTextsAre(t *testing.T) {
	kinds := []func(n uint32) string{
		func(n uint32) string { return fmt.Sprintf("%032x", n) },
		func(n uint32) string { return fmt.Sprintf("0190163d-8694-739b-aea5-%012x", n) },
		func(n uint32) string { return fmt.Sprintf("evt_%d", n) },
		func(uint32) string { return "" },
	}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 12))
		byTexts := lister{packer: newPacker(), kind: "ids", ids: true}
		byIDs := lister{packer: newPacker(), kind: "ids", ids: true}
		for range 1 + r.IntN(12) {
			kind := kinds[r.IntN(len(kinds))]
			for range 1 + r.IntN(2000) {
				text := kind(r.Uint32())
				byTexts.add(text)
				if plain, fixed := encode.AppendTexts(nil, []string{text}, true); fixed && r.IntN(100) > 0 {
					list, err := encode.ParseTexts(plain)
					if err != nil {
						t.Fatal(err)
					}
					id, _ := list.ID(0)
					byIDs.addID(id)
				} else {
					byIDs.add(text)
				}
			}
		}
		byTexts.flush()
		byIDs.flush()
		same := func(a, b piece) bool { return bytes.Equal(a.frame, b.frame) && a.sum == b.sum }
		if !slices.Equal(byTexts.counts, byIDs.counts) || !slices.EqualFunc(byTexts.pieces, byIDs.pieces, same) {
			t.Fatalf("seed %d: %d and %d pieces, or they differ", seed, len(byTexts.pieces), len(byIDs.pieces))
		}
	}
}

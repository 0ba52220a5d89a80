package encode

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheFormatPageStatesTheConstants(t *testing.T) {
	page, err := os.ReadFile("../FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, want := range []string{
		fmt.Sprintf("| codec | 1 | %d plain, %d zstd |", framePlain, frameZstd),
		fmt.Sprintf("where it saves %d %% (texts) or %d %% (sets", SavingTexts, SavingIntegers),
		fmt.Sprintf("| form | 1 | %d plain, %d squeezed, %d hex, %d UUID |", textsPlain, textsSqueezed, textsHex, textsUUID),
		fmt.Sprintf("hex and UUID: %d bytes each", idBytes),
		fmt.Sprintf("A *squeezed* text is `%c` and the text; or `%c` and %d bytes for 32 lower-case hex digits; or `%c`", squeezedText, squeezedHex, idBytes, squeezedUUID),
		fmt.Sprintf("| codec | 1 byte: %d packed, %d runs, %d differences |", intsPacked, intsRuns, intsDelta),
		fmt.Sprintf("at most %d,%d |", IntsMax/1000, IntsMax%1000),
		fmt.Sprintf("a body of the first value of every %d", deltaBlock),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("FORMAT.md doesn't say: %s", want)
		}
	}
	if packGroup != 8 || packPad != 8 || !strings.Contains(text, "whole groups of eight values, then eight zero bytes") {
		t.Error("FORMAT.md doesn't say how packed values are filled up")
	}
}

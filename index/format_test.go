package index

import (
	"fmt"
	"math/bits"
	"os"
	"strings"
	"testing"

	"millimetric/index/encode"
)

// thousands writes n as FORMAT.md does.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func kib(n int) string { return fmt.Sprintf("%d KiB", n>>10) }

func TestTheFormatPageStatesTheConstants(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, want := range []string{
		"| magic | 4 | `" + magic + "` |",
		fmt.Sprintf("| version | 1 | %d |", segmentVersion),
		fmt.Sprintf("%d: this one.", segmentVersion),
		"A chunk is " + thousands(ChunkRows) + " rows",
		"the first row of each visitor, integers, " + thousands(visitorChunk) + " in a piece",
		"the code of each visitor's first row, " + thousands(visitorChunk) + " in a piece",
		"A section ends where " + kib(sectionBytes) + " would be passed",
		"A set of more than " + kib(setBytesMax) + " is cut in two",
		fmt.Sprintf("%d, all rows have one code (uv); %d, pieces with the codes of each chunk; %d, pieces with the code of each visitor's first row", shapeOne, shapePerRow, shapePerRun),
		fmt.Sprintf("Kind (uv), count (uv), then: %d, a dict as a text; %d, pieces, each a dict; %d, pieces, each a list.", storeInline, storeDict, storeListed),
		fmt.Sprintf("cut to %d bytes", boundBytes),
		fmt.Sprintf("Inline dicts (%d bytes at most)", inlineBytesMax),
		"A dict ends behind " + kib(encode.DictBlockBytes) + " of texts, a list behind " + kib(encode.TextBlockBytes) + ", both behind " + thousands(encode.IntsMax) + " texts",
		"the time divided by " + thousands(halfHour),
		fmt.Sprintf("at least %g %% of the rows have it", 100.0/typedShare),
		fmt.Sprintf("numbers of up to %d places that fit %d bits", scaleMax, bits.Len(numberMax)-1),
		fmt.Sprintf("| %d numbers | scale (uv)", PropertyNumbers),
		fmt.Sprintf("| %d values | a text store. A text is `%c` and a number as written, `%c` and an unescaped string, `%c` and a boolean, `%c` (null), `%c` and", PropertyValues, ValueNumber, ValueText, ValueBool, ValueNull, ValueJSON),
		fmt.Sprintf("It has a shape (uv): %d, a text store by row; %d, a code column and a text store.", restByRow, restByCode),
		fmt.Sprintf("| rows of a segment | 2^%d |", bits.Len(RowsMax)-1),
		fmt.Sprintf("| pieces | 2^%d |", bits.Len(piecesMax)-1),
		fmt.Sprintf("| bytes of a frame, unpacked | %d MiB |", encode.FrameBytesMax>>20),
		fmt.Sprintf("| values with sets | %d |", setValuesMax),
		fmt.Sprintf("| names with visitors | %d |", namesWithSets),
		fmt.Sprintf("| typed columns | %d |", typedColumnsMax),
		"| values of a typed column | " + thousands(typedValuesMax) + " written forms |",
		"| names that are counted | " + thousands(typedNamesMax) + " |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("FORMAT.md doesn't say: %s", want)
		}
	}
}

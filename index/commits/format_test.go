package commits

import (
	"testing"

	"millimetric/index/piece/piecetest"
)

func TestFormatDocumentSaysWhatTheCodeDoes(t *testing.T) {
	shown := built(t, 1, []Mark{{3, 1000}, {5, 1001}}, 9)
	piecetest.Document(t, kind, map[string]int{
		"listMarks": listMarks, "directoryLists": directoryLists, "marksMax": marksMax, "runVersion": runVersion,
	}, shown)
}

package links

import (
	"testing"

	"millimetric/index/event"
	"millimetric/index/piece/piecetest"
)

func TestFormatDocumentSaysWhatTheCodeDoes(t *testing.T) {
	shown := built(t, 1, []event.Link{{Seq: 3, Time: 9, AnonymousID: "anna", UserID: "7"}})
	piecetest.Document(t, kind, map[string]int{"listBytes": listBytes, "runVersion": runVersion}, shown)
}

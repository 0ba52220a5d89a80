package record

import (
	"strings"
	"testing"
	"time"
)

// TestEveryFieldOfAnEventIsInTheRecord fails where an event keeps something of which nobody has said why.
func TestEveryFieldOfAnEventIsInTheRecord(t *testing.T) {
	list := Collected()
	if len(list) != len(fields) {
		t.Errorf("%d fields of an event, %d are described", len(list), len(fields))
	}
	for _, f := range list {
		if f.What == "" || f.Why == "" {
			t.Errorf("%s: say what it is and why it is kept", f.Name)
		}
	}
}

func TestTheRecordReadsAsMarkdown(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	r := Record{At: at, Version: "1", Account: "a|b\n# c", Fields: Collected(), Dropped: NotKept(),
		Measures:  []Measure{{"TLS", false, "none"}},
		LastDrill: &Drill{At: at, OK: true},
		Projects:  []Project{{Name: "shop", Slug: "shop", KeptDays: 30, OpenErasures: 2, Keys: []Key{{Prefix: "1a2b3c4d", Kind: "rk", May: []string{"stats"}}}}}}
	text := string(r.Markdown())
	for _, want := range []string{"| AnonymousID |", "| TLS | no | none |", "for 30 days", "aren't physically done: 2", "| 1a2b3c4d | rk |", `a\|b # c`, "it succeeded"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") && line != "# Record of processing\n" {
			t.Errorf("somebody's name begins a heading: %s", line)
		}
	}
}

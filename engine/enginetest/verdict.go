package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/keyring"
)

// verdict is what became of one damaged store.
type verdict struct {
	found   string // by whom the damage was found; empty where nobody did
	ended   string // why the process would have ended
	hung    bool
	answers answers
	why     string // the answers differ
	failed  int    // projects that answered with an error
}

// answers compares what a damaged store answers with what it answered before.
type answers int

const (
	answersSame  answers = iota // or errors
	answersShort                // the newest events or records are missing, and all else is right
	answersWrong
)

// keptHang is how long a damaged store may take until it hangs. Pebble looks for a single bit that
// explains a wrong checksum, by one checksum of the block for each bit of its first 40 KiB: seconds for
// each block of some size, and more where other tests run beside.
const keptHang = 2 * time.Minute

func (k *kept) judge(disk *vfs.MemFS) verdict {
	var ended atomic.Pointer[string]
	result := make(chan verdict, 1)
	go func() { result <- k.look(disk, &ended) }()
	deadline := time.After(keptHang)
	for {
		select {
		case v := <-result:
			return v
		case <-deadline:
			return verdict{hung: true}
		case <-time.After(10 * time.Millisecond):
			if reason := ended.Load(); reason != nil {
				return verdict{ended: *reason}
			}
		}
	}
}

// look checks the store, then opens it and asks for everything.
func (k *kept) look(disk *vfs.MemFS, ended *atomic.Pointer[string]) (v verdict) {
	opt, err := k.options(disk, ended)
	if err != nil {
		return verdict{found: "keyring", failed: projects}
	}
	checking := opt
	ring, err := keyring.Open(disk, keptFolder, [32]byte{1}, keyring.Options{Now: opt.Now})
	if err != nil {
		return verdict{found: "keyring", failed: projects}
	}
	checking.CipherKey = ring.KnownCipherKey
	if report, err := engine.Check(storeIn(keptFolder), checking); err != nil || len(report.Problems) > 0 {
		v.found = "check"
	}
	e, err := engine.Open(storeIn(keptFolder), opt)
	if err != nil {
		v.found, v.failed = "open", projects
		return v
	}
	k.compare(e, &v)
	if err := e.Close(); err != nil {
		v.found = "close"
	}
	return v
}

// compare asks for all that was there.
func (k *kept) compare(e *engine.Engine, v *verdict) {
	for p, want := range k.events {
		got, err := Stored(e, p)
		if err != nil {
			v.found = "read"
			v.failed++
			continue
		}
		if d := diff("event", got, want); d != "" {
			v.answers, v.why = max(v.answers, answersWrong), fmt.Sprintf("project %d: %s", p, d)
			if len(got) < len(want) && slices.Equal(got, want[:len(got)]) {
				v.answers = answersShort
			}
		}
		if v.answers == answersWrong {
			return
		}
	}
	records, err := e.Records("project")
	if err != nil {
		v.found = "read"
		return
	}
	for _, got := range records {
		same := func(r engine.Record) bool { return r.ID == got.ID && bytes.Equal(r.Value, got.Value) }
		if !slices.ContainsFunc(k.records, same) {
			v.answers, v.why = answersWrong, fmt.Sprintf("record %s", got.ID)
		}
	}
	if len(records) < len(k.records) && v.answers == answersSame {
		v.answers, v.why = answersShort, "records are missing"
	}
}

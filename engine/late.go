package engine

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// openLedger opens the ledger of the store, which lies beside Pebble's files.
func (e *Engine) openLedger() (err error) {
	secret := [32]byte{}
	if !e.ciphers.inClear {
		k, err := e.ciphers.find(recordsID)
		if err != nil {
			return err
		}
		secret = k.key
	}
	e.ledger, err = LedgerIn(e.fs, e.dir, secret)
	return err
}

// errOldLedger is no damage of one project: whoever was erased last would come back, in any of them.
var errOldLedger = fmt.Errorf("%w: the file %q is older than the store or missing; put back its newest copy", event.ErrDenied, ledger.FileName)

// LedgerIn opens the ledger of a store that nobody has open. The secret is the cipher key of project 0 and
// BucketRecords.
func LedgerIn(fs vfs.FS, dir string, secret [32]byte) (*ledger.Ledger, error) {
	derived, err := hkdf.Expand(sha256.New, secret[:], "millimetric erasure ledger 1", len(secret))
	if err != nil {
		return nil, fmt.Errorf("derive the secret of the erasure ledger: %w", err)
	}
	return ledger.Open(fs, dir, [32]byte(derived))
}

// ledgerKey returns the key under which a project's erased ids are hashed.
func (e *Engine) ledgerKey(number event.Project) (ledger.Key, error) {
	if known, ok := e.ledgerKeys.Load(number); ok {
		return known.(ledger.Key), nil
	}
	secret, err := e.ciphers.secret(number, "erased ids 1")
	if err != nil {
		return ledger.Key{}, err
	}
	key, err := ledger.ProjectKey(secret)
	if err == nil {
		e.ledgerKeys.Store(number, key)
	}
	return key, err
}

// isErased reports whether an event isn't kept because somebody was erased: it is of theirs, and dated
// before. Few events are dated before the last erasure of their project, so few ids are hashed.
func (e *Engine) isErased(p *project, ev *event.Event) bool {
	if ev.Time >= p.erasedBefore {
		return false
	}
	key, err := e.ledgerKey(p.number)
	if err != nil {
		panic(fmt.Sprintf("engine: an erasure without having prepared: %v", err))
	}
	erased := func(kind ledger.Kind, id string) bool {
		return ev.Time < e.ledger.Erased(p.number, kind, key.Hash(kind, id))
	}
	if ev.UserID != "" {
		return erased(ledger.KindUser, ev.UserID) || erased(ledger.KindVisitor, ev.AnonymousID)
	}
	return erased(ledger.KindVisitor, ev.AnonymousID) || erased(ledger.KindDevice, ev.AnonymousID)
}

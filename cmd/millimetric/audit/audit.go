// Package audit keeps a log of what administrators did, and of who tried to: entries that each hold
// the hash of the one before, so that none can be changed, removed or moved without a trace.
//
// It knows no HTTP and decides nothing. It starts no goroutines: Upkeep is called from outside. What
// reaches the disk, through the store that it is given, which encrypts it: entries, and a head that
// says which is the last one, signed under a key that is derived from the keyring. An entry never holds
// the text of a key, an address, or the name of a person.
//
// What the chain shows, and what it can't:
//
//  1. An entry's hash covers its text and the hash before it. To change, remove or move one, all later
//     hashes must be made anew, and the head's with them.
//  2. The head is signed, so that takes the keyring's secret as well as the store.
//  3. Whoever has both, and whoever puts back an older copy of the whole store, is found only with a
//     head from before, kept elsewhere: Verify takes one.
package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"millimetric/index/event"
)

// KeepDays is how long entries are kept: a year, and time to look at it.
const KeepDays = 400

// Record is a small named value, as the store keeps it; a nil Value deletes it.
type Record struct {
	Kind, ID string
	Value    []byte
}

// Store keeps records. A write is atomic and on disk when PutRecords returns.
type Store interface {
	Records(kind string) ([]Record, error)
	PutRecords(ctx context.Context, records ...Record) error
}

// Entry is one thing that was done, or that was refused.
type Entry struct {
	N       uint64          `json:"n"` // begins at 1, without gaps
	At      time.Time       `json:"at"`
	Action  string          `json:"action"`            // the name of the route or command
	Actor   string          `json:"actor"`             // prefix of the key; "" where none was shown, "offline" on the machine itself
	Kind    string          `json:"kind,omitempty"`    // of that key
	Account string          `json:"account,omitempty"` // whose it concerns
	Project string          `json:"project,omitempty"`
	Target  string          `json:"target,omitempty"` // such as the prefix of the key that was revoked
	Detail  json.RawMessage `json:"detail,omitempty"` // what was changed
	Result  string          `json:"result"`           // "ok", or the code of the error
	Times   int             `json:"times,omitempty"`  // for how many of its like it stands; see Refused
}

// ResultOK is the result of what succeeded.
const ResultOK = "ok"

// ActorOffline stands for someone who works on the data folder itself, without a key.
const ActorOffline = "offline"

// Hash chains entries.
type Hash [sha256.Size]byte

// MarshalText spells a hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads one.
func (h *Hash) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(h) {
		return errors.New("a hash has 64 hex digits")
	}
	*h = Hash(raw)
	return nil
}

// Head says where the chain ends, and where it begins since older entries were dropped.
type Head struct {
	N         uint64    `json:"n"` // of the last entry; 0 where there is none
	Hash      Hash      `json:"hash"`
	At        time.Time `json:"at"`
	First     uint64    `json:"first"`    // the entry that was kept longest
	Before    Hash      `json:"before"`   // the hash before it
	FirstDay  int64     `json:"firstDay"` // the UTC days, since 1970, under which entries are kept
	LastDay   int64     `json:"lastDay"`
	Signature []byte    `json:"signature"` // of all above
}

// signed gives the bytes that are signed.
func (h *Head) signed() []byte {
	b := []byte("millimetric audit head 1\n")
	b = binary.BigEndian.AppendUint64(b, h.N)
	b = append(b, h.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.At.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, h.First)
	b = append(b, h.Before[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.FirstDay))
	return binary.BigEndian.AppendUint64(b, uint64(h.LastDay))
}

// The kinds of record. Entries of each day are of a kind of their own, so that a day is read, and
// dropped, by itself.
const (
	kindHead = "audit"
	idHead   = "head"
)

func kindOf(day int64) string { return fmt.Sprintf("audit-%d", day) }

// Options are what a log takes from outside.
type Options struct {
	Store Store
	Seed  [32]byte // of the key that signs heads
	Now   func() time.Time
}

// Log is the open log. It is safe for concurrent use.
type Log struct {
	store Store
	key   ed25519.PrivateKey
	now   func() time.Time

	mu      sync.Mutex // guards what follows; held while records are written, as each needs the hash before it
	head    Head
	refused refusals

	broken error // why the head can't be read; it doesn't change
}

// Open reads the head. It doesn't verify the chain: that is Verify's. Where the head can't be read, nobody can say
// where the chain ends. Then the log is open, but refuses entries, and with them all that must be noted: a chain that
// began anew would hide that there was another.
func Open(opt Options) (*Log, error) {
	l := &Log{store: opt.Store, key: ed25519.NewKeyFromSeed(opt.Seed[:]), now: opt.Now, refused: refusals{}}
	l.head.First = 1
	head, err := l.storedHead()
	switch {
	case errors.Is(err, event.ErrDamaged):
		l.broken = &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: err,
			Notes: []string{"The head of the audit log can't be read; put it back from a backup"}}
	case err != nil:
		return nil, fmt.Errorf("open audit log: %w", err)
	default:
		l.head = head
	}
	return l, nil
}

// Broken says why entries are refused, nil where they are taken.
func (l *Log) Broken() error { return l.broken }

// Append adds an entry, of which N and At are set here. It is on disk when this returns.
func (l *Log) Append(ctx context.Context, e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(ctx, e)
}

// append is Append under the lock.
func (l *Log) append(ctx context.Context, e Entry) error {
	if l.broken != nil {
		return l.broken
	}
	next := l.head
	next.At = l.now().UTC().Truncate(time.Millisecond)
	e.N, e.At = next.N+1, next.At
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	next.N, next.Hash = e.N, chain(next.Hash, text)
	// A clock that goes back must not put an entry before those that are there.
	next.LastDay = max(next.LastDay, dayOf(next.At))
	if next.N == next.First {
		next.FirstDay = next.LastDay
	}
	if err := l.put(ctx, next, Record{kindOf(next.LastDay), idOf(e.N), append(next.Hash[:len(next.Hash):len(next.Hash)], text...)}); err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	return nil
}

// put writes records together with the head that goes with them.
func (l *Log) put(ctx context.Context, next Head, records ...Record) error {
	next.Signature = ed25519.Sign(l.key, next.signed())
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := l.store.PutRecords(ctx, append(records, Record{kindHead, idHead, text})...); err != nil {
		return err
	}
	l.head = next
	return nil
}

// Head returns the head as it is now.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// PublicKey verifies the signatures of heads.
func (l *Log) PublicKey() ed25519.PublicKey { return l.key.Public().(ed25519.PublicKey) }

func chain(before Hash, text []byte) Hash {
	return sha256.Sum256(append(before[:len(before):len(before)], text...))
}

func idOf(n uint64) string { return fmt.Sprintf("%016x", n) }

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

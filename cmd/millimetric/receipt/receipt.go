// Package receipt makes and verifies what shows that somebody was erased: a JSON document under a signature
// (Ed25519), which anyone can hold against the server's public key without asking the server.
//
// A receipt names nobody: its subject is a keyed hash. It says what the server did and when; that a server
// says the truth no signature shows. The package knows no store, starts no goroutines and writes nothing
// to disk.
package receipt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// Status says how far an erasure has come.
type Status string

// The statuses.
const (
	StatusQueued Status = "queued" // it will be done before the server answers anything after a start
	StatusHidden Status = "hidden" // in no answer any more; bytes of it may lie in the store yet
	StatusErased Status = "erased" // nowhere in the store
)

// Receipt is a receipt. The order of its fields is that of the document, which is signed as it is.
type Receipt struct {
	Receipt string  `json:"receipt"`
	Project string  `json:"project_id"`
	Subject Subject `json:"subject"`
	Status  Status  `json:"status"`

	RequestedAt time.Time  `json:"requested_at"`
	Before      time.Time  `json:"before"` // what is dated before it and comes later is not kept
	HiddenAt    *time.Time `json:"hidden_at"`
	ErasedAt    *time.Time `json:"erased_at"`

	Events            int    `json:"events"`
	SegmentsRewritten int    `json:"segments_rewritten"`
	FilesRetired      int    `json:"files_retired"`
	BytesScanned      uint64 `json:"bytes_scanned"`
	Residue           int    `json:"residue"`

	Ledger Ledger `json:"ledger"`
	// OldestBackup is when the oldest backup was made that may hold the subject yet; nil where the server
	// knows of none.
	OldestBackup *time.Time `json:"oldest_backup"`

	Key       string `json:"key"`       // public, hex
	Signature string `json:"signature"` // of the document with an empty signature, base64
}

// Subject says who was erased.
type Subject struct {
	Kind string `json:"kind"` // user, visitor or project
	Hash string `json:"hash"` // keyed hash of the id; empty for a project
}

// Ledger is the entry of the erasure ledger, and the head of its chain there.
type Ledger struct {
	Entry int    `json:"entry"`
	Head  string `json:"head"`
}

// Of returns the receipt of an erasure, unsigned.
func Of(x engine.Erasure, project string) Receipt {
	r := Receipt{
		Receipt: x.Receipt, Project: project, Subject: Subject{x.Kind, x.Subject}, Status: StatusQueued,
		RequestedAt: x.Requested.Std(), Before: x.Before.Std(), HiddenAt: moment(x.Hidden), ErasedAt: moment(x.Gone),
		Events: x.Events, SegmentsRewritten: x.Segments, FilesRetired: x.FilesRetired, BytesScanned: x.BytesScanned, Residue: x.Residue,
		Ledger: Ledger{x.Entry, x.Head},
	}
	switch {
	case x.Gone > 0:
		r.Status = StatusErased
	case x.Hidden > 0:
		r.Status = StatusHidden
	}
	return r
}

// OfProject returns the receipt of a project that was destroyed with so many events, unsigned.
func OfProject(project string, events int, requested, gone time.Time) Receipt {
	var number [16]byte
	_, _ = rand.Read(number[:]) // never fails: it ends the program instead
	requested, gone = requested.UTC(), gone.UTC()
	return Receipt{
		Receipt: hex.EncodeToString(number[:]), Project: project, Subject: Subject{Kind: "project"}, Status: StatusErased,
		RequestedAt: requested, Before: gone, HiddenAt: &requested, ErasedAt: &gone, Events: events,
	}
}

func moment(at event.Time) *time.Time {
	if at == 0 {
		return nil
	}
	t := at.Std()
	return &t
}

// Signer signs receipts.
type Signer struct{ key ed25519.PrivateKey }

// NewSigner derives a signer from a secret of the keyring: the same one at each start.
func NewSigner(secret [32]byte) (Signer, error) {
	seed, err := hkdf.Key(sha256.New, secret[:], nil, "millimetric receipts 1", ed25519.SeedSize)
	if err != nil {
		return Signer{}, fmt.Errorf("derive the key of receipts: %w", err)
	}
	return Signer{ed25519.NewKeyFromSeed(seed)}, nil
}

// Public returns the public key, hex.
func (s Signer) Public() string {
	return hex.EncodeToString(s.key.Public().(ed25519.PublicKey))
}

// Sign returns the document of a receipt.
func (s Signer) Sign(r Receipt) ([]byte, error) {
	r.Key, r.Signature = s.Public(), ""
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	r.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, signed(text)))
	return json.Marshal(r)
}

// signed is what a signature is about: nothing else that the key signs begins so.
func signed(text []byte) []byte { return append([]byte("millimetric receipt 1\n"), text...) }

// ErrForged says that a document isn't what the holder of the key has signed.
var ErrForged = errors.New("the receipt was changed, or signed by somebody else")

// documentBytesMax bounds a document: one has about a thousand bytes.
const documentBytesMax = 64 << 10

// Verify reads a document, and holds it against a public key (hex). The document must be as it was
// given, to the byte, but for white space at its end.
func Verify(text []byte, public string) (Receipt, error) {
	key, err := hex.DecodeString(public)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return Receipt{}, fmt.Errorf("the public key must be %d hex digits", 2*ed25519.PublicKeySize)
	}
	text = bytes.TrimRight(text, " \t\r\n")
	if len(text) > documentBytesMax {
		return Receipt{}, errors.New("this is no receipt: it is too long")
	}
	var r Receipt
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Receipt{}, fmt.Errorf("this is no receipt: %w", err)
	}
	again, err := json.Marshal(r)
	if err != nil || !bytes.Equal(again, text) {
		return Receipt{}, ErrForged
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(r.Signature)
	if err != nil || r.Key != hex.EncodeToString(key) {
		return Receipt{}, ErrForged
	}
	bare := r
	bare.Signature = ""
	unsigned, err := json.Marshal(bare)
	if err != nil || !ed25519.Verify(key, signed(unsigned), signature) {
		return Receipt{}, ErrForged
	}
	return r, nil
}

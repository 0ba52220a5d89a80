package ledger

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"millimetric/engine/durable"
	"millimetric/index/event"
)

// The file, in order; integers are big-endian:
//
//	magic      4  "MMEL"
//	version    1  1
//	encrypted  n  nonce (12), AES-256-GCM, tag (16); magic and version are bound in
//
// Within:
//
//	entry …    61  project (4), kind (1), hash of the id (32), time (8), receipt (16)
//	head       32  see chain
const (
	// FileName is the name of the file in the data folder.
	FileName = "erasures"

	magic      = "MMEL"
	version    = 1
	headerLen  = len(magic) + 1
	entryBytes = 4 + 1 + sha256.Size + 8 + len(Receipt{})
	// fileBytesMax bounds what a file in the ledger's place can make its reader allocate.
	fileBytesMax = EntriesMax*entryBytes + 1<<10
)

// ErrDamaged says that the file's bytes aren't what was written, or were written for another store.
var ErrDamaged = fmt.Errorf("%w: the erasure ledger; put back its newest copy", event.ErrDamaged)

// fileCipher encrypts the file.
type fileCipher struct{ aead cipher.AEAD }

func newFileCipher(secret [32]byte) (fileCipher, error) {
	key, err := hkdf.Expand(sha256.New, secret[:], "millimetric erasure ledger file 1", 32)
	if err != nil {
		return fileCipher{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fileCipher{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return fileCipher{aead}, err
}

// chain returns the last link over entries: each is a hash of the one before and an entry.
func chain(entries []Entry) (link Hash) {
	var text [sha256.Size + entryBytes]byte
	for i := range entries {
		copy(text[:], link[:])
		appendEntry(text[:sha256.Size], &entries[i])
		link = sha256.Sum256(text[:])
	}
	return link
}

func appendEntry(dst []byte, e *Entry) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Project))
	dst = append(append(dst, byte(e.Kind)), e.Who[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.At))
	return append(dst, e.Receipt[:]...)
}

func readEntry(src []byte) Entry {
	return Entry{
		Project: event.Project(binary.BigEndian.Uint32(src)),
		Kind:    Kind(src[4]),
		Who:     Hash(src[5:]),
		At:      event.Time(binary.BigEndian.Uint64(src[5+sha256.Size:])),
		Receipt: Receipt(src[13+sha256.Size:]),
	}
}

// encode gives the file's bytes.
func (c fileCipher) encode(entries []Entry) []byte {
	plain := make([]byte, 0, len(entries)*entryBytes+sha256.Size)
	for i := range entries {
		plain = appendEntry(plain, &entries[i])
	}
	head := chain(entries)
	plain = append(plain, head[:]...)
	file := append([]byte(magic), version)
	return c.aead.Seal(file, nil, plain, file[:headerLen:headerLen])
}

// decode reads what encode gave. It never panics, whatever the bytes are.
func (c fileCipher) decode(file []byte) ([]Entry, error) {
	if len(file) < headerLen || string(file[:len(magic)]) != magic {
		return nil, ErrDamaged
	}
	if file[len(magic)] != version {
		return nil, fmt.Errorf("%w: the erasure ledger was written by a newer version of this program", event.ErrInput)
	}
	plain, err := c.aead.Open(nil, nil, file[headerLen:], file[:headerLen])
	if err != nil {
		return nil, ErrDamaged
	}
	return readPlain(plain)
}

func readPlain(plain []byte) ([]Entry, error) {
	n := len(plain) - sha256.Size
	if n < 0 || n%entryBytes != 0 || n/entryBytes > EntriesMax {
		return nil, ErrDamaged
	}
	entries := make([]Entry, 0, n/entryBytes)
	for at := 0; at < n; at += entryBytes {
		e := readEntry(plain[at:])
		if e.Kind == 0 || e.Kind >= kinds {
			return nil, ErrDamaged
		}
		entries = append(entries, e)
	}
	if head := chain(entries); !bytes.Equal(head[:], plain[n:]) {
		return nil, ErrDamaged
	}
	return entries, nil
}

func (l *Ledger) read() (entries []Entry, err error) {
	file, err := l.fs.Open(l.fs.PathJoin(l.dir, FileName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := io.ReadAll(io.LimitReader(file, int64(fileBytesMax)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > fileBytesMax {
		return nil, ErrDamaged
	}
	return l.cipher.decode(text)
}

func (l *Ledger) write(entries []Entry) error {
	return durable.Replace(l.fs, l.dir, FileName, l.cipher.encode(entries))
}

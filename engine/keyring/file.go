package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/durable"
	"millimetric/index/event"
)

// The file, in order:
//
//	magic     4  "MMKR"
//	version   1  1, or 2 where there are cipher keys: programs that don't know them must not drop them
//	root      8  tells which root key it was written under, without helping to guess that key
//	encrypted n  nonce (12), AES-256-GCM of the contents as JSON, tag (16); magic to root are bound in
//	checksum  4  CRC-32C of all before, big-endian
//
// The checksum tells a damaged file from a wrong root key, which call for different cures.
const (
	fileName     = "keyring"
	fileMagic    = "MMKR"
	versionFirst = 1
	versionKeys  = 2
	rootMarkLen  = 8
	headerLen    = len(fileMagic) + 1 + rootMarkLen
	checksumLen  = 4
	fileBytesMax = 32 << 20
)

// The reasons why a keyring can't be opened.
var (
	// ErrRootKey says that the keyring was written under another root key.
	ErrRootKey = fmt.Errorf("%w: the root key is not the one under which this keyring was written", event.ErrDenied)
	// ErrVersion says that a newer program wrote the keyring.
	ErrVersion = fmt.Errorf("%w: the keyring was written by a newer version of this program", event.ErrInput)
	// ErrDamaged says that the file's bytes aren't what was written.
	ErrDamaged = fmt.Errorf("%w: the keyring file; put back its newest copy", event.ErrDamaged)

	errNoFile = errors.New("no keyring file")
)

// secret is 32 random bytes, spelled as hex in the file.
type secret [32]byte

// MarshalText spells s as hex.
func (s secret) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads hex.
func (s *secret) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return errors.New("a secret has 64 hex digits")
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// String keeps secrets out of logs.
func (s secret) String() string { return "secret" }

// rootCipher is what the root key is turned into; the root key itself encrypts nothing.
type rootCipher struct {
	aead cipher.AEAD
	mark [rootMarkLen]byte
}

func deriveRootCipher(root [32]byte) (rootCipher, error) {
	key, err := hkdf.Key(sha256.New, root[:], nil, "millimetric keyring encryption 1", 32)
	if err != nil {
		return rootCipher{}, err
	}
	mark, err := hkdf.Key(sha256.New, root[:], nil, "millimetric keyring mark 1", rootMarkLen)
	if err != nil {
		return rootCipher{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return rootCipher{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return rootCipher{}, err
	}
	return rootCipher{aead: aead, mark: [rootMarkLen]byte(mark)}, nil
}

// encode gives the file's bytes.
func (c rootCipher) encode(held contents) ([]byte, error) {
	plain, err := json.Marshal(held)
	if err != nil {
		return nil, err
	}
	version := byte(versionFirst)
	if len(held.Ciphers) > 0 {
		version = versionKeys
	}
	file := append([]byte(fileMagic), version)
	file = append(file, c.mark[:]...)
	file = c.aead.Seal(file, nil, plain, file[:headerLen:headerLen])
	return binary.BigEndian.AppendUint32(file, crc32.Checksum(file, castagnoli())), nil
}

// decode reads what encode gave. It never panics, whatever the bytes are.
func (c rootCipher) decode(file []byte) (contents, error) {
	if len(file) < headerLen+c.aead.Overhead()+checksumLen {
		return contents{}, ErrDamaged
	}
	body, checksum := file[:len(file)-checksumLen], file[len(file)-checksumLen:]
	if crc32.Checksum(body, castagnoli()) != binary.BigEndian.Uint32(checksum) || string(body[:len(fileMagic)]) != fileMagic {
		return contents{}, ErrDamaged
	}
	if version := body[len(fileMagic)]; version != versionFirst && version != versionKeys {
		return contents{}, fmt.Errorf("%w (version %d)", ErrVersion, version)
	}
	header := body[:headerLen]
	if !bytes.Equal(header[headerLen-rootMarkLen:], c.mark[:]) {
		return contents{}, ErrRootKey
	}
	plain, err := c.aead.Open(nil, nil, body[headerLen:], header)
	if err != nil {
		return contents{}, ErrDamaged
	}
	var held contents
	if err := json.Unmarshal(plain, &held); err != nil {
		return contents{}, ErrDamaged
	}
	return held.clone(), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (k *Keyring) read() (held contents, err error) {
	file, err := k.fs.Open(k.fs.PathJoin(k.dir, fileName))
	if errors.Is(err, os.ErrNotExist) {
		return contents{}, errNoFile
	}
	if err != nil {
		return contents{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := io.ReadAll(io.LimitReader(file, fileBytesMax+1))
	if err != nil {
		return contents{}, err
	}
	if len(text) > fileBytesMax {
		return contents{}, ErrDamaged
	}
	return k.cipher.decode(text)
}

// write replaces the file. destroy is the same where the old file holds what nobody may have any more.
func (k *Keyring) write(held contents) error {
	text, err := k.cipher.encode(held)
	if err != nil {
		return err
	}
	return durable.Replace(k.fs, k.dir, fileName, text)
}

// destroy is write, and then overwrites the bytes of the file that was replaced: without a name, they
// would lie on the disk until something else needs their place. It comes last: until the
// new file is durable, a cut of the power could bring back the old one. A file system that never writes in place keeps
// them all the same; see the package comment.
func (k *Keyring) destroy(held contents) (err error) {
	old, err := k.fs.OpenReadWrite(k.fs.PathJoin(k.dir, fileName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	was, err := old.Stat()
	if err != nil {
		return err
	}
	if err := k.write(held); err != nil {
		return err
	}
	if _, err := old.WriteAt(make([]byte, was.Size()), 0); err != nil {
		return fmt.Errorf("overwrite the replaced keyring: %w", err)
	}
	return old.Sync()
}

// makeFolder makes the data folder last: without the sync of its parent, a cut of the power could
// take the folder away together with the keyring in it.
func (k *Keyring) makeFolder() error {
	if err := k.fs.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	return durable.SyncFolder(k.fs, k.fs.PathDir(k.dir))
}

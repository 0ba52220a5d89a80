package backup

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"millimetric/index/event"
)

// Key is the backup's own: it opens no keyring, and the root key isn't needed to check or to copy a backup.
type Key [32]byte

// String keeps keys out of logs.
func (k Key) String() string { return "backup key" }

// NewKey makes one.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // it never fails
	return k
}

// A wrapped key, in order:
//
//	magic    4  "MMBK"
//	version  1  1
//	key         nonce (12), AES-256-GCM of the key under what follows from the root key, tag (16)
const wrapMagic = "MMBK\x01"

// ErrRootKey says that a backup key was wrapped under another root key.
var ErrRootKey = fmt.Errorf("%w: the root key is not the one of this backup", event.ErrDenied)

// Wrap encrypts a key under the root key.
func Wrap(root [32]byte, key Key) ([]byte, error) {
	aead, err := wrapper(root)
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte(wrapMagic), nil, key[:], []byte(wrapMagic)), nil
}

// Unwrap undoes Wrap.
func Unwrap(root [32]byte, wrapped []byte) (key Key, err error) {
	aead, err := wrapper(root)
	if err != nil {
		return key, err
	}
	rest, ok := bytes.CutPrefix(wrapped, []byte(wrapMagic))
	if !ok {
		return key, damaged("the wrapped key is none")
	}
	plain, err := aead.Open(nil, nil, rest, []byte(wrapMagic))
	if err != nil || len(plain) != len(key) {
		return key, ErrRootKey
	}
	return Key(plain), nil
}

func wrapper(root [32]byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, root[:], nil, "millimetric backup key 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// chunkBytes is what is encrypted with one tag. Each stream needs this much of memory, and what is read is
// handed on only once a chunk's tag was found good.
const chunkBytes = 256 << 10

// crypt encrypts objects: AES-256-GCM in chunks, under a key that is derived anew for each object. The chunks are
// numbered and the last is marked, and the object's name is bound in, so that none can be cut, lengthened, put
// together from others, or put in another's place.
type crypt struct{ streams *subtle.AESGCMHKDF }

func newCrypt(key Key) (crypt, error) {
	main, err := hkdf.Key(sha256.New, key[:], nil, "millimetric backup objects 1", 32)
	if err != nil {
		return crypt{}, fmt.Errorf("derive the key of a backup's objects: %w", err)
	}
	streams, err := subtle.NewAESGCMHKDF(main, "SHA256", 32, chunkBytes, 0)
	if err != nil {
		return crypt{}, fmt.Errorf("encrypt backups: %w", err)
	}
	return crypt{streams}, nil
}

// writer encrypts what is written to it; the object is whole once it is closed.
func (c crypt) writer(to io.Writer, name string) (io.WriteCloser, error) {
	return c.streams.NewEncryptingWriter(to, []byte(name))
}

// reader decrypts. An object that was changed is an error of kind event.ErrDamaged.
func (c crypt) reader(from io.Reader, name string) (io.Reader, error) {
	noted := &noting{r: from}
	r, err := c.streams.NewDecryptingReader(noted, []byte(name))
	if err != nil {
		return nil, noted.blame(name, err)
	}
	return &verdicts{r, noted, name}, nil
}

// noting remembers why the target could not be read: that is no damage.
type noting struct {
	r   io.Reader
	err error
}

// Read is part of io.Reader.
func (n *noting) Read(p []byte) (int, error) {
	read, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return read, err
}

func (n *noting) blame(name string, err error) error {
	if n.err != nil {
		return &targetError{fmt.Errorf("read %s: %w", name, n.err)}
	}
	return damaged("object %s doesn't decrypt: %w", name, err)
}

type verdicts struct {
	r     io.Reader
	noted *noting
	name  string
}

// Read is part of io.Reader.
func (v *verdicts) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = v.noted.blame(v.name, err)
	}
	return n, err
}

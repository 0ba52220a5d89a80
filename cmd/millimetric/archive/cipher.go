// Package archive is the form in which a project is given back to its controller: one encrypted file with
// parts, and with the hash of each part.
//
// The file begins with two lines in clear: the name of the form, and a JSON object that says how the key is
// made. What follows is AES-256-GCM in segments of a mebibyte, to which the two lines belong: whoever
// changes, moves or cuts off anything is found out by the key alone. Inside is a tar whose last entry,
// SHA256SUMS, lists all others, in the form that sha256sum reads.
//
// It is written and read from front to back, in the memory of a segment. The package starts no goroutines; to
// disk goes only what an archive is unpacked to.
package archive

import (
	"bufio"
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

const (
	magic     = "MILLIMETRIC ARCHIVE 1\n"
	algorithm = "AES-256-GCM-HKDF-SHA256"
	derived   = "PBKDF2-HMAC-SHA256"

	keyBytes     = 32
	saltBytes    = 16
	segmentBytes = 1 << 20
	// iterations make a guess at a passphrase cost a tenth of a second and more. More than the greatest
	// number is no archive of ours, but somebody who wants us to be busy.
	iterations    = 600_000
	iterationsMax = 10_000_000
	headerMax     = 1 << 10

	// PassphraseMin is how many bytes a passphrase has at least. Length is all that can be asked for here.
	PassphraseMin = 12
)

// Secret is what an archive is encrypted under: a passphrase, or a key of 32 bytes.
type Secret struct {
	Passphrase string
	Key        []byte
}

// ParseKey reads a key that is written as base64.
func ParseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("expected %d bytes as base64", keyBytes)
	}
	return key, nil
}

// Check says what is wrong with a secret; nil where nothing is.
func (s Secret) Check() error {
	switch {
	case (s.Passphrase == "") == (s.Key == nil):
		return errors.New("expected a passphrase or a key")
	case s.Key != nil && len(s.Key) != keyBytes:
		return fmt.Errorf("a key has %d bytes", keyBytes)
	case s.Key == nil && len(s.Passphrase) < PassphraseMin:
		return fmt.Errorf("a passphrase has at least %d bytes", PassphraseMin)
	}
	return nil
}

// header is the second line.
type header struct {
	Cipher     string `json:"cipher"`
	Segment    int    `json:"segment_bytes"`
	KDF        string `json:"kdf,omitempty"` // missing where a key was given
	Salt       []byte `json:"salt,omitempty"`
	Iterations int    `json:"iterations,omitempty"`
}

// key makes the key of an archive.
func (s Secret) key(h header) ([]byte, error) {
	if h.KDF == "" {
		if s.Key == nil {
			return nil, errors.New("the archive was encrypted under a key, not under a passphrase")
		}
		return s.Key, nil
	}
	if s.Passphrase == "" {
		return nil, errors.New("the archive was encrypted under a passphrase, not under a key")
	}
	return pbkdf2.Key(sha256.New, s.Passphrase, h.Salt, h.Iterations, keyBytes)
}

// encrypt returns a writer into an archive. Without its Close, the archive lacks its end.
func encrypt(w io.Writer, secret Secret) (io.WriteCloser, error) {
	if err := secret.Check(); err != nil {
		return nil, err
	}
	h := header{Cipher: algorithm, Segment: segmentBytes}
	if secret.Key == nil {
		h.KDF, h.Iterations, h.Salt = derived, iterations, make([]byte, saltBytes)
		if _, err := rand.Read(h.Salt); err != nil {
			return nil, err
		}
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	clear := append(append([]byte(magic), line...), '\n')
	stream, err := streamOf(secret, h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(clear); err != nil {
		return nil, err
	}
	return stream.NewEncryptingWriter(w, clear)
}

func streamOf(secret Secret, h header) (*subtle.AESGCMHKDF, error) {
	key, err := secret.key(h)
	if err != nil {
		return nil, err
	}
	return subtle.NewAESGCMHKDF(key, "SHA256", keyBytes, segmentBytes, 0)
}

var errNoArchive = errors.New("that is no archive of a project")

// decrypt returns what an archive holds. Reading fails where anything isn't as it was written.
func decrypt(r io.Reader, secret Secret) (io.Reader, error) {
	in := bufio.NewReaderSize(r, max(headerMax, 64<<10))
	begin, err := in.Peek(len(magic))
	if err != nil || string(begin) != magic {
		return nil, errNoArchive
	}
	if _, err := in.Discard(len(magic)); err != nil {
		return nil, err
	}
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) > headerMax {
		return nil, errNoArchive
	}
	clear := append([]byte(magic), line...)
	var h header
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil || h.Cipher != algorithm || h.Segment != segmentBytes {
		return nil, errNoArchive
	}
	if h.KDF != "" && (h.KDF != derived || h.Iterations < 1 || h.Iterations > iterationsMax || len(h.Salt) != saltBytes) {
		return nil, errNoArchive
	}
	stream, err := streamOf(secret, h)
	if err != nil {
		return nil, err
	}
	return stream.NewDecryptingReader(in, clear)
}

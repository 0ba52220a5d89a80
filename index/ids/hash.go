// Package ids keeps exact sets of event ids, so that a repeat is recognised.
//
// An id is represented by a keyed hash. Hashes that arrived lately are in a Recent, a table in
// memory; the others are in runs: immutable, sorted, and made of small checksummed pieces, which
// whoever uses the package stores. A Set asks several runs at once. Nearly all ids are new, so a run
// answers "no" from a filter of about 9.5 bits per id; the filter is a part of the hashes themselves,
// and what it holds isn't stored twice.
//
// What a run is made of but for its head, a Body, can keep a number with each hash, and a Table
// anything: package visitors maps visitors to their ordinals with them.
//
// The package opens no files, starts no goroutines and knows no clock: bytes in, bytes out; nothing
// reaches disk. Pieces that come back are not trusted: damage is an error of kind event.ErrDamaged,
// never an answer. Layout: FORMAT.md.
package ids

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// How much of a hash counts: of visitors', and of event ids', of which there are many more.
const (
	HashBits = 120
	IDBits   = 96
)

// Hash stands for an id. Its lowest 8 bits are zero, or the lowest 32 where it has IDBits. Hashes must be
// spread evenly, as a Hasher makes them: the sizes of pieces rest on that.
type Hash struct{ Hi, Lo uint64 }

// Compare orders hashes as numbers.
func (h Hash) Compare(other Hash) int {
	if c := cmp.Compare(h.Hi, other.Hi); c != 0 {
		return c
	}
	return cmp.Compare(h.Lo, other.Lo)
}

func (h Hash) less(other Hash) bool {
	return h.Hi < other.Hi || h.Hi == other.Hi && h.Lo < other.Lo
}

// A Hasher turns ids into hashes: AES-256 in CBC-MAC over the id's length (uv), the id, and zeros up
// to a whole block; the first 120 bits of it, or the first 96. It is not safe for concurrent use.
//
//  1. Different ids have different messages, and no message is the beginning of another: where two
//     have the same length in front, they have as many blocks. On such messages CBC-MAC under a
//     secret key can't be told from a random function but with a chance of 12 l q² / 2^128 (q ids of
//     l blocks at most; Bellare, Pietrzak, Rogaway 2005), as long as AES can't from a permutation.
//  2. So whoever hasn't the key can do no better than send ids and wait: the chance that any two of
//     q ids share a hash is q² / 2^97, for visitors q² / 2^121. For 10^9 event ids under one key that is
//     6 in 10^12, for 10^9 visitors 4 in 10^19, and point 1 adds 3 in 10^19 (ids of 9 blocks). An event
//     that shares another's hash would be taken for its repeat. Nothing else can tell: an id is known for
//     longer than its event is kept where the window is short, so there is no stored id to ask. That two
//     of 2^32 values are encrypted under one nonce is twenty times as likely, which is held to be never.
//  3. Whoever has the hashes but not the key learns nothing about the ids.
type Hasher struct {
	counts uint64 // the bits of Hash.Lo that do
	chain  cipher.BlockMode
	last   [aes.BlockSize]byte // the block that chain put out last, which it adds to the next
	room   [hashRoom]byte
}

// hashRoom holds the message of an id of up to 128 bytes; longer ones take several turns.
const hashRoom = 9 * aes.BlockSize

// NewHasher returns a Hasher of HashBits or IDBits. Equal keys make equal hashes.
func NewHasher(key [32]byte, bits int) *Hasher {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("ids: AES refuses a key of 32 bytes: " + err.Error())
	}
	h := &Hasher{counts: ^uint64(0) << (128 - bits)}
	h.chain = cipher.NewCBCEncrypter(block, h.last[:])
	return h
}

// Hash returns the hash of an id.
func (h *Hasher) Hash(id string) Hash {
	n := binary.PutUvarint(h.room[:], uint64(len(id)))
	used := copy(h.room[n:], id)
	// Adding the last block once more takes it away: the message begins a chain of its own.
	used += n
	clear(h.room[used:max(used, aes.BlockSize)])
	subtle.XORBytes(h.room[:], h.room[:aes.BlockSize], h.last[:])
	h.advance(max(used, aes.BlockSize))
	for id = id[used-n:]; len(id) > 0; id = id[used:] {
		used = copy(h.room[:], id)
		h.advance(used)
	}
	return Hash{Hi: binary.BigEndian.Uint64(h.last[:]), Lo: binary.BigEndian.Uint64(h.last[8:]) & h.counts}
}

// advance fills the room's first bytes up to whole blocks with zeros and sends them through the chain.
func (h *Hasher) advance(bytes int) {
	end := (bytes + aes.BlockSize - 1) &^ (aes.BlockSize - 1)
	clear(h.room[bytes:end])
	h.chain.CryptBlocks(h.room[:end], h.room[:end])
	copy(h.last[:], h.room[end-aes.BlockSize:])
}

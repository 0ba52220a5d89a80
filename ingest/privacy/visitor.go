package privacy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

// The purposes that a secret is used for. Each begins its own message, so no two of them can ever
// give the same digest, even under one salt: an ip_hash must not be recomputable from a visitor id.
const (
	purposeAddress = "address\x00"
	purposeDay     = "visitor of the day\x00"
	purposeUser    = "visitor of the user\x00"
)

// The beginnings of the visitor ids that the server makes. They tell a reader of raw events how
// long such an id can be followed.
const (
	prefixDay    = "d_" // until the day's salt is destroyed
	prefixUser   = "u_" // as long as the project's key lives
	prefixRandom = "r_" // one event only
)

// digestBytes is what is kept of a digest: 128 bits, as many as a UUID's, and no table of all
// addresses helps without the salt anyway.
const digestBytes = 16

// IPHash returns the address as 32 hex digits that can't be turned back without the salt, "" for no
// address. A v4 address and its v6 form are the same address.
func IPHash(salt [32]byte, addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	var message [17]byte
	return digest(salt, purposeAddress, appendAddr(message[:0], addr))
}

// DayVisitor returns the visitor that address and agent stand for while the salt lives: one UTC day
// of one project.
func DayVisitor(salt [32]byte, addr netip.Addr, userAgent string) string {
	message := appendAddr(make([]byte, 0, 17+len(userAgent)), addr)
	return prefixDay + digest(salt, purposeDay, append(message, userAgent...))
}

// UserVisitor returns the visitor that stands for a user of whom no device is known.
func UserVisitor(projectKey [32]byte, userID string) string {
	return prefixUser + digest(projectKey, purposeUser, []byte(userID))
}

// RandomVisitor returns a visitor that nobody can be found by.
func RandomVisitor() string {
	var id [digestBytes]byte
	rand.Read(id[:])
	return prefixRandom + hex.EncodeToString(id[:])
}

// appendAddr writes the address behind its length, so that what follows can't be taken for a part
// of it. The zone of a link-local address names a network card of ours and says nothing.
func appendAddr(message []byte, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return append(message, 0)
	}
	bytes := addr.As16()
	return append(append(message, byte(len(bytes))), bytes[:]...)
}

// digest is HMAC-SHA-256, cut to digestBytes. It is spelt out because the library's allocates seven
// times, and costs three times as much, for messages as short as these.
func digest(secret [32]byte, purpose string, message []byte) string {
	const block = sha256.BlockSize
	var room [4 * block]byte // what fits stays off the heap
	copy(room[:], secret[:])
	inner := append(append(room[:block], purpose...), message...)
	var outer [block + sha256.Size]byte
	copy(outer[:], secret[:])
	for i := range block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	sum := sha256.Sum256(inner)
	copy(outer[block:], sum[:])
	sum = sha256.Sum256(outer[:])
	return hex.EncodeToString(sum[:digestBytes])
}

package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
	"unsafe"

	"millimetric/index/event"
)

// Kind is what a key is for. It stands at the front of the key, so that people and scanners can
// tell one from another.
type Kind string

// The kinds of key.
const (
	KindPublishable Kind = "pk" // stands in web pages: sends events from allowed origins
	KindSecret      Kind = "sk" // stays on servers: sends events for visitors
	KindRead        Kind = "rk" // asks questions about one project
	KindAccount     Kind = "ak" // asks about and administers all projects of an account
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindPublishable, KindSecret, KindRead, KindAccount}
}

func (k Kind) known() bool {
	return k == KindPublishable || k == KindSecret || k == KindRead || k == KindAccount
}

// A key is {kind}_{env}_{prefix}_{secret}. A secret that we minted is 43 random characters and 6 of
// their CRC-32, all base62: the checksum lets scanners tell a key from noise, and lets us drop
// guesses before any look-up. It covers the random characters alone, so that a key whose kind was
// changed by hand is still told what is wrong with it.
const (
	prefixLen   = 8
	randomLen   = 43
	checksumLen = 6
	secretMax   = 128

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// presented is a key as a client shows it, taken apart.
type presented struct {
	kind   Kind
	env    string
	prefix string
	secret string
}

// parseKey takes a key apart. ok is false where it doesn't have a key's shape.
func parseKey(text string) (p presented, ok bool) {
	kind, rest, _ := strings.Cut(text, "_")
	env, rest, _ := strings.Cut(rest, "_")
	prefix, secret, _ := strings.Cut(rest, "_")
	p = presented{kind: Kind(kind), env: env, prefix: prefix, secret: secret}
	ok = p.kind.known() && knownEnv(env) && isPrefix(prefix) && isSecret(secret)
	return p, ok
}

func isPrefix(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return len(s) == prefixLen
}

// isSecret is more lenient than what we mint, as clients may be tested with made-up keys: any
// characters that stand in a URL as they are.
func isSecret(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= secretMax
}

func knownEnv(env string) bool { return env == "live" || env == "test" }

// checksumHolds reports whether a secret ends in its own checksum, as all that we mint do.
func checksumHolds(secret string) bool {
	if len(secret) != randomLen+checksumLen {
		return false
	}
	return secret[randomLen:] == checksum(secret[:randomLen])
}

func checksum(random string) string {
	// In place: a copy would lie in the heap, where nobody clears it.
	n := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(random), len(random)))
	var out [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

// newSecret draws a secret of 43 base62 characters, 256 bits, and appends its checksum.
func newSecret() string {
	var out [randomLen]byte
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(62))
		if err != nil {
			panic("the system's source of randomness failed: " + err.Error())
		}
		out[i] = base62[n.Int64()]
	}
	return string(out[:]) + checksum(string(out[:]))
}

func newHex(bytes int) string {
	const digits = "0123456789abcdef"
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	out := make([]byte, 0, 2*bytes)
	for _, b := range raw {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

// hashSecret gives what is stored of a secret. A fast hash is right for 256 random bits; a slow one
// would only let strangers spend our time.
//
// It is HMAC-SHA-256, spelt out: every request pays for it, and the library's costs three times as
// much for a message as short as this.
func hashSecret(pepper [32]byte, secret string) [sha256.Size]byte {
	const block = sha256.BlockSize
	var room [block + secretMax]byte
	copy(room[:], pepper[:])
	inner := append(room[:block], secret...)
	var outer [block + sha256.Size]byte
	copy(outer[:], pepper[:])
	for i := range block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	sum := sha256.Sum256(inner)
	copy(outer[block:], sum[:])
	return sha256.Sum256(outer[:])
}

// Bearer takes the key out of an Authorization header.
func Bearer(header string) (string, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", refuse(CodeMissingToken)
	}
	return token, nil
}

// The codes with which a key is refused.
const (
	CodeMissingToken      = "missing_bearer_token"
	CodeMalformedKey      = "malformed_api_key"
	CodeInvalidKey        = "invalid_api_key"
	CodeKindMismatch      = "key_kind_mismatch"
	CodeOriginNotAllowed  = "origin_not_allowed"
	CodeInsufficientScope = "insufficient_scope"
	CodeKindNotAllowed    = "key_kind_not_allowed"
	CodeAccountRequired   = "account_key_required"

	CodeForgetRequiresSecret = "forget_requires_secret_key"

	CodeProjectArchived = "project_archived"
)

func refuse(code string) *event.Error { return &event.Error{Kind: event.ErrDenied, Code: code} }

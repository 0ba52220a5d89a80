package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner reads the JSON that client libraries write: strict, of moderate depth and with few keys
// per object. Whatever else comes, it gives up, and says neither why nor where: then the body is
// read again by the strict walk, which knows. So the scanner may refuse too much, never too little;
// a fuzz test holds it against the walk.
type scanner struct {
	body []byte
	text string // the same
	at   int

	blanks  int // bytes of white space that were skipped
	members int // keys that were read
}

// What the scanner leaves to the strict walk.
const (
	scanDepthMax   = 16
	scanKeysMax    = 32  // of one object: each is compared with the others
	scanMembersMax = 512 // of one member of an event
)

// peek skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.body); s.at++ {
		switch c := s.body[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.blanks++
		default:
			return c
		}
	}
	return 0
}

// take reads c, after white space, if it is what follows.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// value reads any value. of is what it lies in: 0 for a member of an event.
func (s *scanner) value(of int) (v value, ok bool) {
	c := s.peek()
	start, blanks := s.at, s.blanks
	switch c {
	case '"':
		v.kind, ok = '"', s.string()
	case '{', '[':
		if of == 0 {
			s.members = 0
		}
		v.kind = jsontext.Kind(c)
		if v.outline.depth, ok = s.inside(c, of+1); !ok {
			return value{}, false
		}
		v.outline.bytes = s.at - start - (s.blanks - blanks)
		v.outline.members = s.members
	case 't':
		v.kind, ok = 't', s.word("true")
	case 'f':
		v.kind, ok = 'f', s.word("false")
	case 'n':
		v.kind, ok = 'n', s.word("null")
	default:
		v.kind, ok = '0', s.number()
	}
	v.raw = s.text[start:s.at]
	return v, ok
}

func (s *scanner) word(word string) bool {
	if len(s.text)-s.at < len(word) || s.text[s.at:s.at+len(word)] != word {
		return false
	}
	s.at += len(word)
	return true
}

// inside reads an object or an array from its bracket on, and returns how deep it is.
func (s *scanner) inside(bracket byte, depth int) (deepest int, ok bool) {
	if depth > scanDepthMax {
		return 0, false
	}
	s.at++
	deepest = 1
	end := bracket + 2 // '}' of '{' and ']' of '[' in ASCII
	if s.take(end) {
		return deepest, true
	}
	var known keys
	for {
		if bracket == '{' {
			if _, ok := s.key(&known); !ok || s.members == scanMembersMax {
				return 0, false
			}
			s.members++
		}
		v, ok := s.value(depth)
		if !ok {
			return 0, false
		}
		deepest = max(deepest, v.outline.depth+1)
		if s.take(end) {
			return deepest, true
		}
		if !s.take(',') {
			return 0, false
		}
	}
}

// key reads a key and its colon. A key with an escape is left to the strict walk, as two spellings
// may be the same key.
func (s *scanner) key(known *keys) (string, bool) {
	if s.peek() != '"' {
		return "", false
	}
	start := s.at + 1
	end := s.plain(start)
	if end == len(s.body) || s.body[end] != '"' {
		return "", false
	}
	s.at = end + 1
	key := s.text[start:end]
	return key, known.add(key) && s.take(':')
}

// keys are those of one object so far.
type keys struct {
	list  [scanKeysMax]string
	count int
	seen  uint64 // a bit for the length and the last byte of each
}

// add notes a key; false says that it was there before, or that there are too many.
func (k *keys) add(key string) bool {
	if k.count == scanKeysMax {
		return false
	}
	mark := len(key) << 3
	if key != "" {
		mark ^= int(key[len(key)-1]) ^ int(key[0])<<1
	}
	bit := uint64(1) << (mark & 63)
	if k.seen&bit != 0 {
		for _, other := range k.list[:k.count] {
			if other == key {
				return false
			}
		}
	}
	k.seen |= bit
	k.list[k.count] = key
	k.count++
	return true
}

// string reads a string from its first quote on.
func (s *scanner) string() bool {
	s.at++
	for {
		s.at = s.plain(s.at)
		if s.at == len(s.body) {
			return false
		}
		switch c := s.body[s.at]; {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(s.body[s.at:])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			s.at += size
		default:
			return false
		}
	}
}

// plain returns where, from a place inside a string on, the first byte stands that isn't a plain
// character: a quote, a backslash, a control character, or one beyond ASCII. It looks at eight
// bytes at a time: of a word, each test sets the highest bit of the bytes that it is for, and maybe
// of bytes above such a byte, never below.
func (s *scanner) plain(at int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; at+8 <= len(s.body); at += 8 {
		word := binary.LittleEndian.Uint64(s.body[at:])
		quote, slash := word^'"'*ones, word^'\\'*ones
		found := (word | (word-' '*ones)&^word | (quote-ones)&^quote | (slash-ones)&^slash) & high
		if found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for ; at < len(s.body); at++ {
		if c := s.body[at]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
	}
	return at
}

// escape reads a backslash and what belongs to it. Surrogates are left to the strict walk.
func (s *scanner) escape() bool {
	if len(s.body)-s.at < 2 {
		return false
	}
	switch s.body[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		if len(s.body)-s.at < 6 {
			return false
		}
		code := s.body[s.at+2 : s.at+6]
		for _, c := range code {
			if !(isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f') {
				return false
			}
		}
		surrogate := code[0]|0x20 == 'd' && code[1] >= '8'
		s.at += 6
		return !surrogate
	}
	return false
}

// number reads a number.
func (s *scanner) number() bool {
	if s.at < len(s.body) && s.body[s.at] == '-' {
		s.at++
	}
	first := s.at
	if !s.digits() || s.body[first] == '0' && s.at > first+1 {
		return false
	}
	if s.at < len(s.body) && s.body[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.body) && s.body[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.body) && (s.body[s.at] == '+' || s.body[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits reads one or more digits.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.body) && isDigit(s.body[s.at]) {
		s.at++
	}
	return s.at > start
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

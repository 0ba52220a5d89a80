package privacy

import (
	"net/netip"
	"strings"
)

// decodings is how often the escaping of a value is undone: "%252540" is an "@" that three programs
// escaped one after another, which happens when sites pass links along in links.
const decodings = 3

// personalPiece judges one part of a path or one parameter of a query.
func personalPiece(piece string) bool {
	name, value, pair := strings.Cut(piece, "=")
	if !pair {
		return personalValue(piece) || anyDecoding(piece, isAddress)
	}
	if isCampaignName(name) {
		return anyDecoding(value, holdsEmail)
	}
	if personalName(name, value) || personalValue(value) || personalValue(name) {
		return true
	}
	return !isVersionName(name) && anyDecoding(value, isAddress)
}

// personalValue says whether a value shows personal data, whatever its name.
func personalValue(value string) bool {
	if !mayHold(value) {
		return false
	}
	// A plus sign is a space in most places, and only at the very beginning surely a phone's.
	if isPhone(strings.TrimPrefix(value, "tel:")) {
		return true
	}
	return anyDecoding(value, holdsPersonal)
}

// mayHold rules out most values at a glance: without an "@", an escape, a parameter or a token's
// beginning, what is left has at least eight digits. Nothing is shorter than a@b.de.
func mayHold(value string) bool {
	if len(value) < 6 {
		return false
	}
	digits := 0
	for i := range len(value) {
		switch c := value[i]; {
		case isDigit(c):
			digits++
		case c == '@' || c == '%' || c == '=':
			return true
		}
	}
	return digits >= 8 || strings.Contains(value, "eyJ")
}

func holdsPersonal(text string) bool {
	return holdsEmail(text) || holdsToken(text) || holdsCard(text) || isIBAN(text) || holdsPhone(text) || holdsPersonalPair(text)
}

// anyDecoding tries a value as it is and with its escaping undone.
func anyDecoding(value string, holds func(string) bool) bool {
	for range decodings {
		if holds(value) {
			return true
		}
		if strings.IndexByte(value, '%') < 0 {
			return false
		}
		plain := unescape(value)
		if plain == value {
			return false
		}
		value = plain
	}
	return holds(value)
}

// unescape undoes percent escapes and nothing else; a stray percent sign stays.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexValue(s[i+1]) >= 0 && hexValue(s[i+2]) >= 0 {
			out = append(out, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// holdsPersonalPair looks for a parameter in a value that is itself a link: "/reset?token=…".
func holdsPersonalPair(text string) bool {
	for strings.IndexByte(text, '=') >= 0 {
		pair := text
		if at := strings.IndexAny(text, "?&;#"); at >= 0 {
			pair, text = text[:at], text[at+1:]
		} else {
			text = ""
		}
		name, value, found := strings.Cut(pair, "=")
		if !found {
			continue
		}
		name = name[strings.LastIndexAny(name, "/ ")+1:]
		if personalName(name, value) || isIBAN(value) || isPhone(value) || !isVersionName(name) && isAddress(value) {
			return true
		}
	}
	return false
}

// holdsEmail looks at what stands on both sides of each "@".
func holdsEmail(text string) bool {
	for from := 0; ; {
		at := strings.IndexByte(text[from:], '@')
		if at < 0 {
			return false
		}
		at += from
		if at > from && isLocalByte(text[at-1]) && isMailDomain(text[at+1:]) {
			return true
		}
		from = at + 1
	}
}

func isLocalByte(c byte) bool {
	return isWordByte(c) || c >= 0x80 || strings.IndexByte("._-+!#$&'*~", c) >= 0
}

// isMailDomain reports whether text begins with a domain that can have mail. Files such as
// logo@2x.png and packages such as vue@3.2.1 aren't at one.
func isMailDomain(text string) bool {
	end := 0
	for end < len(text) && (isWordByte(text[end]) || text[end] == '.' || text[end] == '-' || text[end] >= 0x80) {
		end++
	}
	labels := strings.TrimRight(text[:end], ".-")
	rest, last, ok := cutLast(labels)
	if ok && isFileSuffix(last) { // "ann@example.com.html" is still an address
		rest, last, ok = cutLast(rest)
		ok = ok && (len(last) == 2 || last == "com" || last == "org" || last == "net")
	}
	return ok && rest != "" && isTopLevel(last)
}

func cutLast(labels string) (rest, last string, ok bool) {
	at := strings.LastIndexByte(labels, '.')
	if at < 0 {
		return labels, "", false
	}
	return labels[:at], labels[at+1:], true
}

func isTopLevel(label string) bool {
	if strings.HasPrefix(strings.ToLower(label), "xn--") {
		return len(label) > 4
	}
	for i := range len(label) {
		if !isLetter(label[i]) && label[i] < 0x80 {
			return false
		}
	}
	return len(label) >= 2
}

// isFileSuffix knows the suffixes of web files, none of which is a top-level domain.
func isFileSuffix(label string) bool {
	switch strings.ToLower(label) {
	case "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "js", "mjs", "cjs", "jsx", "tsx", "css", "scss",
		"htm", "html", "xhtml", "json", "xml", "txt", "csv", "pdf", "php", "asp", "aspx", "jsp", "mp3", "mp4", "webm",
		"woff", "ttf", "wasm", "gz", "tgz", "tar", "jar", "exe", "dmg", "apk", "yaml", "yml", "toml", "lock":
		return true
	}
	return false
}

// holdsToken finds JSON web tokens: base64 of `{"`, then two dots.
func holdsToken(text string) bool {
	for {
		at := strings.Index(text, "eyJ")
		if at < 0 {
			return false
		}
		text = text[at:]
		dots, length := 0, 0
		for length < len(text) && (isWordByte(text[length]) || strings.IndexByte("-_.", text[length]) >= 0) {
			if text[length] == '.' {
				dots++
			}
			length++
		}
		if dots >= 2 && length >= 20 {
			return true
		}
		text = text[length:]
	}
}

// isAddress reports whether the whole value is an IP address, with or without a port.
func isAddress(value string) bool {
	if len(value) < 3 || len(value) > 150 {
		return false
	}
	dots, colons := strings.Count(value, "."), strings.Count(value, ":")
	if dots != 3 && colons < 2 || strings.Trim(value, "0123456789abcdefABCDEF.:[]") != "" {
		return false
	}
	if port, err := netip.ParseAddrPort(value); err == nil {
		return isSomebodys(port.Addr())
	}
	addr, err := netip.ParseAddr(strings.Trim(value, "[]"))
	return err == nil && isSomebodys(addr)
}

// isSomebodys leaves out the addresses that every machine has.
func isSomebodys(addr netip.Addr) bool { return !addr.IsLoopback() && !addr.IsUnspecified() }

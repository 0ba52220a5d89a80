package event

import (
	"iter"
	"strings"
)

// URL is an absolute URL taken apart, every part as it was written. The net/url package refuses
// what browsers send every day (stray percent signs, odd queries), so the split is our own.
type URL struct {
	Scheme   string // as written; compare without case
	User     string // user information before "@", normally empty
	Host     string // lower case, without port, IPv6 without brackets
	Port     string
	Path     string // begins with "/" or is empty
	Query    string // without "?"
	Fragment string // without "#"
}

// SplitURL takes an absolute URL apart. ok is false where there is no scheme or no host.
func SplitURL(raw string) (u URL, ok bool) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || !isScheme(scheme) {
		return URL{}, false
	}
	u.Scheme = scheme
	rest, u.Fragment, _ = strings.Cut(rest, "#")
	rest, u.Query, _ = strings.Cut(rest, "?")
	authority := rest
	if slash := strings.IndexAny(rest, `/\`); slash >= 0 {
		authority, u.Path = rest[:slash], rest[slash:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.User, authority = authority[:at], authority[at+1:]
	}
	u.Host, u.Port, ok = splitHost(authority)
	return u, ok
}

// splitHost parts a host from its port.
func splitHost(authority string) (host, port string, ok bool) {
	host = authority
	if end := strings.LastIndexByte(authority, ']'); strings.HasPrefix(authority, "[") && end > 0 {
		host, port = authority[1:end], strings.TrimPrefix(authority[end+1:], ":")
	} else if colon := strings.LastIndexByte(authority, ':'); colon >= 0 {
		host, port = authority[:colon], authority[colon+1:]
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || strings.ContainsAny(host, " \t\r\n<>\"`{}|^%") {
		return "", "", false
	}
	for _, digit := range port {
		if digit < '0' || digit > '9' {
			return "", "", false
		}
	}
	return host, port, true
}

func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// IsWeb reports whether the scheme is http or https.
func (u URL) IsWeb() bool {
	return strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")
}

// Params walks the parameters of a query string in order, unescaped; what can't be unescaped
// stays as it was written.
func Params(query string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for query != "" {
			var pair string
			pair, query, _ = strings.Cut(query, "&")
			if pair == "" {
				continue
			}
			key, value, _ := strings.Cut(pair, "=")
			if !yield(Unescape(key), Unescape(value)) {
				return
			}
		}
	}
}

// Unescape undoes the escaping of a query string. A stray percent sign stays.
func Unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

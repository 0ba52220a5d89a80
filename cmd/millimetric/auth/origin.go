package auth

import (
	"errors"
	"strings"

	"millimetric/index/event"
)

// ErrOrigin says what an origin looks like.
var ErrOrigin = errors.New("Expected a whole origin, such as https://shop.example or http://localhost:3000")

// NormalOrigin gives an origin the one form in which origins are compared: scheme, host and port in
// lower case, without the scheme's default port. A host and its "www." are two origins.
func NormalOrigin(text string) (string, error) {
	u, ok := event.SplitURL(strings.TrimSpace(text))
	if !ok || !u.IsWeb() || u.User != "" || strings.Contains(text, "@") || strings.ContainsAny(text, "?#*\\") ||
		u.Path != "" && u.Path != "/" || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", ErrOrigin
	}
	scheme := strings.ToLower(u.Scheme)
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := strings.TrimLeft(u.Port, "0")
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

package privacy

import (
	"slices"
	"strings"
)

// Redacted stands where a part of a path was taken out, so that the path keeps its depth.
const Redacted = "redacted"

// StripURL returns raw without the personal data in it. raw is a URL, a path, or whatever else was
// sent as a referrer. All that isn't personal stays byte for byte, in its order.
//
// The text is cut into pieces, and each piece is judged alone, by its name and its value:
//
//  1. User information before the host goes.
//  2. A piece of the path between slashes becomes the word "redacted"; one behind ";" goes.
//  3. A parameter of the query goes, with the separator before it.
//  4. The fragment is treated as path and query at once, since single-page sites put both there.
//
// No piece's fate depends on another piece, and "redacted" is a piece that stays: hence stripping
// twice changes nothing more. Each byte is looked at a bounded number of times.
//
// allowed are parameters that stay whatever they hold, since the site knows what it means by them.
func StripURL(raw string, allowed ...string) string {
	s := stripper{raw: raw, allowed: allowed}
	return s.url()
}

// StripClicks returns raw without the ids that ad networks add to a click, by which they know their
// users again.
func StripClicks(raw string) string {
	s := stripper{raw: raw, clicks: true}
	return s.url()
}

// url strips the whole text.
func (s *stripper) url() string {
	raw := s.raw
	head, rest := splitAuthority(raw)
	if clean := cleanAuthority(head); clean != head && !s.clicks {
		s.note(head, KindUser)
		s.out = append(make([]byte, 0, len(raw)+len(Redacted)), clean...)
	}
	path := len(head)
	fragment := len(raw)
	if at := strings.IndexByte(rest, '#'); at >= 0 {
		fragment = path + at
	}
	query := fragment
	if at := strings.IndexByte(raw[path:fragment], '?'); at >= 0 {
		query = path + at
	}
	s.strip(region{from: path, to: query, separators: "/;"})
	s.strip(region{from: query, to: fragment, mark: '?', separators: "&;"})
	s.strip(region{from: fragment, to: len(raw), mark: '#', separators: "/?&;"})
	if s.out == nil {
		return raw
	}
	return string(s.out)
}

// splitAuthority parts "https://user@host:1" from what follows. Text without an authority has an
// empty head.
func splitAuthority(raw string) (head, rest string) {
	scheme, after, found := strings.Cut(raw, "//")
	if !found || scheme != "" && !isSchemeMark(scheme) {
		return "", raw
	}
	end := strings.IndexAny(after, `/\?#`)
	if end < 0 {
		return raw, ""
	}
	at := len(raw) - len(after) + end
	return raw[:at], raw[at:]
}

// isSchemeMark reports whether s is a scheme with its colon.
func isSchemeMark(s string) bool {
	for i := range len(s) - 1 {
		if c := s[i]; !isWordByte(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return len(s) > 1 && s[len(s)-1] == ':' && isLetter(s[0])
}

func cleanAuthority(head string) string {
	scheme, authority, found := strings.Cut(head, "//")
	if !found {
		return head
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if strings.Contains(authority, "%") && personalValue(authority) {
		authority = Redacted
	}
	if len(scheme)+2+len(authority) == len(head) {
		return head
	}
	return scheme + "//" + authority
}

// region is a part of the text with its own separators. An empty one isn't there at all.
type region struct {
	from, to   int
	mark       byte // what the region begins with, '?' or '#'; 0 for the path
	separators string
}

// stripper copies what stays. As long as nothing had to go, out is nil and nothing is copied.
type stripper struct {
	raw     string
	out     []byte
	allowed []string      // parameters that stay
	clicks  bool          // only click ids go
	found   func(Finding) // told of each piece that goes; nil where nobody asks
}

// goes judges one piece.
func (s *stripper) goes(piece string) bool {
	if s.clicks {
		name, _, pair := strings.Cut(piece, "=")
		return pair && IsClickID(unescape(name))
	}
	if !personalPiece(piece) {
		return false
	}
	if s.allowed != nil {
		if name, _, pair := strings.Cut(piece, "="); pair && allows(s.allowed, unescape(name)) {
			return false
		}
	}
	if s.found != nil {
		name, value, pair := strings.Cut(piece, "=")
		if !pair {
			name, value = "", piece
		}
		s.found(findingOf(unescape(name), value))
	}
	return true
}

// allows reports whether a name is on a list, in whatever case.
func allows(list []string, name string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, name) })
}

// note tells of what goes from before the pieces.
func (s *stripper) note(text string, kind Kind) {
	if s.found != nil {
		s.found(Finding{Kind: kind, Example: mask(text)})
	}
}

// strip judges the pieces of one region.
func (s *stripper) strip(r region) {
	if r.from == r.to {
		return
	}
	begin, start, lead := s.length(r.from), r.from, r.mark
	if lead != 0 {
		start++
	}
	gone, inherited := false, byte(0)
	for {
		end := r.to
		if at := strings.IndexAny(s.raw[start:r.to], r.separators); at >= 0 {
			end = start + at
		}
		if inherited != 0 {
			lead, inherited = inherited, 0
		}
		piece := s.raw[start:end]
		switch {
		case !s.goes(piece):
			s.put(lead, piece)
		case s.mayGo(r, lead, start, end):
			s.startCopy(start, lead)
			gone = true
			if lead == '?' || lead == '#' { // the next piece begins the query in its place
				inherited = lead
			}
		default:
			s.startCopy(start, lead)
			s.put(lead, Redacted)
		}
		if end == r.to {
			break
		}
		lead, start = s.raw[end], end+1
	}
	if gone && r.mark != 0 {
		s.tidy(begin)
	}
}

// mayGo says whether a piece can go without a trace: a parameter can, a part of the path can't.
func (s *stripper) mayGo(r region, lead byte, start, end int) bool {
	if r.mark == 0 {
		// What follows must not move up and become a host: "http:;sid=1//x".
		return lead == ';' && !strings.HasPrefix(s.raw[end:], "//")
	}
	return r.mark == '?' || lead == '&' || lead == ';' || lead == '?' || strings.Contains(s.raw[start:end], "=")
}

// length is how long the result is once everything before the given place of raw is in it.
func (s *stripper) length(place int) int {
	if s.out == nil {
		return place
	}
	return len(s.out)
}

// startCopy begins the copy, of what comes before the piece that starts here and its separator.
func (s *stripper) startCopy(start int, lead byte) {
	if s.out != nil {
		return
	}
	if lead != 0 {
		start--
	}
	s.out = append(make([]byte, 0, len(s.raw)+len(Redacted)), s.raw[:start]...)
}

func (s *stripper) put(lead byte, text string) {
	if s.out == nil {
		return
	}
	if lead != 0 {
		s.out = append(s.out, lead)
	}
	s.out = append(s.out, text...)
}

// tidy removes the separators that nothing follows any more, and the mark where it has nothing left
// to introduce.
func (s *stripper) tidy(begin int) {
	for end := len(s.out); end > begin && strings.IndexByte("?#&;", s.out[end-1]) >= 0; end-- {
		s.out = s.out[:end-1]
	}
}

package index

import (
	"encoding/json"
	"strings"
)

// What is needed of JSON here is small: the members of an object whose form was checked before it
// was kept, each as it stands. A decoder would cost ten times as much per row.

// walkObject calls yield with the members of a compact JSON object, until that returns false: the
// name, and where in the object the value stands. whole is false where the object isn't one; of
// values inside of others it sees the brackets only.
func walkObject(object string, yield func(name string, start, end int) bool) (whole bool) {
	return walkMembers(object, false, yield)
}

// walkMembers is walkObject, and may be given a rest: an object with holes, which are values of no
// bytes.
func walkMembers(object string, holes bool, yield func(name string, start, end int) bool) (whole bool) {
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' {
		return false
	}
	last := len(object) - 1
	for at := 1; at < last || at > 1; {
		nameEnd := at + valueEnd(object[at:last])
		if nameEnd < at+2 || object[at] != '"' || nameEnd >= last || object[nameEnd] != ':' {
			return false
		}
		start := nameEnd + 1
		end := start
		if hole := holes && (start == last || object[start] == ','); !hole {
			end += valueEnd(object[start:last])
		}
		if end < start || end == start && !holes || end < last && object[end] != ',' {
			return false
		}
		if !yield(unquote(object[at:nameEnd]), start, end) || end == last {
			return true
		}
		at = end + 1
	}
	return true
}

// findMember returns the first member of an object with this name.
func findMember(object, name string) (value string, ok bool) {
	if !strings.Contains(object, name) && strings.IndexByte(object, '\\') < 0 {
		return "", false
	}
	walkObject(object, func(other string, start, end int) bool {
		if other == name {
			value, ok = object[start:end], true
		}
		return !ok
	})
	return value, ok
}

// valueEnd returns where the value ends that s begins with, or a negative number.
func valueEnd(s string) int {
	if s == "" {
		return -1
	}
	switch s[0] {
	case '"':
		return textEnd(s, 0)
	case '{', '[':
		return nestedEnd(s)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if s[0] == word[0] && strings.HasPrefix(s, word) {
			return closed(s, len(word))
		}
	}
	end := 0
	for end < len(s) && (s[end] <= '9' && s[end] >= '0' || strings.IndexByte("+-.eE", s[end]) >= 0) {
		end++
	}
	return closed(s, end)
}

// closed returns end if a value of s may end there, else a negative number.
func closed(s string, end int) int {
	if end == 0 || end < len(s) && strings.IndexByte(",:]}", s[end]) < 0 {
		return -1
	}
	return end
}

// textEnd returns where the JSON string ends that begins at s[at].
func textEnd(s string, at int) int {
	for at++; at < len(s); at++ {
		switch s[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return -1
}

func nestedEnd(s string) int {
	depth := 0
	for at := 0; at < len(s); at++ {
		switch s[at] {
		case '"':
			end := textEnd(s, at)
			if end < 0 {
				return -1
			}
			at = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
	return -1
}

// unquote returns the content of a JSON string.
func unquote(quoted string) string {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if json.Unmarshal([]byte(quoted), &text) != nil {
		return quoted[1 : len(quoted)-1]
	}
	return text
}

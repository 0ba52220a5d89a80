package encode

import "strings"

const (
	// wordsMax bounds how many values are remembered. Beyond it all are forgotten and learned anew,
	// so a flood of values that never recur costs memory only, and that bounded.
	wordsMax = 1 << 16
	// wordBytesMax keeps long values, which seldom recur, from filling the memory.
	wordBytesMax = 256
)

// Words remembers values that recur, so that equal ones share memory. The zero value is ready; it
// is not safe for concurrent use.
type Words struct {
	known map[string]string
}

// Text returns s in memory that is not that of the s given.
func (w *Words) Text(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := w.known[s]; ok {
		return known
	}
	return w.learn(strings.Clone(s))
}

// Bytes is Text for bytes.
func (w *Words) Bytes(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if known, ok := w.known[string(b)]; ok {
		return known
	}
	return w.learn(string(b))
}

func (w *Words) learn(s string) string {
	if len(s) > wordBytesMax {
		return s
	}
	if w.known == nil || len(w.known) >= wordsMax {
		w.known = make(map[string]string)
	}
	w.known[s] = s
	return s
}

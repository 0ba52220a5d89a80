package chart

import (
	"strconv"
	"strings"
	"unicode"
)

// Text is drawn by whatever sans-serif font the viewer has. Its width is reckoned by the widths of
// Helvetica, in thousandths of the font's size, and somewhat more, because fonts that take its place may
// be wider: a label should rather be cut than run into its neighbour.
const (
	sparePercent = 8
	wideRune     = 1000
	otherRune    = 620
)

// narrow are the widths of the printable ASCII characters from the space on.
var narrow = [...]uint16{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
	556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556,
	556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

func runeWidth(r rune) int {
	switch {
	case r >= ' ' && int(r-' ') < len(narrow):
		return int(narrow[r-' '])
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && (r < 0x1160 || r >= 0x2e80 && r < 0xfb00 || r >= 0xfe30 && r < 0xff61 || r >= 0xffe0):
		return wideRune
	}
	return otherRune
}

// width is about how many pixels a text takes.
func width(text string, size float64) float64 {
	sum := 0
	for _, r := range text {
		sum += runeWidth(r)
	}
	return float64(sum) * size / 1000 * (100 + sparePercent) / 100
}

const ellipsis = "…"

// fit cuts a text in its middle so that it takes no more than room: paths and names differ at their ends
// as often as at their beginnings.
func fit(text string, size, room float64) string {
	if width(text, size) <= room {
		return text
	}
	runes := []rune(text)
	head, tail := 0, len(runes)
	left := room - width(ellipsis, size)
	for head < tail {
		front := head <= len(runes)-tail
		next := runes[head]
		if !front {
			next = runes[tail-1]
		}
		if left -= width(string(next), size); left < 0 {
			break
		}
		if front {
			head++
		} else {
			tail--
		}
	}
	return string(runes[:head]) + ellipsis + string(runes[tail:])
}

// clean replaces what can't be seen, or steers how text is laid out: labels come from strangers.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '\uFFFD'
	}, text)
}

// escaper makes text safe between tags and in attributes.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

func escape(text string) string { return escaper.Replace(clean(text)) }

// grouped writes a number as people read it: thousands apart, at most two decimals.
func grouped(number string) string {
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "−", number[1:]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	if len(fraction) > 2 || strings.ContainsAny(number, "eE") {
		whole, fraction, _ = strings.Cut(strings.TrimPrefix(strconv.FormatFloat(x, 'f', 2, 64), "-"), ".")
	}
	fraction = strings.TrimRight(fraction, "0")
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// short writes the number of an axis: 1.5k, 20M.
func short(x float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= unit.size || x <= -unit.size {
			return trimmed(x/unit.size) + unit.name
		}
	}
	return trimmed(x)
}

func trimmed(x float64) string {
	return strings.Replace(strconv.FormatFloat(x, 'g', 6, 64), "-", "−", 1)
}

// percent writes a ratio: 42.5 %.
func percent(ratio float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*ratio, 'f', 1, 64), ".0") + "%"
}

// span writes seconds in the two largest units that they have: 1h 5m, 45s.
func span(seconds float64) string {
	if seconds < 60 {
		return strings.TrimSuffix(strconv.FormatFloat(seconds, 'f', 1, 64), ".0") + "s"
	}
	rest := int64(seconds + 0.5)
	units := []struct {
		size int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}
	for i, unit := range units {
		if rest < unit.size || i == len(units)-1 {
			continue
		}
		text := strconv.FormatInt(rest/unit.size, 10) + unit.name
		if n := rest % unit.size / units[i+1].size; n > 0 {
			text += " " + strconv.FormatInt(n, 10) + units[i+1].name
		}
		return text
	}
	return strconv.FormatInt(rest, 10) + "s"
}

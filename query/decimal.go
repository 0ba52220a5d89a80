package query

import (
	"bytes"
	"strconv"
	"strings"
)

// exponentMax bounds the exponents of decimals: it is far beyond all numbers that mean anything, and
// far enough from the end of an int64 that sums of it with lengths are safe. Numbers of greater
// exponents are equal if sign and digits are.
const exponentMax = 1 << 56

// decimal is a JSON number taken apart, so that numbers compare as what was written, whatever
// their size. Its value is 0.digits times ten to the power of point.
type decimal struct {
	negative bool
	digits   []byte // no zeros at either end; empty for zero
	point    int64
}

// read sets d to a valid JSON number. The memory of the digits is used again.
func (d *decimal) read(number string) {
	d.digits, d.point = d.digits[:0], 0
	d.negative = number[0] == '-'
	number = strings.TrimPrefix(number, "-")
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		d.point = readExponent(number[at+1:])
		number = number[:at]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	if whole != "0" {
		d.digits = append(d.digits, whole...)
		d.point += int64(len(whole))
	}
	leading := 0
	if len(d.digits) == 0 {
		for leading < len(fraction) && fraction[leading] == '0' {
			leading++
		}
	}
	d.point -= int64(leading)
	d.digits = append(d.digits, fraction[leading:]...)
	end := len(d.digits)
	for end > 0 && d.digits[end-1] == '0' {
		end--
	}
	d.digits = d.digits[:end]
	if end == 0 {
		d.negative, d.point = false, 0
	}
}

func readExponent(text string) int64 {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	var n int64
	for _, c := range []byte(text) {
		n = min(n*10+int64(c-'0'), exponentMax)
	}
	if negative {
		return -n
	}
	return n
}

// compare returns a negative number if d is less than f, a positive one if it is greater.
func (d *decimal) compare(f *decimal) int {
	if d.sign() != f.sign() {
		return d.sign() - f.sign()
	}
	order := 0
	switch {
	case d.point < f.point:
		order = -1
	case d.point > f.point:
		order = 1
	default:
		// No digits end in zeros, so the order of the texts is the order of the fractions.
		order = bytes.Compare(d.digits, f.digits)
	}
	if d.negative {
		return -order
	}
	return order
}

// Outside of these, appendText writes a power of ten: nobody counts so many zeros.
const (
	pointMin = -5
	pointMax = 21
)

// appendText writes the number as JSON, the same text for equal numbers: without idle zeros, and
// without an exponent unless it is very large or very small.
func (d *decimal) appendText(dst []byte) []byte {
	if len(d.digits) == 0 {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	whole := int64(len(d.digits))
	switch {
	case d.point < pointMin || d.point > pointMax:
		dst = append(dst, d.digits[0])
		if whole > 1 {
			dst = append(append(dst, '.'), d.digits[1:]...)
		}
		return strconv.AppendInt(append(dst, 'e'), d.point-1, 10)
	case d.point <= 0:
		dst = append(append(dst, "0."...), bytes.Repeat([]byte{'0'}, int(-d.point))...)
		return append(dst, d.digits...)
	case d.point < whole:
		dst = append(append(dst, d.digits[:d.point]...), '.')
		return append(dst, d.digits[d.point:]...)
	}
	return append(append(dst, d.digits...), bytes.Repeat([]byte{'0'}, int(d.point-whole))...)
}

func (d *decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

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

func (d *decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// String spells d in the one way that each number has: plainly where that is short, else with one
// digit before the point and an exponent.
func (d *decimal) String() string {
	if len(d.digits) == 0 {
		return "0"
	}
	sign, digits := "", string(d.digits)
	if d.negative {
		sign = "-"
	}
	const plainMax = 21 // as long as scripts in browsers write numbers plainly
	switch n := int64(len(digits)); {
	case d.point > plainMax || d.point < -5:
		if n > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		return sign + digits + "e" + strconv.FormatInt(d.point-1, 10)
	case d.point <= 0:
		return sign + "0." + strings.Repeat("0", int(-d.point)) + digits
	case d.point >= n:
		return sign + digits + strings.Repeat("0", int(d.point-n))
	}
	return sign + digits[:d.point] + "." + digits[d.point:]
}

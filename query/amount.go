package query

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// Numbers of properties are exact decimals. Nearly all of them are small: those with at most six
// decimals and at most twelve digits before the point are kept as whole millionths, in a machine
// word; all others as text. A number has one form only, so equal numbers are equal amounts.
const (
	amountDecimals = 6
	amountUnit     = 1_000_000
	amountDigits   = 18 // of millionths, so that any fits into an int64
)

// numberPlacesMax is how many places the first digit of a number may lie before or behind its
// point. It is what a double holds and a bit more; written out, a number beyond it could take all
// memory, so it is left out like what is no number.
const numberPlacesMax = 400

// amount is a number of an answer, exact, or null.
type amount struct {
	micros int64
	wide   string // a plain decimal, where micros can't hold it
	null   bool
}

func countAmount(n int64) amount { return amount{micros: n * amountUnit} }

// amount returns the decimal as an amount; ok is false where it lies beyond numberPlacesMax.
func (d *decimal) amount() (a amount, ok bool) {
	if d.point > numberPlacesMax || d.point < -numberPlacesMax {
		return amount{}, false
	}
	zeros := int(d.point) - len(d.digits) + amountDecimals // behind the digits, to make millionths
	if zeros < 0 || int(d.point)+amountDecimals > amountDigits {
		return amount{wide: d.text()}, true
	}
	for _, c := range d.digits {
		a.micros = a.micros*10 + int64(c-'0')
	}
	if len(d.digits) == 0 {
		zeros = 0
	}
	for range zeros {
		a.micros *= 10
	}
	if d.negative {
		a.micros = -a.micros
	}
	return a, true
}

// text spells the decimal out, without an exponent.
func (d *decimal) text() string {
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	length := len(d.digits)
	point := int(d.point)
	switch {
	case length == 0:
		b.WriteByte('0')
	case point <= 0:
		b.WriteString("0." + strings.Repeat("0", -point))
		b.Write(d.digits)
	case point >= length:
		b.Write(d.digits)
		b.WriteString(strings.Repeat("0", point-length))
	default:
		b.Write(d.digits[:point])
		b.WriteByte('.')
		b.Write(d.digits[point:])
	}
	return b.String()
}

// amountOf reads a plain decimal that is within the limits or was made of numbers that are.
func amountOf(text string) amount {
	var d decimal
	d.read(text)
	if a, ok := d.amount(); ok {
		return a
	}
	return amount{wide: d.text()}
}

// compare orders amounts; null comes before all numbers.
func (a amount) compare(b amount) int {
	switch {
	case a.null || b.null:
		return cmp.Compare(bit(b.null), bit(a.null))
	case a.wide == "" && b.wide == "":
		return cmp.Compare(a.micros, b.micros)
	}
	var x, y decimal
	x.read(a.text())
	y.read(b.text())
	return cmp.Compare(x.compare(&y), 0)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text is the amount as JSON has it: a plain decimal without zeros at its end, or null.
func (a amount) text() string {
	switch {
	case a.null:
		return "null"
	case a.wide != "":
		return a.wide
	case a.micros%amountUnit == 0:
		return strconv.FormatInt(a.micros/amountUnit, 10)
	}
	whole, rest, sign := a.micros/amountUnit, a.micros%amountUnit, ""
	if a.micros < 0 {
		whole, rest, sign = -whole, -rest, "-"
	}
	fraction := strconv.FormatInt(amountUnit+rest, 10)[1:]
	return sign + strconv.FormatInt(whole, 10) + "." + strings.TrimRight(fraction, "0")
}

func (a amount) value() Value {
	if a.null {
		return Value{}
	}
	return Value{text: a.text(), kind: valueJSON}
}

// total is an exact sum. Small numbers add up in a machine word for as long as they fit; what
// doesn't is kept as a whole number of units of ten to the power of -scale.
type total struct {
	count  int64
	micros int64
	rest   *big.Int // nil is zero
	scale  int
}

func (t *total) add(a amount) {
	t.count++
	if a.wide != "" {
		t.addDecimal(a.wide)
		return
	}
	sum := t.micros + a.micros
	if (sum > t.micros) != (a.micros > 0) && a.micros != 0 { // it ran over
		t.addMicros()
		sum = a.micros
	}
	t.micros = sum
}

// addMicros moves the small part over to the rest.
func (t *total) addMicros() {
	t.addScaled(big.NewInt(t.micros), amountDecimals)
	t.micros = 0
}

func (t *total) addDecimal(text string) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		panic("add " + text + ", which is no plain decimal")
	}
	t.addScaled(n, len(fraction))
}

func (t *total) addScaled(n *big.Int, scale int) {
	if t.rest == nil {
		t.rest = new(big.Int)
	}
	if scale > t.scale {
		t.rest.Mul(t.rest, power10(scale-t.scale))
		t.scale = scale
	}
	t.rest.Add(t.rest, n.Mul(n, power10(t.scale-scale)))
}

// sum returns what was added.
func (t *total) sum() amount {
	if t.rest == nil {
		return amountOf(amount{micros: t.micros}.text())
	}
	return amountOf(t.rational().FloatString(max(t.scale, amountDecimals)))
}

// rational returns what was added as a fraction.
func (t *total) rational() *big.Rat {
	if t.rest == nil {
		return big.NewRat(t.micros, amountUnit)
	}
	all := new(big.Rat).SetFrac(t.rest, power10(t.scale))
	return all.Add(all, big.NewRat(t.micros, amountUnit))
}

// average returns the sum over the count, rounded once.
func (t *total) average() amount {
	if t.count == 0 {
		return amount{null: true}
	}
	mean := t.rational()
	mean.Quo(mean, new(big.Rat).SetInt64(t.count))
	return amountOf(Rounded(mean, digitsAverage).text)
}

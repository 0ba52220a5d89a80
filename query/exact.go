package query

import (
	"math/big"
	"strings"
	"sync"
)

// The decimals to which answers are rounded, each once and half to even.
const (
	digitsRatio   = 4
	digitsSeconds = 3
	digitsCredit  = 6
	digitsAverage = 6 // as many as money of any currency, and a credit, has
)

// Rounded is x to so many decimals, half to even, without zeros at the end: 0.25, 1, 1800.
func Rounded(x *big.Rat, digits int) Value { return fraction{x.Num(), x.Denom()}.shown(digits) }

// fraction is a number that needn't be in lowest terms: to find these takes longer than all else that is done with one
// that is only shown. The denominator is above 0, and neither is changed any more.
type fraction struct{ num, den *big.Int }

// rounded is the fraction in units of the last of so many decimals, half to even.
func (x fraction) rounded(digits int) *big.Int {
	return nearest(new(big.Int).Mul(x.num, power10(digits)), x.den)
}

// nearest is the whole number that is nearest to num/den, half to even.
func nearest(num, den *big.Int) *big.Int {
	n, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	twice := rest.Abs(rest).Lsh(rest, 1)
	if c := twice.Cmp(den); c > 0 || c == 0 && n.Bit(0) == 1 {
		n.Add(n, big.NewInt(int64(num.Sign())))
	}
	return n
}

// shown is the fraction to so many decimals.
func (x fraction) shown(digits int) Value {
	n := x.rounded(digits)
	text := new(big.Int).Abs(n).String()
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	text, part := text[:len(text)-digits], strings.TrimRight(text[len(text)-digits:], "0")
	if part != "" {
		text += "." + part
	}
	if n.Sign() < 0 {
		text = "-" + text
	}
	return Value{text: text, kind: valueJSON}
}

// plus is the sum. It is brought to lowest terms where the denominators differ: else they would grow with every one.
func (x fraction) plus(y fraction) fraction {
	if x.den.Cmp(y.den) == 0 {
		return fraction{new(big.Int).Add(x.num, y.num), x.den}
	}
	sum := new(big.Rat).SetFrac(x.num, x.den)
	sum.Add(sum, new(big.Rat).SetFrac(y.num, y.den))
	return fraction{sum.Num(), sum.Denom()}
}

// RoundedRatio is part/whole, a whole that is no less than 0, to the decimals of a ratio; a ratio over zero is null.
func RoundedRatio(part, whole int64) Value {
	if whole == 0 {
		return Value{}
	}
	return fraction{big.NewInt(part), big.NewInt(whole)}.shown(digitsRatio)
}

// Seconds is a length of time of num/den milliseconds, in seconds.
func Seconds(num *big.Int, den int64) Value {
	return fraction{num, new(big.Int).Mul(big.NewInt(den), big.NewInt(1000))}.shown(digitsSeconds)
}

// power10 is ten to the power of digits. It is only ever read.
func power10(digits int) *big.Int {
	if few := fewPowers10(); digits < len(few) {
		return few[digits]
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
}

// fewPowers10 are those that nearly every number of an answer is shown with.
var fewPowers10 = sync.OnceValue(func() (few [amountDecimals + 1]*big.Int) {
	for digits := range few {
		few[digits] = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	}
	return few
})

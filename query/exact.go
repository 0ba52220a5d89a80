package query

import (
	"math/big"
	"strings"
)

// The decimals to which answers are rounded, each once and half to even.
const (
	digitsRatio   = 4
	digitsSeconds = 3
	digitsCredit  = 6
	digitsAverage = 6 // as many as money of any currency, and a credit, has
)

// Rounded is x to so many decimals, half to even, without zeros at the end: 0.25, 1, 1800.
func Rounded(x *big.Rat, digits int) Value {
	text := new(big.Rat).SetFrac(rounded(x, digits), power10(digits)).FloatString(digits)
	if digits > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return Value{text: text, kind: valueJSON}
}

// rounded is x in units of the last of so many decimals, half to even.
func rounded(x *big.Rat, digits int) *big.Int {
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(power10(digits)))
	n, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	twice := rest.Abs(rest).Lsh(rest, 1)
	if c := twice.Cmp(scaled.Denom()); c > 0 || c == 0 && n.Bit(0) == 1 {
		n.Add(n, big.NewInt(int64(x.Sign())))
	}
	return n
}

// RoundedRatio is part/whole to the decimals of a ratio; a ratio over zero is null.
func RoundedRatio(part, whole int64) Value {
	if whole == 0 {
		return Value{}
	}
	return Rounded(big.NewRat(part, whole), digitsRatio)
}

// Seconds is a length of time of num/den milliseconds, in seconds.
func Seconds(num *big.Int, den int64) Value {
	return Rounded(new(big.Rat).SetFrac(num, new(big.Int).Mul(big.NewInt(den), big.NewInt(1000))), digitsSeconds)
}

func power10(digits int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
}

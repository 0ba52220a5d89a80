package query

import "math/big"

// sumPointMax bounds where the decimal point of a number may stand, in digits from its first one.
// It is far beyond all money, and close enough that a stranger's 1e999999999 can't make us write it
// out; such a number counts as no number.
const sumPointMax = 1000

// exactSum is a sum of decimal numbers, exact whatever is added and in whatever order: n divided by
// ten to the power of scale. The zero exactSum is 0.
type exactSum struct {
	n     big.Int
	scale int // never negative
}

// readSum reads a JSON number; ok is false where it is too large or too small to be summed.
func readSum(number string) (a *exactSum, ok bool) {
	var d decimal
	d.read(number)
	if d.point > sumPointMax || d.point < -sumPointMax {
		return nil, false
	}
	a = &exactSum{}
	if len(d.digits) == 0 {
		return a, true
	}
	a.n.SetString(string(d.digits), 10)
	a.scale = len(d.digits) - int(d.point)
	if a.scale < 0 {
		a.n.Mul(&a.n, power10(-a.scale))
		a.scale = 0
	}
	if d.negative {
		a.n.Neg(&a.n)
	}
	return a, true
}

// add adds b, times times.
func (a *exactSum) add(b *exactSum, times *big.Int) {
	if b.n.Sign() == 0 {
		return
	}
	if times == bigOne && a.scale == b.scale {
		a.n.Add(&a.n, &b.n)
		return
	}
	var t big.Int
	t.Mul(&b.n, times)
	switch {
	case b.scale > a.scale:
		a.n.Mul(&a.n, power10(b.scale-a.scale))
		a.scale = b.scale
	case b.scale < a.scale:
		t.Mul(&t, power10(a.scale-b.scale))
	}
	a.n.Add(&a.n, &t)
}

// over is the amount divided by den.
func (a *exactSum) over(den *big.Int) *big.Rat {
	return new(big.Rat).SetFrac(&a.n, new(big.Int).Mul(power10(a.scale), den))
}

package query

import (
	"cmp"
	"math/big"
	"slices"
)

// creditPart is something of which a model is made up: cells, and what their denominators stand for.
type creditPart struct {
	cells *cellTable
	share func(of int64) ratio // by number of touches of paths; nil where denominators stand for themselves
}

// ratio is num parts of den, which is above 0 and no less than num.
type ratio struct{ num, den int64 }

// partsOf returns what a model is made up of, beside what groups got by it alone.
//
// Of a path of n touches, each has 1/n by linear. By position the ends have 40 % each, and those between share 20 %: that
// is 1/(5(n-2)) for every touch, and (2(n-2)-1)/(5(n-2)) more for an end. Of two touches each has half.
func (b *ledger) partsOf(model CreditModel, own *cellTable) []creditPart {
	switch model {
	case ModelLinear:
		return []creditPart{{cells: b.lengths}}
	case ModelPosition:
		return []creditPart{
			{b.lengths, func(n int64) ratio {
				if n <= 2 {
					return ratio{1, n}
				}
				return ratio{1, 5 * (n - 2)}
			}},
			{own, func(n int64) ratio { return ratio{2*(n-2) - 1, 5 * (n - 2)} }},
		}
	}
	return []creditPart{{cells: own}}
}

// partShare is what the cells of one denominator of a part have of a path.
type partShare struct {
	cells  *cellTable
	number uint32 // of the denominator
	is     bool   // there are such cells
	of     ratio  // of no denominator, where it is a part of shareUnit
	whole  *big.Int
}

// in returns how many parts of the common denominator of all it is.
func (s *partShare) in(common *big.Int) *big.Int {
	switch {
	case s.whole != nil:
	case s.of.den == 0:
		s.whole = new(big.Int).Quo(common, shareUnit())
	default:
		s.whole = new(big.Int).Quo(common, big.NewInt(s.of.den))
		s.whole.Mul(s.whole, big.NewInt(s.of.num))
	}
	return s.whole
}

// sharesOf returns what the denominators of a part stand for, by their numbers.
func (b *ledger) sharesOf(part creditPart) []partShare {
	shares := make([]partShare, len(b.dens.list))
	part.cells.each(func(_, number uint32, _ *cell) {
		share := &shares[number]
		if share.is {
			return
		}
		of := b.dens.list[number]
		*share = partShare{cells: part.cells, number: number, is: true}
		switch {
		case number == 0:
		case part.share == nil:
			share.of = ratio{1, of}
		default:
			share.of = part.share(of)
		}
	})
	return shares
}

// sumUp finds the least common denominator of all cells of a model and adds them up in it.
//
// It may have a thousand bits, so what has some denominators in common is brought to theirs first, which fits into a
// machine word: see denBatch. To add a cell takes a product of two words then, and only what a group has of a whole batch
// takes a long one. What isn't in the lists of cells, or is no machine word, is little: it is brought there at once.
func (b *ledger) sumUp(s *modelSum, parts []creditPart) {
	var all []*partShare
	byPart := make([][]partShare, len(parts))
	for i, part := range parts {
		byPart[i] = b.sharesOf(part)
		for number := range byPart[i] {
			if share := &byPart[i][number]; share.is {
				all = append(all, share)
			}
		}
	}
	batches := batchesOf(all)
	s.den = commonOf(batches)
	adding := &batchAdding{sum: s}
	for i := range batches {
		adding.add(&batches[i])
	}
	for i, part := range parts {
		for key, c := range part.cells.others {
			group, number := unpair(key)
			adding.addWhole(group, c, &byPart[i][number])
		}
	}
}

// denBatch are shares whose denominators have a least common multiple that is no more than batchMost; or one share
// whose denominator is too great, or shareUnit.
type denBatch struct {
	den    int64 // 0 for shareUnit
	shares []*partShare
}

const batchMost = 1 << 62

// batchesOf puts shares into batches. Those whose denominators have the same greatest prime come one after the other, as
// they have most in common.
func batchesOf(shares []*partShare) (batches []denBatch) {
	primes := make(map[int64]int64, len(shares))
	for _, s := range shares {
		primes[s.of.den] = greatestPrime(s.of.den)
	}
	slices.SortFunc(shares, func(a, b *partShare) int {
		return cmp.Or(cmp.Compare(primes[a.of.den], primes[b.of.den]), cmp.Compare(a.of.den, b.of.den))
	})
	for _, s := range shares {
		if n := len(batches); n > 0 {
			last := &batches[n-1]
			if den, ok := leastMultiple(last.den, s.of.den); ok {
				last.den, last.shares = den, append(last.shares, s)
				continue
			}
		}
		batches = append(batches, denBatch{s.of.den, []*partShare{s}})
	}
	return batches
}

// greatestPrime is the greatest prime that divides n, or, where n is so great that to find it takes long, some divisor
// of n.
func greatestPrime(n int64) int64 {
	const most = 1 << 10
	greatest := int64(1)
	for p := int64(2); p*p <= n && p < most; p++ {
		for n%p == 0 {
			greatest, n = p, n/p
		}
	}
	return max(greatest, n)
}

// leastMultiple is the least common multiple of two denominators; ok is false where it is too great for a batch.
func leastMultiple(a, b int64) (multiple int64, ok bool) {
	if a == 0 || b == 0 {
		return 0, a == b
	}
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	if b /= x; a > batchMost/b {
		return 0, false
	}
	return a * b, true
}

// commonOf is the least common denominator of all batches.
func commonOf(batches []denBatch) *big.Int {
	common := big.NewInt(1)
	for i := range batches {
		den := shareUnit()
		if batches[i].den != 0 {
			den.SetInt64(batches[i].den)
		}
		var both big.Int
		common.Mul(common, den.Quo(den, both.GCD(nil, nil, common, den)))
	}
	return common
}

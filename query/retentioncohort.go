package query

import (
	"slices"
	"strconv"
	"weak"

	"millimetric/index"
	"millimetric/index/bitmap"
)

// bornBefore is who was born so far, as bucket follows bucket. The sets are joined once somebody asks: where the memo
// has what comes of a bucket, nobody does.
type bornBefore struct {
	r       *run
	set     bitmap.Set
	waiting []bitmap.Set // that aren't in it yet
	parts   []keptPart   // whose visitors all are
	unknown bool         // others are among them, too
}

// enter takes in who was born in the next bucket, and returns those who weren't born before.
func (b *bornBefore) enter(births wholeUnion) *cohortSet {
	c := &cohortSet{r: b.r}
	if births.first == nil {
		b.unknown = b.unknown || births.visitors.Count() > 0
	} else {
		c.key = b.r.memoKey(births.first.in, memoCohort, births.first.name()+" "+strconv.Itoa(len(births.parts)))
		c.key.number = len(b.parts) // of the buckets before
	}
	b.parts = append(b.parts, births.parts...)
	c.keeps = births.first != nil && !b.unknown && b.r.common.Memo != nil
	if c.keeps {
		if kept, ok := b.r.common.Memo.get(c.key); ok && slices.Equal(kept.(*keptCohort).parts, b.parts) {
			c.keptCohort = kept.(*keptCohort)
		}
	}
	if c.keptCohort == nil {
		fresh := births.visitors.Without(b.all())
		c.keptCohort = &keptCohort{parts: slices.Clip(b.parts), visitors: fresh, size: int64(fresh.Count())}
		c.news = true
	}
	b.waiting = append(b.waiting, births.visitors)
	return c
}

// all returns who was born before.
func (b *bornBefore) all() bitmap.Set {
	if len(b.waiting) > 0 {
		b.set = bitmap.Any(append(b.waiting, b.set)...)
		b.waiting = b.waiting[:0]
	}
	return b.set
}

// cohortSet is who was born in a bucket and in none before.
type cohortSet struct {
	*keptCohort
	r     *run
	key   memoKey
	keeps bool // the memo is to keep it
	news  bool // and doesn't have what is known by now
}

// back returns how many of the cohort came in a period.
func (c *cohortSet) back(period int, comes *wholeUnion) int64 {
	if period < len(c.came) && comes.first != nil && slices.Equal(c.came[period].parts, comes.parts) {
		return c.came[period].count
	}
	n := int64(c.visitors.CountBoth(comes.visitors))
	if comes.first != nil && c.keeps {
		c.know(period, keptReturn{comes.parts, n})
	}
	return n
}

// know notes how many came. What the memo has isn't changed.
func (c *cohortSet) know(period int, came keptReturn) {
	if !c.news {
		own := *c.keptCohort
		own.came = slices.Clone(own.came)
		c.keptCohort, c.news = &own, true
	}
	*at(&c.came, uint32(period)) = came
}

func (c *cohortSet) keep() {
	if c.keeps && c.news {
		c.r.common.Memo.replace(c.key, c.keptCohort)
	}
}

// keptCohort is a cohort, where all who were born in its bucket and before it are the visitors of parts.
type keptCohort struct {
	parts    []keptPart
	visitors bitmap.Set
	size     int64
	came     []keptReturn // by period
}

// keptReturn is how many of a cohort are among the visitors of parts.
type keptReturn struct {
	parts []keptPart // none where it isn't known
	count int64
}

func (c *keptCohort) bytes() int64 {
	bytes := int64(c.visitors.Bytes()) + bytesOfParts(c.parts)
	for i := range c.came {
		bytes += keptPartBytes + bytesOfParts(c.came[i].parts)
	}
	return bytes
}

func (c *keptCohort) about() []weak.Pointer[index.Segment] {
	list := segmentsOf(nil, c.parts)
	for i := range c.came {
		list = segmentsOf(list, c.came[i].parts)
	}
	return list
}

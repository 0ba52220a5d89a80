package ids

import (
	"cmp"
	"slices"
)

// Set is several runs that are asked as one. It is not safe for concurrent use.
type Set struct {
	runs   []*Run
	bodies BodySet
}

// NewSet returns the set of all hashes of the runs.
func NewSet(runs ...*Run) *Set { return &Set{runs, BodySet{bodies: bodiesOf(runs)}} }

// Runs returns the runs of the set.
func (s *Set) Runs() []*Run { return s.runs }

// Lookup sets found[i] where hashes[i] is in one of the runs, and leaves alone what is set already:
// a caller that knows a hash from elsewhere saves asking for it. After an error, found is of no use.
func (s *Set) Lookup(hashes []Hash, found []bool) error { return s.bodies.Lookup(hashes, nil, found) }

// BodySet is several bodies that are asked as one. It is not safe for concurrent use.
type BodySet struct {
	bodies     []*Body
	absent     []int // those of a batch whose filter isn't in memory
	candidates []candidate
	warmed     byte
}

// NewBodySet returns the set of all hashes of the bodies.
func NewBodySet(bodies ...*Body) *BodySet { return &BodySet{bodies: bodies} }

// warmHashes is how many places are warmed at a time: their cache lines fit the first-level cache.
const warmHashes = 64

// Lookup sets found[i] where hashes[i] is in one of the bodies, and values[i] to its value there,
// unless values is nil. It leaves alone what found has already.
//
// For each body it asks the filters that are in memory, in the order of the batch. Then come those
// whose filter must be read, then those that passed, sorted, so that no piece is read twice.
func (s *BodySet) Lookup(hashes []Hash, values []uint32, found []bool) error {
	for _, r := range s.bodies {
		s.absent, s.candidates = s.absent[:0], s.candidates[:0]
		s.askKept(r, hashes, found)
		if err := s.askAbsent(r, hashes); err != nil {
			return err
		}
		if err := s.settle(r, values, found); err != nil {
			return err
		}
	}
	return nil
}

func (s *BodySet) askKept(r *Body, hashes []Hash, found []bool) {
	for i, h := range hashes {
		if i%warmHashes == 0 {
			s.warmed += r.warm(hashes[i:min(i+warmHashes, len(hashes))])
		}
		if found[i] {
			continue
		}
		if f, ok := r.keptFilter(r.bucket(h) / filterBuckets); !ok {
			s.absent = append(s.absent, i)
		} else if c, passes := r.candidate(f, h); passes {
			c.at = i
			s.candidates = append(s.candidates, c)
		}
	}
}

// warm reads the places in the filters that are in memory to which the hashes lead, without deciding
// anything: so the processor fetches them all at once. find decides on what it reads, and would wait
// for each. The sum is of no use, but that reading can't be left out.
func (r *Body) warm(hashes []Hash) (sum byte) {
	for _, h := range hashes {
		bucket := r.bucket(h)
		if f, ok := r.keptFilter(bucket / filterBuckets); ok {
			at := f.offset(bucket % filterBuckets / blockBuckets)
			sum += f.plain[at] + f.plain[min(at+blockBuckets, len(f.plain)-1)]
		}
	}
	return sum
}

func (s *BodySet) askAbsent(r *Body, hashes []Hash) error {
	slices.SortFunc(s.absent, func(a, b int) int { return cmp.Compare(hashes[a].Hi, hashes[b].Hi) })
	opened, f := -1, filter{}
	for _, i := range s.absent {
		if number := r.bucket(hashes[i]) / filterBuckets; number != opened {
			var err error
			if f, err = r.loadFilter(number); err != nil {
				return err
			}
			opened = number
		}
		if c, passes := r.candidate(f, hashes[i]); passes {
			c.at = i
			s.candidates = append(s.candidates, c)
		}
	}
	return nil
}

// settle reads the rests of the candidates.
func (s *BodySet) settle(r *Body, values []uint32, found []bool) error {
	slices.SortFunc(s.candidates, func(a, b candidate) int { return cmp.Compare(a.rest, b.rest) })
	opened, in := -1, rest{}
	for _, c := range s.candidates {
		if c.rest != opened {
			var err error
			if in, err = r.readRest(c.rest, c.count); err != nil {
				return err
			}
			opened = c.rest
		}
		var at int
		if at, found[c.at] = r.match(in, c); found[c.at] && values != nil {
			values[c.at] = in.value(at)
		}
	}
	return nil
}

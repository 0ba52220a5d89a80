package query

// blockSet is a set of pairs of a dense number and a visitor of a block.
type blockSet struct {
	dirty []uint32 // the words that aren't 0, as long as they are few
	words []uint64 // a bit for each visitor of each number below denseNumbers, as far as they were met
	table []uint64 // of the others: pairs plus one, by their hash; 0 is free
	used  int      // of the table
	// sparse says that few pairs are expected of this block: the table of them is smaller than the words that they
	// lie in.
	sparse bool
}

// sparseMost is how many pairs are few.
const sparseMost = 8 << 10

// denseNumbers is how many numbers have a bit for each visitor: two megabytes of them, the second-level
// cache.
const denseNumbers = 2 << 10

// dirtyMost is how many words are cleared one by one, at most: to clear all of them takes about as long.
const dirtyMost = 16 << 10

const wordsOfNumber = blockVisitors / 64

// add puts a pair into the set, and reports whether it is new.
func (s *blockSet) add(number, visitor uint32) bool {
	if s.sparse || number >= denseNumbers {
		return s.addToTable(pair(number, visitor) + 1)
	}
	at := int(number)*wordsOfNumber + int(visitor/64)
	if at >= len(s.words) {
		s.widen(int(number) + 1)
	}
	bit := uint64(1) << (visitor % 64)
	word := s.words[at]
	if word&bit != 0 {
		return false
	}
	if word == 0 && len(s.dirty) < dirtyMost {
		s.dirty = append(s.dirty, uint32(at))
	}
	s.words[at] = word | bit
	return true
}

// numbersGrowth is by how much the room for dense numbers grows, from that for so many on. It is much, as of columns with
// more values than a few there are mostly more than are dense, and room that is outgrown was cleared for nothing.
const (
	numbersGrowth = 8
	numbersLeast  = 32
)

// widen makes room for so many dense numbers.
func (s *blockSet) widen(numbers int) {
	room := max(numbersLeast, len(s.words)/wordsOfNumber)
	for room < numbers {
		room *= numbersGrowth
	}
	words := make([]uint64, min(room, denseNumbers)*wordsOfNumber)
	copy(words, s.words)
	s.words = words
}

func (s *blockSet) addToTable(key uint64) bool {
	if 2*s.used >= len(s.table) {
		s.grow()
	}
	for at := slotOf(key, len(s.table)); ; at = (at + 1) & (len(s.table) - 1) {
		switch s.table[at] {
		case key:
			return false
		case 0:
			s.table[at] = key
			s.used++
			return true
		}
	}
}

// slotOf spreads keys over a table, whose size is a power of two.
func slotOf(key uint64, size int) int {
	key *= 0x9e3779b97f4a7c15
	return int(key>>32) & (size - 1)
}

func (s *blockSet) grow() {
	old := s.table
	s.table, s.used = make([]uint64, max(1<<12, 2*len(old))), 0
	for _, key := range old {
		if key != 0 {
			s.addToTable(key)
		}
	}
}

// clear empties the set and keeps its memory.
func (s *blockSet) clear() {
	if len(s.dirty) < dirtyMost {
		for _, at := range s.dirty {
			s.words[at] = 0
		}
	} else {
		clear(s.words)
	}
	s.dirty = s.dirty[:0]
	if s.used > 0 {
		clear(s.table)
		s.used = 0
	}
}

// size is how many entries of a table the set is worth.
func (s *blockSet) size() int { return len(s.words)/4 + len(s.table)/2 }

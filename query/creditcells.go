package query

// cellTable is what groups got by one model. The cells of most groups and denominators lie in lists, which are
// quicker than a map.
type cellTable struct {
	lists  [][]*cell        // by number of the denominator, by group
	others map[uint64]*cell // by pair of group and number of the denominator
	count  int
	room   []cell // for more
}

// Above these, cells lie in the map: lists of all groups for each denominator would be mostly empty. There are as many
// denominators as lengths of paths. Lists have all groups for the first ones, which most paths have, and a few groups for
// many more; they take two megabytes at most.
const (
	cellDens      = 128
	cellGroups    = 1024
	cellMoreDens  = 1024
	cellFewGroups = 128
)

func newCellTable() *cellTable { return &cellTable{others: map[uint64]*cell{}} }

// cellsAtOnce is how many cells get their memory together.
const cellsAtOnce = 64

// of returns a cell.
func (t *cellTable) of(group, den uint32) *cell {
	if den < cellDens && group < cellGroups || den < cellMoreDens && group < cellFewGroups {
		slot := at(at(&t.lists, den), group)
		if *slot == nil {
			*slot = t.add()
		}
		return *slot
	}
	key := pair(group, den)
	c := t.others[key]
	if c == nil {
		c = t.add()
		t.others[key] = c
	}
	return c
}

func (t *cellTable) add() *cell {
	if len(t.room) == 0 {
		t.room = make([]cell, cellsAtOnce)
	}
	c := &t.room[0]
	t.room = t.room[1:]
	t.count++
	return c
}

// listed returns those cells of a denominator, by group, that lie in a list; nil where there are none.
func (t *cellTable) listed(den uint32) []*cell {
	if int(den) >= len(t.lists) {
		return nil
	}
	return t.lists[den]
}

// each shows all cells.
func (t *cellTable) each(show func(group, den uint32, c *cell)) {
	for den, list := range t.lists {
		for group, c := range list {
			if c != nil {
				show(uint32(group), uint32(den), c)
			}
		}
	}
	for key, c := range t.others {
		group, den := unpair(key)
		show(group, den, c)
	}
}

package query

import (
	"sort"

	"millimetric/index"
)

// blockVisitors is how many visitors a block has: what is kept of each of them for each of some hundred
// groups stays in the second-level cache.
const blockVisitors = 8 << 10

// walker is a segment that is walked block by block.
type walker struct {
	sealed *sealed
	view   *view
	run    int // the first that wasn't walked yet
}

// noVisitor is above all ordinals.
const noVisitor = 1 << 32

// eachBlock makes a pass like each, but block by block over all segments side by side; live events
// come before all blocks, and their visitors wait.
//
//  1. Runs rise in each segment, so those of a block are the next ones, and so are their rows.
//  2. A view holds one chunk of its segment, which several blocks may share. As blocks rise, no chunk
//     is unpacked twice.
//  3. Blocks in which nobody was met are passed over.
func (r *run) eachBlock(p *pass, c *counter) error {
	if p.from = max(p.from, r.source.Floor()); p.from >= p.to {
		return nil
	}
	if err := r.eachLive(p); err != nil {
		return err
	}
	c.sortWaiting()
	walkers, err := r.walkers(p)
	if err != nil {
		return err
	}
	for {
		next := c.nextWaiting()
		for _, w := range walkers {
			next = min(next, w.next())
		}
		if next == noVisitor {
			return nil
		}
		first := uint32(next / blockVisitors * blockVisitors)
		c.begin(first)
		for _, w := range walkers {
			if err := r.walkBlock(p, w, first); err != nil {
				return err
			}
		}
	}
}

// next returns the first visitor that wasn't walked yet, noVisitor if there is none.
func (w *walker) next() uint64 {
	if w.run == len(w.sealed.runs.Ordinals) {
		return noVisitor
	}
	return uint64(w.sealed.runs.Ordinals[w.run])
}

// walkers opens the segments that may matter.
func (r *run) walkers(p *pass) ([]*walker, error) {
	var walkers []*walker
	for _, segment := range r.source.Segments(p.from, p.to) {
		s := r.open(segment)
		possible, err := r.mayMatter(p, s)
		if err != nil {
			return nil, err
		}
		if !possible {
			continue
		}
		if err := s.openRuns(); err != nil {
			return nil, err
		}
		walkers = append(walkers, &walker{sealed: s, view: &view{run: r}})
	}
	return walkers, nil
}

// walkBlock takes the rows of a segment that belong to a block.
func (r *run) walkBlock(p *pass, w *walker, first uint32) error {
	if w.next() >= uint64(first)+blockVisitors {
		return nil
	}
	runs := w.sealed.runs
	count := sort.Search(len(runs.Ordinals)-w.run, func(i int) bool { return runs.Ordinals[w.run+i]-first >= blockVisitors })
	from, to := int(runs.Starts[w.run]), int(runs.Starts[w.run+count])
	v := w.view
	v.block = first
	for from < to {
		if chunk := from / index.ChunkRows; v.sealed == nil || v.chunk != chunk {
			v.turn(w.sealed, chunk)
		}
		end := min(to, v.first+v.rows)
		if err := r.takeRows(p, v, from-v.first, end-v.first); err != nil {
			return err
		}
		from = end
	}
	w.run += count
	return nil
}

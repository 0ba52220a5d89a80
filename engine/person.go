package engine

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"millimetric/engine/ledger"
	"millimetric/index"
	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// target is somebody to be erased, and the ledger's entry that says so. What was committed before the
// entry's time is taken.
type target struct {
	kind  ledger.Kind
	id    string
	entry ledger.Entry
}

// foundRows are rows to be hidden, by segment, and how many of them are of which target.
type foundRows struct {
	rows  []bitmap.Set
	by    []int
	shown []int     // of by, those that answers show: the rest is over, and would be dropped in any case
	least event.Seq // position of all these rows; 0 where there are none
}

// personReader looks for the rows of persons in what is sealed.
type personReader struct {
	e       *Engine
	p       *project
	state   *sealed
	clock   *Snapshot // tells when positions were committed
	readers []*index.Reader
}

func (e *Engine) newPersonReader(p *project, state *sealed) *personReader {
	return &personReader{e: e, p: p, state: state, clock: &Snapshot{e: e, p: p, sealed: state}, readers: make([]*index.Reader, len(state.segments))}
}

func (r *personReader) reader(segment int) (_ *index.Reader, err error) {
	if r.readers[segment] == nil {
		r.readers[segment], err = r.state.segments[segment].Reader()
	}
	return r.readers[segment], err
}

// findRows finds the rows of all targets that aren't hidden yet. A row of several counts for the first.
func (e *Engine) findRows(p *project, state *sealed, targets []target) (foundRows, error) {
	r := e.newPersonReader(p, state)
	found := foundRows{rows: make([]bitmap.Set, len(state.segments)), by: make([]int, len(targets)), shown: make([]int, len(targets))}
	floor := floorOf(e.today(), state.days)
	for n, t := range targets {
		upTo, err := r.committedBefore(t.entry.At)
		if err != nil {
			return found, err
		}
		for i := range state.segments {
			rows, err := r.rowsOf(i, t, upTo)
			if err != nil {
				return found, fmt.Errorf("look through segment %d: %w", state.manifest.segments[i].stamp, err)
			}
			fresh := bitmap.Of(rows).Without(state.manifest.segments[i].hidden).Without(found.rows[i])
			found.rows[i] = found.rows[i].Or(fresh)
			found.by[n] += fresh.Count()
			shown, err := r.shown(i, fresh, floor)
			if err != nil {
				return found, fmt.Errorf("look through segment %d: %w", state.manifest.segments[i].stamp, err)
			}
			found.shown[n] += shown
			if found.least, err = r.leastOf(i, fresh, found.least); err != nil {
				return found, fmt.Errorf("look through segment %d: %w", state.manifest.segments[i].stamp, err)
			}
		}
	}
	return found, nil
}

// shown counts the rows of a segment that don't lie before a time.
func (r *personReader) shown(segment int, rows bitmap.Set, floor event.Time) (n int, err error) {
	if entry := &r.state.manifest.segments[segment]; entry.minTime >= floor || rows.Count() == 0 {
		return rows.Count(), nil
	}
	reader, err := r.reader(segment)
	if err != nil {
		return 0, err
	}
	times, err := reader.Times(rows.Numbers())
	for _, at := range times {
		if at >= floor {
			n++
		}
	}
	return n, err
}

// leastOf returns the least position of the rows of a segment, or one that is known where that is less; 0 is none.
func (r *personReader) leastOf(segment int, rows bitmap.Set, known event.Seq) (event.Seq, error) {
	if rows.Count() == 0 || known > 0 && known <= r.state.manifest.segments[segment].minSeq {
		return known, nil
	}
	reader, err := r.reader(segment)
	if err != nil {
		return known, err
	}
	for _, row := range rows.Numbers() {
		l, err := reader.Link(row)
		if err != nil {
			return known, err
		}
		if known == 0 || l.Seq < known {
			known = l.Seq
		}
	}
	return known, nil
}

// committedBefore returns the last position that was committed before a time.
func (r *personReader) committedBefore(at event.Time) (event.Seq, error) {
	var failed error
	n := sort.Search(int(r.state.watermark), func(i int) bool {
		committed, known, err := r.clock.CommittedAt(event.Seq(i + 1))
		if err != nil {
			failed = err
		}
		return known && committed >= at
	})
	return event.Seq(n), failed
}

// rowsOf returns the rows of a target in a segment, up to a position, rising.
func (r *personReader) rowsOf(segment int, t target, upTo event.Seq) (rows []uint32, err error) {
	entry := &r.state.manifest.segments[segment]
	if t.id == "" || entry.minSeq > upTo {
		return nil, nil
	}
	if t.kind == ledger.KindUser {
		rows, err = r.ofUser(segment, t.id)
	} else {
		rows, err = r.ofVisitor(segment, t.id)
	}
	if err != nil || len(rows) == 0 || t.kind != ledger.KindDevice && entry.maxSeq <= upTo {
		return rows, err
	}
	reader, err := r.reader(segment)
	if err != nil {
		return nil, err
	}
	kept := rows[:0]
	for _, row := range rows {
		l, err := reader.Link(row)
		if err != nil {
			return nil, err
		}
		if l.Seq <= upTo && (t.kind != ledger.KindDevice || l.UserID == "") {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

// ofUser returns the rows with a user id.
func (r *personReader) ofUser(segment int, id string) ([]uint32, error) {
	s := r.state.segments[segment]
	if !s.MayHold(event.ColumnUserID, id) {
		return nil, nil
	}
	code, found, err := s.Dict(event.ColumnUserID).Find(id)
	if err != nil || !found {
		return nil, err
	}
	reader, err := r.reader(segment)
	if err != nil {
		return nil, err
	}
	return reader.RowsWith(event.ColumnUserID, code)
}

// ofVisitor returns the rows of a visitor.
func (r *personReader) ofVisitor(segment int, id string) (rows []uint32, err error) {
	ordinal, known, err := r.p.ordinals.find(id)
	if err != nil || !known {
		return nil, err
	}
	reader, err := r.reader(segment)
	if err != nil {
		return nil, err
	}
	from, to, err := reader.RowsOf(ordinal)
	if err != nil {
		return nil, err
	}
	for row := from; row < to; row++ {
		rows = append(rows, row)
	}
	return rows, nil
}

// devicesOf returns the visitors whose events without a user id belong to a user: those whose first link,
// of all that aren't hidden and whose time isn't over, is with that user.
func (e *Engine) devicesOf(p *project, user target) (devices []string, err error) {
	s := e.Snapshot(p.number)
	defer s.Release()
	r := e.newPersonReader(p, s.sealed)
	upTo, err := r.committedBefore(user.entry.At)
	if err != nil {
		return nil, err
	}
	met := map[string]bool{}
	for i := range s.sealed.segments {
		rows, err := r.rowsOf(i, user, upTo)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			id, err := r.readers[i].AnonymousID(row)
			if err != nil {
				return nil, err
			}
			met[id] = true
		}
	}
	for id := range met {
		first, err := r.firstUser(id, upTo, s.floor)
		if err != nil {
			return nil, err
		}
		if first == user.id {
			devices = append(devices, id)
		}
	}
	slices.Sort(devices)
	return devices, nil
}

// firstUser returns the user of a visitor's first link, "" where it has none.
func (r *personReader) firstUser(visitor string, upTo event.Seq, floor event.Time) (string, error) {
	var first event.Link
	for i, s := range r.state.segments {
		rows, err := r.ofVisitor(i, visitor)
		if err != nil {
			return "", err
		}
		for _, row := range rows {
			if s.Hidden().Has(row) {
				continue
			}
			link, err := r.readers[i].Link(row)
			if err != nil {
				return "", err
			}
			if link.UserID != "" && link.Seq <= upTo && link.Time >= floor && (first.UserID == "" || link.Before(first)) {
				first = link
			}
		}
	}
	return first.UserID, nil
}

// openTargets returns whom the ledger has and the manifest doesn't say is done, of those who are there: of
// all others there is nothing to hide, but the time of the last one counts.
func (e *Engine) openTargets(p *project, known map[ledger.Hash]string) ([]target, error) {
	held, _ := e.hold(p)
	defer held.Release()
	state := held.sealed
	entries := e.ledger.Of(p.number, state.erasures.done)
	wanted := map[ledger.Hash]ledger.Kind{}
	for _, entry := range entries {
		if known[entry.Who] == "" {
			wanted[entry.Who] = entry.Kind
		}
	}
	if len(wanted) > 0 {
		if err := e.resolve(p, state, wanted, known); err != nil {
			return nil, err
		}
	}
	targets := make([]target, len(entries))
	for i, entry := range entries {
		targets[i] = target{kind: entry.Kind, id: known[entry.Who], entry: entry}
	}
	return targets, nil
}

// resolve finds the ids that hashes stand for, by hashing all that there are. It is for erasures that a
// crash, or a failure, has cut, for those that a restored store doesn't know, and for the search for what is left.
func (e *Engine) resolve(p *project, state *sealed, wanted map[ledger.Hash]ledger.Kind, known map[ledger.Hash]string) error {
	key, err := e.ledgerKey(p.number)
	if err != nil {
		return err
	}
	hasher, kinds := key.Hasher(), map[ledger.Kind]bool{}
	for _, kind := range wanted {
		kinds[kind] = true
	}
	for _, s := range state.segments {
		for _, dict := range []struct {
			texts *index.Dict
			kinds []ledger.Kind
		}{{s.Dict(event.ColumnUserID), []ledger.Kind{ledger.KindUser}}, {s.AnonymousIDs(), []ledger.Kind{ledger.KindVisitor, ledger.KindDevice}}} {
			dict.kinds = slices.DeleteFunc(dict.kinds, func(kind ledger.Kind) bool { return !kinds[kind] })
			if len(dict.kinds) == 0 {
				continue
			}
			for i := range uint32(dict.texts.Len()) {
				id, err := dict.texts.At(i)
				if err != nil {
					return err
				}
				for _, kind := range dict.kinds {
					if who := hasher.Hash(kind, id); id != "" && wanted[who] == kind {
						known[who] = strings.Clone(id)
					}
				}
			}
		}
	}
	return nil
}

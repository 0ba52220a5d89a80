package visitors

import "millimetric/index/ids"

// Recent maps the visitors that aren't in a run yet to their ordinals, in 20 bytes per slot without
// pointers. It grows without bound: its user freezes it in time, and makes a run of it. The zero value
// is empty. Readers may share one that nobody adds to.
type Recent struct{ table ids.Table[uint32] }

// Add adds a visitor. Where it was there already, it keeps its ordinal, and Add reports false.
func (r *Recent) Add(h ids.Hash, ordinal uint32) bool { return r.table.Add(h, ordinal) }

// Find returns the ordinal of a visitor.
func (r *Recent) Find(h ids.Hash) (ordinal uint32, found bool) { return r.table.Find(h) }

// Len returns how many visitors there are.
func (r *Recent) Len() int { return r.table.Len() }

// Bytes returns the memory that the table takes.
func (r *Recent) Bytes() int { return r.table.Bytes() }

// Entries returns the visitors, rising by hash, as Build wants them.
func (r *Recent) Entries() []Entry {
	entries := make([]Entry, 0, r.Len())
	r.table.Rising(func(h ids.Hash, ordinal uint32) { entries = append(entries, Entry{h, ordinal}) })
	return entries
}

package ids

// Recent is the set of hashes that aren't in a run yet. It grows without bound: its user freezes it in
// time, and makes a run of it. The zero value is empty. Readers may share one that nobody adds to.
type Recent struct{ table Table[struct{}] }

// Add adds a hash. It reports false where the hash was there already.
func (r *Recent) Add(h Hash) bool { return r.table.Add(h, struct{}{}) }

// Has reports whether a hash is there.
func (r *Recent) Has(h Hash) bool {
	_, found := r.table.Find(h)
	return found
}

// Len returns how many hashes there are.
func (r *Recent) Len() int { return r.table.Len() }

// Bytes returns the memory that the table takes.
func (r *Recent) Bytes() int { return r.table.Bytes() }

// Sorted returns the hashes, rising.
func (r *Recent) Sorted() []Hash {
	sorted := make([]Hash, 0, r.Len())
	r.table.Rising(func(h Hash, _ struct{}) { sorted = append(sorted, h) })
	return sorted
}

package backup

// Needed lists the objects that a restore may need.
func (a *Archive) Needed() []string {
	names := []string{keyName, headName}
	for _, ref := range a.Head.refs(a.Catalog) {
		names = append(names, ref.Name)
	}
	return names
}

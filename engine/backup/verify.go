package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// Report is what a check found.
type Report struct {
	Objects  int      `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Unnamed  int      `json:"unnamed"` // objects that nothing names: leftovers, which do no harm
	Bases    int      `json:"bases"`
	Groups   uint64   `json:"groups"` // of the log that were read
	Problems []string `json:"problems"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// problemsMax bounds what a report says.
const problemsMax = 100

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < problemsMax {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// headLate is how much newer than the head an object may be that it doesn't name: it is being written, or the
// clocks of server and target differ.
const headLate = 15 * time.Minute

// Check compares what the target lists with what the backup must have: names and lengths. It reads no more
// than the head and the catalog.
func (a *Archive) Check(ctx context.Context) (*Report, error) {
	r := &Report{Problems: []string{}}
	there, fresh := map[string]int64{}, map[string]bool{}
	err := a.target.List(ctx, "", func(o Object) error {
		there[o.Name] = o.Bytes
		fresh[o.Name] = o.Modified.Sub(a.Head.Written) > headLate
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, ref := range a.Head.refs(a.Catalog) {
		r.Objects++
		r.Bytes += ref.Bytes
		switch bytes, ok := there[ref.Name]; {
		case !ok:
			r.problem("object %s is missing", ref.Name)
		case bytes != ref.Bytes:
			r.problem("object %s has %d bytes, not %d", ref.Name, bytes, ref.Bytes)
		}
		delete(there, ref.Name)
	}
	for name := range there {
		if name == keyName || name == headName {
			r.Objects++
			r.Bytes += there[name]
		} else if ours(name) {
			r.Unnamed++
			if fresh[name] {
				r.problem("object %s is newer than the head: somebody may have put an older head back", name)
			}
		}
	}
	if _, ok := there[keyName]; !ok {
		r.problem("object %s is missing: the backup can't be opened with the root key alone", keyName)
	}
	for i := range a.Catalog.Timelines {
		r.Bases += len(a.Catalog.Timelines[i].Bases)
	}
	if r.Bases == 0 {
		r.problem("there is no base yet: nothing can be restored")
	}
	return r, nil
}

// Verify is Check, and then reads all objects, or those that one base needs: hashes, decryption, and that all
// entries decode and the log has no gaps.
func (a *Archive) Verify(ctx context.Context, base string) (*Report, error) {
	r, err := a.Check(ctx)
	if err != nil {
		return nil, err
	}
	refs := a.Head.refs(a.Catalog)
	if base != "" {
		found, of := a.base(base)
		if found == nil {
			return nil, fmt.Errorf("%w: the backup has no base %s", event.ErrMissing, base)
		}
		refs = []Ref{found.Ref}
		for _, name := range found.Things {
			refs = append(refs, of.Things[name])
		}
	}
	for _, ref := range refs {
		if err := a.verify(ctx, ref, r); err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				return nil, err
			}
			r.problem("%v", err)
		}
	}
	if base == "" {
		a.verifyLog(r)
	}
	return r, nil
}

func (a *Archive) verify(ctx context.Context, ref Ref, r *Report) error {
	if !entriesName.MatchString(ref.Name) {
		_, err := a.readWhole(ctx, ref)
		return err
	}
	groups := uint64(0)
	err := a.read(ctx, ref, visitor{commit: func(c engine.Commit) error {
		if c.Number > 0 {
			groups++
		}
		return nil
	}})
	r.Groups += groups
	return err
}

// verifyLog finds gaps that no base covers.
func (a *Archive) verifyLog(r *Report) {
	for i := range a.Catalog.Timelines {
		t := &a.Catalog.Timelines[i]
		if len(t.Bases) == 0 {
			continue
		}
		last := t.Bases[0].Group
		for _, p := range a.Head.logOf(a.Catalog, t.ID) {
			if p.From > last+1 {
				covered := slices.ContainsFunc(t.Bases, func(b BaseRef) bool { return b.Group+1 >= p.From })
				if !covered {
					r.problem("groups %d to %d of timeline %s are missing, and no base has them", last+1, p.From-1, t.ID)
				}
			}
			last = max(last, p.To)
		}
	}
}

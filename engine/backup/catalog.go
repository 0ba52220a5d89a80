package backup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// The objects of a target:
//
//	key            the backup key, wrapped under the root key
//	head           what there is now (Head); the one object, with key, that is ever replaced
//	catalog/X      what changes seldom of it (Catalog)
//	kept/X         something that is kept only as it is now, such as the keyring
//	T/base/X       a base of timeline T: the values of the store but for things
//	T/thing/P-S    the values of a thing: project and stamp, in hex
//	T/log/X        a part, or parts that were merged: commits
const (
	keyName  = "key"
	headName = "head"

	headFormat = 1
	// headBytesMax bounds what is read of a head or a catalog.
	headBytesMax = 256 << 20
)

// Ref names an object by what it holds.
type Ref struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Hash  string `json:"sha256"` // of its bytes as the target has them
}

// LogRef is a part of the log, or several that were merged.
type LogRef struct {
	Ref
	First   uint64     `json:"first"` // numbers of the first and the last part
	Last    uint64     `json:"last"`
	From    uint64     `json:"from,omitempty"` // the first and the last group, 0 where there is none
	To      uint64     `json:"to,omitempty"`
	Began   event.Time `json:"began"` // commit times of the first and the last commit
	Ended   event.Time `json:"ended"`
	Commits int        `json:"commits"`
	Level   int        `json:"level,omitempty"` // how often it was merged
}

// BaseRef is a base.
type BaseRef struct {
	Ref
	ID     string     `json:"id"`
	Group  uint64     `json:"group"` // the last one that it holds
	At     event.Time `json:"at"`    // when that was committed
	Taken  time.Time  `json:"taken"`
	Next   uint64     `json:"next"` // the first part that may hold what isn't in the base
	Things []string   `json:"things"`
}

// Timeline is the history of one store. Another begins where a store was restored: its groups have the numbers
// of others from then on.
type Timeline struct {
	ID     string         `json:"id"`
	Began  time.Time      `json:"began"`
	Bases  []BaseRef      `json:"bases,omitempty"`
	Log    []LogRef       `json:"log,omitempty"`
	Things map[string]Ref `json:"things,omitempty"`
}

// Catalog says what there is but for the newest parts.
type Catalog struct {
	Timelines []Timeline `json:"timelines"` // the newest last
}

// Head says what there is now.
type Head struct {
	Format   int            `json:"format"`
	Timeline string         `json:"timeline"`
	Serial   uint64         `json:"serial"` // rises with each head
	Written  time.Time      `json:"written"`
	Catalog  Ref            `json:"catalog"`
	Parts    []LogRef       `json:"parts,omitempty"` // that aren't in the catalog yet
	NextPart uint64         `json:"next"`
	Kept     map[string]Ref `json:"kept,omitempty"`
}

func (c *Catalog) timeline(id string) *Timeline {
	for i := range c.Timelines {
		if c.Timelines[i].ID == id {
			return &c.Timelines[i]
		}
	}
	return nil
}

// clone copies a catalog so that it can be changed.
func (c *Catalog) clone() *Catalog {
	next := &Catalog{Timelines: slices.Clone(c.Timelines)}
	for i := range next.Timelines {
		t := &next.Timelines[i]
		t.Bases, t.Log = slices.Clone(t.Bases), slices.Clone(t.Log)
		things := make(map[string]Ref, len(t.Things))
		for name, ref := range t.Things {
			things[name] = ref
		}
		t.Things = things
	}
	return next
}

// logOf returns all parts of a timeline, in their order.
func (h *Head) logOf(c *Catalog, id string) []LogRef {
	t := c.timeline(id)
	if t == nil {
		return nil
	}
	all := slices.Clone(t.Log)
	if id == h.Timeline {
		all = append(all, h.Parts...)
	}
	slices.SortFunc(all, func(a, b LogRef) int { return cmp.Compare(a.First, b.First) })
	return all
}

// end returns the last group of a timeline and when it was committed.
func (h *Head) end(c *Catalog, id string) (group uint64, at event.Time) {
	if t := c.timeline(id); t != nil {
		for _, b := range t.Bases {
			if b.Group >= group {
				group, at = b.Group, max(at, b.At)
			}
		}
	}
	for _, p := range h.logOf(c, id) {
		if p.To > group {
			group, at = p.To, p.Ended
		}
	}
	return group, at
}

// refs lists all objects but the head and the key.
func (h *Head) refs(c *Catalog) (all []Ref) {
	if h.Catalog.Name != "" {
		all = append(all, h.Catalog)
	}
	for _, ref := range h.Kept {
		all = append(all, ref)
	}
	for i := range c.Timelines {
		t := &c.Timelines[i]
		for _, b := range t.Bases {
			all = append(all, b.Ref)
		}
		for _, p := range t.Log {
			all = append(all, p.Ref)
		}
		for _, ref := range t.Things {
			all = append(all, ref)
		}
	}
	for _, p := range h.Parts {
		all = append(all, p.Ref)
	}
	slices.SortFunc(all, func(a, b Ref) int { return compare(a.Name, b.Name) })
	return all
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func thingName(timeline string, t engine.Thing) string {
	return fmt.Sprintf("%s/thing/%08x-%016x", timeline, uint32(t.Project), t.Stamp)
}

// decodeHead reads a head, and refuses one of another format.
func decodeHead(text []byte) (h Head, err error) {
	if err := json.Unmarshal(text, &h); err != nil {
		return h, damaged("the head can't be read: %w", err)
	}
	if h.Format > headFormat {
		return h, fmt.Errorf("%w: the backup has format %d, this program reads %d: use a newer program", event.ErrInput, h.Format, headFormat)
	}
	if h.Format != headFormat || h.Timeline == "" {
		return h, damaged("the head says nothing")
	}
	return h, nil
}

// decodeCatalog reads a catalog, and checks that it adds up with its head.
func decodeCatalog(text []byte, h *Head) (*Catalog, error) {
	c := &Catalog{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, damaged("the catalog can't be read: %w", err)
	}
	if c.timeline(h.Timeline) == nil {
		return nil, damaged("the catalog has no timeline %s", h.Timeline)
	}
	for i := range c.Timelines {
		t := &c.Timelines[i]
		next := uint64(0)
		for _, p := range h.logOf(c, t.ID) {
			if p.First < next || p.Last < p.First || next > 0 && p.First != next {
				return nil, damaged("part %d of timeline %s follows part %d", p.First, t.ID, next-1)
			}
			next = p.Last + 1
		}
		for _, b := range t.Bases {
			for _, name := range b.Things {
				if _, ok := t.Things[name]; !ok {
					return nil, damaged("base %s names %s, which the catalog doesn't", b.ID, name)
				}
			}
		}
	}
	return c, nil
}

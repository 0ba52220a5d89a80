package auth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"millimetric/index/event"
)

// What is done about records that can't be read. Nothing that they say is guessed, and nothing is put in their
// place, so that all is as it was once they are put back from a backup:
//
//   - A key whose record can't be read is no valid key.
//   - A project whose record can't be read answers nothing but that it is damaged. That it is there, its keys tell.
//     No project is made meanwhile, as it could be given the number or the short name of one that can't be read.
//   - An account whose record can't be read loses its name alone: its keys and projects go on. No other one is made
//     in its place.

// Lost are records of a kind that can't be read: those with ids from From to To, both included. Whether there was
// one of each id between them, nobody can say.
type Lost struct {
	Kind, From, To string
	Cause          error
}

// has reports whether a record may be among them.
func (l *Lost) has(kind, id string) bool { return l.Kind == kind && l.From <= id && id <= l.To }

// Lost lists what couldn't be read when the book was opened.
func (b *Book) Lost() []Lost { return slices.Clone(b.index.Load().lost) }

// LostProjects lists the ids of an account's projects whose records can't be read, as far as keys tell of them.
func (b *Book) LostProjects(account string) (ids []string) {
	ix := b.index.Load()
	for _, k := range ix.keys {
		if k.Account == account && k.Project != "" && ix.projects[k.Project] == nil && ix.lostRecord(recordProject, k.Project) != nil {
			ids = append(ids, k.Project)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Incomplete says that some record can't be read, nil where all can.
func (b *Book) Incomplete() error {
	ix := b.index.Load()
	if len(ix.lost) == 0 {
		return nil
	}
	return damagedRecord(&ix.lost[0])
}

// NoProject is the error for a project that isn't found, by its id or its short name.
func (b *Book) NoProject(name string) error {
	return cmp.Or(b.MaybeLost(name), missing("No such project"))
}

// MaybeLost says that a project may be one whose record can't be read, nil where it isn't. Of a short name,
// and of "", which stands for all, nobody can say it once there is one.
func (b *Book) MaybeLost(name string) error {
	ix := b.index.Load()
	if strings.HasPrefix(name, projectPrefix) {
		return ix.lostRecord(recordProject, name)
	}
	return ix.lostAny(recordProject)
}

// lostRecord says that a record may be one that can't be read, nil where it isn't.
func (ix *index) lostRecord(kind, id string) error {
	for i := range ix.lost {
		if ix.lost[i].has(kind, id) {
			return damagedRecord(&ix.lost[i])
		}
	}
	return nil
}

// lostAny says that some record of a kind can't be read, nil where all can.
func (ix *index) lostAny(kind string) error {
	for i := range ix.lost {
		if ix.lost[i].Kind == kind {
			return damagedRecord(&ix.lost[i])
		}
	}
	return nil
}

func damagedRecord(l *Lost) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: l.Cause,
		Notes: []string{fmt.Sprintf("The record of the %s can't be read; put it back from a backup", l.Kind)}}
}

package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/index/event"
)

// OverlapMax bounds how long the old key of a rotation stays good: two valid keys are twice the risk.
const OverlapMax = 7 * 24 * time.Hour

// ProjectChange says what of a project shall be another; nil stays.
type ProjectChange struct {
	Name     *string
	Slug     *string
	Origins  *[]string
	Archived *bool
	Settings *Settings
}

// ChangeProject changes a project of an account, by its id. The change holds from the moment this
// returns.
func (b *Book) ChangeProject(ctx context.Context, account, id string, want ProjectChange) (Project, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.index.Load().clone()
	old := next.project(id)
	if old == nil || old.Account != account {
		return Project{}, missing("No such project")
	}
	p, fields := *old, event.FieldErrors{}
	if want.Name != nil {
		p.Name = strings.TrimSpace(*want.Name)
		checkName(p.Name, fields)
	}
	if want.Slug != nil && *want.Slug != p.Slug {
		if err := next.lostAny(recordProject); err != nil {
			return Project{}, err // whose short name it may be
		}
		p.Slug = *want.Slug
		next.checkSlug(account, p.Slug, fields)
	}
	if want.Origins != nil {
		p.Origins = normalOrigins(*want.Origins, fields)
	}
	if want.Settings != nil {
		p.Settings = *want.Settings
		p.Settings.check(fields)
	}
	if want.Archived != nil && *want.Archived != (p.Archived != nil) {
		p.Archived = nil
		if *want.Archived {
			now := b.now().UTC()
			p.Archived = &now
		}
	}
	if err := refusal(fields); err != nil {
		return Project{}, err
	}
	next.projects[id] = &p
	if err := b.change(ctx, next, record(recordProject, id, p)); err != nil {
		return Project{}, fmt.Errorf("change project %s: %w", id, err)
	}
	return p, nil
}

// Condemn ends all keys of a project and has it take no more events, in one step: what comes after may
// take long, and nobody shall use the project meanwhile.
func (b *Book) Condemn(ctx context.Context, account, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, now := b.index.Load().clone(), b.now().UTC()
	old := next.project(id)
	if old == nil || old.Account != account {
		return missing("No such project")
	}
	p := *old
	if p.Archived == nil {
		p.Archived = &now
	}
	next.projects[id] = &p
	records := []Record{record(recordProject, id, p)}
	for prefix, e := range next.keys {
		if e.Project != id || e.Revoked != nil {
			continue
		}
		ended := &entry{Key: e.Key, used: e.used}
		ended.Revoked, ended.LastUsed = &now, e.lastUsed()
		next.keys[prefix] = ended
		records = append(records, record(recordKey, prefix, ended.Key))
	}
	if err := b.change(ctx, next, records...); err != nil {
		return fmt.Errorf("end keys of project %s: %w", id, err)
	}
	return nil
}

// Remove forgets a project of which nothing is kept any more, with its keys. Its number stays taken.
func (b *Book) Remove(ctx context.Context, account, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, now := b.index.Load().clone(), b.now().UTC()
	old := next.project(id)
	if old == nil || old.Account != account {
		return missing("No such project")
	}
	p := Project{ID: id, Number: old.Number, Account: account, Created: old.Created, Archived: old.Archived, Removed: &now}
	next.projects[id] = &p
	records := []Record{record(recordProject, id, p)}
	for prefix, e := range next.keys {
		if e.Project == id {
			delete(next.keys, prefix)
			records = append(records, Record{Kind: recordKey, ID: prefix})
		}
	}
	if err := b.change(ctx, next, records...); err != nil {
		return fmt.Errorf("remove project %s: %w", id, err)
	}
	return nil
}

// KeyNamed finds a key of an account by its prefix. project is the id of the project that it must be
// of, "" where it must be an account key.
func (b *Book) KeyNamed(account, project, prefix string) (Key, error) {
	ix := b.index.Load()
	found := ix.keys[prefix]
	if found == nil || found.Account != account || found.Project != project {
		return Key{}, cmp.Or(ix.lostRecord(recordKey, prefix), missing("No such key"))
	}
	k := found.Key
	k.LastUsed = found.lastUsed()
	return k, nil
}

// KeyChange says what of a key shall be another; nil stays. All of it can only take away.
type KeyChange struct {
	Name    *string
	Expires *time.Time
	Scopes  *[]string
	Narrow  Narrowing // its nil lists and times stay, too
}

// Narrow lets a key do less. It holds from the moment this returns.
func (b *Book) Narrow(ctx context.Context, prefix string, want KeyChange) (Key, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.index.Load().clone()
	old, ok := next.keys[prefix]
	if !ok {
		return Key{}, missing("No such key")
	}
	k, fields := old.Key, event.FieldErrors{}
	want.apply(&k, fields)
	k.checkKey(fields)
	if err := refusal(fields); err != nil {
		return Key{}, err
	}
	k.LastUsed = old.lastUsed()
	next.keys[prefix] = &entry{Key: k, used: old.used}
	if err := b.change(ctx, next, record(recordKey, prefix, k)); err != nil {
		return Key{}, fmt.Errorf("narrow key: %w", err)
	}
	return k, nil
}

// apply changes k, and notes where that would give it more.
func (want KeyChange) apply(k *Key, fields event.FieldErrors) {
	outer := k.Narrowing
	if want.Name != nil {
		k.Name = *want.Name
	}
	if want.Expires != nil {
		if k.Expires != nil && want.Expires.After(*k.Expires) {
			fields.Add("expires_at", "May only become earlier; mint another key for longer")
		}
		k.Expires = want.Expires
	}
	if want.Scopes != nil {
		for _, scope := range *want.Scopes {
			if !slices.Contains(k.Scopes, scope) {
				fields.Add("scopes", "May only be narrowed; mint another key for more: "+scope)
			}
		}
		k.Scopes = *want.Scopes
	}
	if want.Narrow.Routes != nil {
		k.Routes = want.Narrow.Routes
	}
	if want.Narrow.Tools != nil {
		k.Tools = want.Narrow.Tools
	}
	if want.Narrow.From != nil {
		k.From = want.Narrow.From
	}
	if want.Narrow.To != nil {
		k.To = want.Narrow.To
	}
	if want.Narrow.K != 0 {
		k.K = want.Narrow.K
	}
	k.Narrowing.within(outer, fields)
}

// checkKey notes what is wrong with a key's scopes and narrowing.
func (k *Key) checkKey(fields event.FieldErrors) {
	for _, scope := range k.Scopes {
		if scope != ScopeExport || k.Kind != KindRead {
			fields.Add("scopes", fmt.Sprintf("Expected none, or for a read key %q", ScopeExport))
		}
	}
	if len([]rune(k.Name)) > NameMax {
		fields.Add("name", fmt.Sprintf("Must have at most %d characters", NameMax))
	}
	if (k.From != nil || k.To != nil) && k.Kind != KindRead && k.Kind != KindAccount {
		fields.Add("from", "Only a key that reads can have a range of dates")
	}
	k.Narrowing.check(fields)
}

// RotateKey makes a key that may do what an old one may, which stays good for overlap only.
func (b *Book) RotateKey(ctx context.Context, prefix string, overlap time.Duration) (Minted, Key, error) {
	if overlap < 0 || overlap > OverlapMax {
		return Minted{}, Key{}, event.InvalidField(event.CodeInvalidPayload, "overlap", "Must be at most 7d")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	next, now := b.index.Load().clone(), b.now().UTC()
	old, ok := next.keys[prefix]
	switch {
	case !ok:
		return Minted{}, Key{}, missing("No such key")
	case old.Revoked != nil || old.Expires != nil && !now.Before(*old.Expires):
		return Minted{}, Key{}, event.Invalid(event.CodeInvalidPayload, "The key isn't good any more; mint another")
	}
	minted, err := b.mint(NewKey{Kind: old.Kind, Env: old.Env, Name: old.Name, Account: old.Account, Project: old.Project,
		Expires: old.Expires, Scopes: old.Scopes, Narrow: old.Narrowing})
	if err != nil {
		return Minted{}, Key{}, err
	}
	ended := &entry{Key: old.Key, used: old.used}
	ended.LastUsed = old.lastUsed()
	if until := now.Add(overlap); overlap == 0 {
		ended.Revoked = &now
	} else if ended.Expires == nil || until.Before(*ended.Expires) {
		ended.Expires = &until
	}
	next.keys[prefix] = ended
	next.add(minted)
	if err := b.change(ctx, next, record(recordKey, minted.Prefix, minted.Key), record(recordKey, prefix, ended.Key)); err != nil {
		return Minted{}, Key{}, fmt.Errorf("rotate key: %w", err)
	}
	return minted, ended.Key, nil
}

func missing(note string) error {
	return &event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound, Notes: []string{note}}
}

func refusal(fields event.FieldErrors) error {
	if len(fields) == 0 {
		return nil
	}
	return &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidPayload, Fields: fields}
}

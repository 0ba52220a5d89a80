// Package auth knows the accounts, the projects and the keys, and turns what a client shows into a
// grant: a project and what may be done with it. Doors receive grants, never keys.
//
// It knows no HTTP and holds no events. It starts no goroutines. What reaches the disk, through the
// store that it is given: accounts, projects, and of each key all but its secret, of which only an
// HMAC under the keyring's pepper is kept. When a key was last used is noted in memory and written
// by Flush, at most once a minute and key.
package auth

import (
	"cmp"
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millimetric/index/event"
)

// Record is a small named value, as the store keeps it.
type Record struct {
	Kind, ID string
	Value    []byte
}

// Store keeps records. A write is atomic and on disk when PutRecords returns.
type Store interface {
	// Records returns the records of a kind that can be read, sorted by ID, and those that can't be.
	Records(kind string) ([]Record, []Lost, error)
	PutRecords(ctx context.Context, records ...Record) error
}

// projectPrefix begins the ids of projects. No short name has a "_".
const projectPrefix = "prj_"

// The kinds of record.
const (
	recordAccount = "account"
	recordProject = "project"
	recordKey     = "key"
)

// Account owns projects.
type Account struct {
	ID      string    `json:"id"` // "acc_" and 16 hex digits
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// Project is one site or product with its own events.
type Project struct {
	ID       string        `json:"id"`     // "prj_" and 16 hex digits; what clients name
	Number   event.Project `json:"number"` // what the engine knows; never used twice
	Slug     string        `json:"slug"`   // unique within its account
	Name     string        `json:"name"`
	Account  string        `json:"account"`
	Created  time.Time     `json:"created"`
	Origins  []string      `json:"origins,omitempty"` // in normal form
	Settings Settings      `json:"settings"`
	Archived *time.Time    `json:"archived,omitempty"` // since when it takes no events; what it has can be read
	Removed  *time.Time    `json:"removed,omitempty"`  // since when there is nothing of it but its number, which isn't used again
}

// Key is all that is known of a key but its secret.
type Key struct {
	Prefix   string     `json:"prefix"`         // looks the key up; safe to show
	Name     string     `json:"name,omitempty"` // what it is for, in its owner's words
	Kind     Kind       `json:"kind"`
	Env      string     `json:"env"`
	Hash     []byte     `json:"hash"`
	Account  string     `json:"account"`
	Project  string     `json:"project,omitempty"` // empty for account keys
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Scopes   []string   `json:"scopes,omitempty"` // what it may do beyond its kind
	Narrowing
}

// Options are what a book takes from outside.
type Options struct {
	Store  Store
	Pepper [32]byte
	Now    func() time.Time
}

// Book holds accounts, projects and keys. It is safe for concurrent use: checks read an immutable
// index, changes replace it, so that a revoked key is refused from the moment Revoke returns.
type Book struct {
	store  Store
	pepper [32]byte
	now    func() time.Time
	index  atomic.Pointer[index]

	mu sync.Mutex // one change at a time; held while records are written
}

// index is the whole book, for look-ups. It is never changed once published.
type index struct {
	accounts []Account
	projects map[string]*Project           // by id
	keys     map[string]*entry             // by prefix
	origins  map[string]bool               // allowed by any project
	zones    map[event.Project]string      // of those that have one
	windows  map[event.Project]pastWindows // of projects that had others
	retold   map[event.Project]event.Time  // when sources were last told anew
	lost     []Lost                        // records that couldn't be read; it doesn't change
}

// entry is a key and when it was last used; the latter is shared by all indexes that hold the key.
type entry struct {
	Key
	used *atomic.Int64 // milliseconds since 1970; 0 for never
}

// usedNoteEvery is how exactly the last use is known in memory. Finer has all cores write to one
// cache line at every request.
const usedNoteEvery = time.Second

// Open reads the book. What of it can't be read, Lost tells.
func Open(opt Options) (*Book, error) {
	b := &Book{store: opt.Store, pepper: opt.Pepper, now: opt.Now}
	ix := &index{projects: map[string]*Project{}, keys: map[string]*entry{}}
	err := load(b.store, ix, recordAccount, func(a *Account) { ix.accounts = append(ix.accounts, *a) })
	if err != nil {
		return nil, err
	}
	if err := load(b.store, ix, recordProject, func(p *Project) { ix.projects[p.ID] = p }); err != nil {
		return nil, err
	}
	err = load(b.store, ix, recordKey, func(k *Key) {
		used := new(atomic.Int64)
		if k.LastUsed != nil {
			used.Store(k.LastUsed.UnixMilli())
		}
		ix.keys[k.Prefix] = &entry{Key: *k, used: used}
	})
	if err != nil {
		return nil, err
	}
	b.publish(ix)
	return b, nil
}

func load[T any](store Store, ix *index, kind string, add func(*T)) error {
	records, lost, err := store.Records(kind)
	if err != nil {
		return fmt.Errorf("read %s records: %w", kind, err)
	}
	for _, record := range records {
		value := new(T)
		if err := json.Unmarshal(record.Value, value); err != nil {
			lost = append(lost, Lost{kind, record.ID, record.ID, fmt.Errorf("read %s %s: %w: %w", kind, record.ID, event.ErrDamaged, err)})
			continue
		}
		add(value)
	}
	ix.lost = append(ix.lost, lost...)
	return nil
}

// publish makes ix what checks read from now on.
func (b *Book) publish(ix *index) {
	ix.origins, ix.zones, ix.windows = map[string]bool{}, map[event.Project]string{}, map[event.Project]pastWindows{}
	ix.retold = map[event.Project]event.Time{}
	for _, p := range ix.projects {
		if p.Settings.TZ != "" {
			ix.zones[p.Number] = p.Settings.TZ
		}
		if at := p.Settings.Reclassified; at != 0 {
			ix.retold[p.Number] = at
		}
		if since := p.Settings.RetentionSince; since != 0 {
			ix.windows[p.Number] = pastWindows{since, p.Settings.RetentionReach}
		}
		for _, origin := range p.Origins {
			ix.origins[origin] = true
		}
	}
	b.index.Store(ix)
}

// Claim is what a client shows, and what it wants to do.
type Claim struct {
	Key    string // as sent; "" where none was
	Origin string // the Origin header; "" where none was sent
	Route  []Kind // the kinds of key that the route is open to
	Name   string // of the route
	Sends  bool   // the route takes events
	Scope  string // that a read key needs for the route; "" for none

	// Refusal is the code for keys of other kinds; "" is CodeInsufficientScope. Where RefusalTo is set, it is
	// for that kind, and all others get that.
	Refusal   string
	RefusalTo Kind
}

// Grant is what a key gives. Where a key is refused, it says what is known of it.
type Grant struct {
	Kind    Kind
	Prefix  string
	Account string
	Project *Project // the key's own; nil for account keys. Shared: not to be changed.
	Narrowing
}

// Check turns a claim into a grant, or says why not. The order of the checks is part of the API, so
// that a client with several things wrong is always told the same one first.
func (b *Book) Check(claim Claim) (Grant, error) {
	if claim.Key == "" {
		return Grant{}, refuse(CodeMissingToken)
	}
	shown, ok := parseKey(claim.Key)
	if !ok {
		return Grant{}, refuse(CodeMalformedKey)
	}
	ix := b.index.Load()
	now := b.now()
	found, ok := b.find(ix, shown)
	if !ok {
		return Grant{}, refuse(CodeInvalidKey)
	}
	if found.Revoked != nil || found.Expires != nil && !now.Before(*found.Expires) {
		return Grant{Prefix: found.Prefix, Account: found.Account}, refuse(CodeInvalidKey)
	}
	if found.Kind != shown.kind || found.Env != shown.env {
		return Grant{}, refuse(CodeKindMismatch)
	}
	grant := Grant{Kind: found.Kind, Prefix: found.Prefix, Account: found.Account, Narrowing: found.Narrowing}
	if found.Project != "" {
		if grant.Project = ix.project(found.Project); grant.Project == nil {
			return Grant{}, cmp.Or(ix.lostRecord(recordProject, found.Project), error(refuse(CodeInvalidKey)))
		}
	}
	open := slices.Contains(claim.Route, found.Kind)
	if found.Kind == KindPublishable && !originHolds(grant.Project, claim.Origin, open) {
		return grant, refuse(CodeOriginNotAllowed)
	}
	if !open {
		if claim.RefusalTo != "" && claim.RefusalTo != found.Kind {
			return grant, refuse(CodeInsufficientScope)
		}
		return grant, refuse(cmp.Or(claim.Refusal, CodeInsufficientScope))
	}
	if !found.Route(claim.Name) || claim.Scope != "" && found.Kind == KindRead && !slices.Contains(found.Scopes, claim.Scope) {
		return grant, refuse(CodeInsufficientScope)
	}
	if claim.Sends && grant.Project.Archived != nil {
		return grant, refuse(CodeProjectArchived)
	}
	found.touch(now)
	return grant, nil
}

// find looks a key up and compares its secret. A key that can't be ours costs the same hash as one
// that is, so that the time taken doesn't tell which prefixes exist.
func (b *Book) find(ix *index, shown presented) (*entry, bool) {
	hash := hashSecret(b.pepper, shown.secret)
	if !checksumHolds(shown.secret) {
		return nil, false
	}
	found, ok := ix.keys[shown.prefix]
	var nobodys [len(hash)]byte
	stored := nobodys[:]
	if ok {
		stored = found.Hash
	}
	return found, hmac.Equal(hash[:], stored) && ok
}

// originHolds reports whether a page may use the project's publishable key. Where the route is open
// to such keys, an Origin is required. Where it isn't, a request without one is told that the key
// is of the wrong kind, which is what is wrong with it.
func originHolds(p *Project, origin string, open bool) bool {
	if origin == "" {
		return !open
	}
	return p.Allows(origin)
}

// Allows reports whether origin, as a browser sends it, is on the project's list.
func (p *Project) Allows(origin string) bool {
	normal, err := NormalOrigin(origin)
	return err == nil && slices.Contains(p.Origins, normal)
}

// AnyAllows reports whether any project allows origin: all that a preflight, which carries no key,
// can be told.
func (b *Book) AnyAllows(origin string) bool {
	normal, err := NormalOrigin(origin)
	return err == nil && b.index.Load().origins[normal]
}

func (e *entry) touch(now time.Time) {
	ms := now.UnixMilli()
	if last := e.used.Load(); ms-last >= usedNoteEvery.Milliseconds() {
		e.used.CompareAndSwap(last, ms)
	}
}

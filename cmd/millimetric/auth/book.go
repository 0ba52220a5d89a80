package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"millimetric/index/event"
)

// Limits of a book.
const (
	NameMax    = 128 // of an account or a project, in characters
	SlugMax    = 64
	OriginsMax = 100 // per project
)

// NewProject says what a project shall be.
type NewProject struct {
	Account  string // its account's id
	Name     string
	Slug     string // made from the name where it is empty
	Origins  []string
	Settings Settings
}

// NewKey says what a key shall be.
type NewKey struct {
	Kind    Kind
	Env     string // "live" where it is empty
	Name    string // what it is for; may be empty
	Account string
	Project string // its project's id; empty for account keys
	Expires *time.Time
	Scopes  []string
	Narrow  Narrowing
}

// Minted is a key right after it was made: the only moment at which its text is known.
type Minted struct {
	Key
	Text string
}

// CreateAccount makes an account and its first key.
func (b *Book) CreateAccount(ctx context.Context, name string) (Account, Minted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "" || utf8.RuneCountInString(name) > NameMax {
		return Account{}, Minted{}, event.InvalidField(event.CodeInvalidPayload, "name", fmt.Sprintf("Must have 1 to %d characters", NameMax))
	}
	account := Account{ID: "acc_" + newHex(8), Name: name, Created: b.now().UTC()}
	next := b.index.Load().clone()
	minted, err := b.mint(NewKey{Kind: KindAccount, Account: account.ID})
	if err = cmp.Or(next.lostAny(recordAccount), err); err != nil {
		return Account{}, Minted{}, err
	}
	next.accounts = append(next.accounts, account)
	next.add(minted)
	err = b.change(ctx, next, record(recordAccount, account.ID, account), record(recordKey, minted.Prefix, minted.Key))
	if err != nil {
		return Account{}, Minted{}, fmt.Errorf("create account: %w", err)
	}
	return account, minted, nil
}

// CreateProject makes a project with one publishable, one secret and one read key, in this order.
func (b *Book) CreateProject(ctx context.Context, want NewProject) (Project, []Minted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.index.Load()
	project, err := old.newProject(want)
	if err != nil {
		return Project{}, nil, err
	}
	project.Created = b.now().UTC()
	next := old.clone()
	next.projects[project.ID] = &project
	records := []Record{record(recordProject, project.ID, project)}
	var minted []Minted
	for _, kind := range []Kind{KindPublishable, KindSecret, KindRead} {
		m, err := b.mint(NewKey{Kind: kind, Account: project.Account, Project: project.ID})
		if err != nil {
			return Project{}, nil, err
		}
		next.add(m)
		minted = append(minted, m)
		records = append(records, record(recordKey, m.Prefix, m.Key))
	}
	if err := b.change(ctx, next, records...); err != nil {
		return Project{}, nil, fmt.Errorf("create project: %w", err)
	}
	return project, minted, nil
}

// newProject checks a wish and numbers it.
func (ix *index) newProject(want NewProject) (Project, error) {
	if err := cmp.Or(ix.lostAny(recordProject), ix.lostRecord(recordAccount, want.Account)); err != nil {
		return Project{}, err
	}
	fields := event.FieldErrors{}
	name := strings.TrimSpace(want.Name)
	checkName(name, fields)
	slug := want.Slug
	if slug == "" {
		slug = Slug(name)
	}
	ix.checkSlug(want.Account, slug, fields)
	origins := normalOrigins(want.Origins, fields)
	want.Settings.check(fields)
	if !slices.ContainsFunc(ix.accounts, func(a Account) bool { return a.ID == want.Account }) {
		fields.Add("account", "Not found")
	}
	if err := refusal(fields); err != nil {
		return Project{}, err
	}
	number := event.Project(1)
	for _, p := range ix.projects {
		number = max(number, p.Number+1)
	}
	return Project{ID: projectPrefix + newHex(8), Number: number, Slug: slug, Name: name,
		Account: want.Account, Origins: origins, Settings: want.Settings}, nil
}

func checkName(name string, fields event.FieldErrors) {
	if name == "" || utf8.RuneCountInString(name) > NameMax {
		fields.Add("name", fmt.Sprintf("Must have 1 to %d characters", NameMax))
	}
}

func (ix *index) checkSlug(account, slug string, fields event.FieldErrors) {
	if slug != Slug(slug) || slug == "" {
		fields.Add("slug", fmt.Sprintf("Must be 1 to %d letters a-z, digits and single dashes", SlugMax))
	} else if ix.projectBySlug(account, slug) != nil {
		fields.Add("slug", fmt.Sprintf("%q is taken", slug))
	}
}

// normalOrigins gives origins their normal form, each once.
func normalOrigins(texts []string, fields event.FieldErrors) (origins []string) {
	if len(texts) > OriginsMax {
		fields.Add("origins", fmt.Sprintf("Must be at most %d", OriginsMax))
		return nil
	}
	for i, text := range texts {
		origin, err := NormalOrigin(text)
		if err != nil {
			fields.Add(fmt.Sprintf("origins.%d", i), err.Error())
		} else if !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// Slug makes a name fit for URLs and command lines: "My Shop!" becomes "my-shop".
func Slug(name string) string {
	var out strings.Builder
	dash := false
	for _, c := range strings.ToLower(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			if dash && out.Len() > 0 {
				out.WriteByte('-')
			}
			out.WriteRune(c)
			dash = false
		} else {
			dash = true
		}
	}
	slug := out.String()
	return strings.Trim(slug[:min(len(slug), SlugMax)], "-")
}

// Mint makes one more key.
func (b *Book) Mint(ctx context.Context, want NewKey) (Minted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.index.Load().clone()
	if err := cmp.Or(next.lostRecord(recordAccount, want.Account), next.lostRecord(recordProject, want.Project)); err != nil {
		return Minted{}, err
	}
	fields := event.FieldErrors{}
	if !want.Kind.known() {
		fields.Add("kind", "Expected pk, sk, rk or ak")
	}
	if want.Env != "" && !knownEnv(want.Env) {
		fields.Add("env", "Expected live or test")
	}
	if p := next.project(want.Project); want.Kind == KindAccount && want.Project != "" {
		fields.Add("project", "An account key belongs to no project")
	} else if want.Kind != KindAccount && (p == nil || p.Account != want.Account) {
		fields.Add("project", "Not found")
	}
	if !slices.ContainsFunc(next.accounts, func(a Account) bool { return a.ID == want.Account }) {
		fields.Add("account", "Not found")
	}
	sketch := Key{Kind: want.Kind, Name: want.Name, Scopes: want.Scopes, Narrowing: want.Narrow}
	sketch.checkKey(fields)
	if err := refusal(fields); err != nil {
		return Minted{}, err
	}
	minted, err := b.mint(want)
	if err != nil {
		return Minted{}, err
	}
	next.add(minted)
	if err := b.change(ctx, next, record(recordKey, minted.Prefix, minted.Key)); err != nil {
		return Minted{}, fmt.Errorf("mint key: %w", err)
	}
	return minted, nil
}

// mint draws a key. The caller holds the lock, so the free prefix stays free until it is taken.
func (b *Book) mint(want NewKey) (Minted, error) {
	env := cmp.Or(want.Env, "live")
	prefix, err := b.index.Load().freePrefix()
	if err != nil {
		return Minted{}, err
	}
	secret := newSecret()
	hash := hashSecret(b.pepper, secret)
	key := Key{Prefix: prefix, Kind: want.Kind, Env: env, Hash: hash[:],
		Account: want.Account, Project: want.Project, Created: b.now().UTC(), Expires: want.Expires,
		Name: want.Name, Scopes: want.Scopes, Narrowing: want.Narrow}
	return Minted{Key: key, Text: string(want.Kind) + "_" + env + "_" + prefix + "_" + secret}, nil
}

// drawsMax is how often a prefix is drawn. Taken ones are few among 2^32, but where one key was all there was,
// and can't be read, nearly all may lie in its place.
const drawsMax = 1000

// freePrefix draws one that no key has, be it one that can't be read.
func (ix *index) freePrefix() (prefix string, err error) {
	for range drawsMax {
		prefix = newHex(prefixLen / 2)
		if err = ix.lostRecord(recordKey, prefix); err == nil && ix.keys[prefix] == nil {
			return prefix, nil
		}
	}
	return "", cmp.Or(err, error(&event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Too many keys"}}))
}

// Revoke ends a key. It is refused from the moment this returns; revoking it again changes nothing.
func (b *Book) Revoke(ctx context.Context, prefix string) (Key, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.index.Load().clone()
	old, ok := next.keys[prefix]
	if !ok {
		return Key{}, cmp.Or(next.lostRecord(recordKey, prefix), missing("No key has the prefix "+prefix))
	}
	if old.Revoked != nil {
		return old.Key, nil
	}
	now := b.now().UTC()
	revoked := &entry{Key: old.Key, used: old.used}
	revoked.Revoked = &now
	revoked.LastUsed = revoked.lastUsed()
	next.keys[prefix] = revoked
	if err := b.change(ctx, next, record(recordKey, prefix, revoked.Key)); err != nil {
		return Key{}, fmt.Errorf("revoke key: %w", err)
	}
	return revoked.Key, nil
}

// Flush writes when keys were last used. The server calls it every minute and before it ends.
func (b *Book) Flush(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.index.Load().clone()
	var records []Record
	for prefix, old := range next.keys {
		used := old.lastUsed()
		if used == nil || old.LastUsed != nil && !used.After(*old.LastUsed) {
			continue
		}
		noted := &entry{Key: old.Key, used: old.used}
		noted.LastUsed = used
		next.keys[prefix] = noted
		records = append(records, record(recordKey, prefix, noted.Key))
	}
	if len(records) == 0 {
		return nil
	}
	if err := b.change(ctx, next, records...); err != nil {
		return fmt.Errorf("note the last use of keys: %w", err)
	}
	return nil
}

func (e *entry) lastUsed() *time.Time {
	ms := e.used.Load()
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

// change writes records and then publishes the index that holds them.
func (b *Book) change(ctx context.Context, next *index, records ...Record) error {
	if err := b.store.PutRecords(ctx, records...); err != nil {
		return err
	}
	b.publish(next)
	return nil
}

func record(kind, id string, value any) Record {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%s %s has no JSON: %v", kind, id, err))
	}
	return Record{Kind: kind, ID: id, Value: text}
}

func (ix *index) clone() *index {
	return &index{accounts: slices.Clone(ix.accounts), projects: maps.Clone(ix.projects), keys: maps.Clone(ix.keys), lost: ix.lost}
}

func (ix *index) add(m Minted) { ix.keys[m.Prefix] = &entry{Key: m.Key, used: new(atomic.Int64)} }

// project finds a project by its id, nil where there is none.
func (ix *index) project(id string) *Project {
	if p := ix.projects[id]; p != nil && p.Removed == nil {
		return p
	}
	return nil
}

func (ix *index) projectBySlug(account, slug string) *Project {
	for _, p := range ix.projects {
		if p.Account == account && p.Slug == slug && p.Removed == nil {
			return p
		}
	}
	return nil
}

// Accounts lists the accounts, oldest first.
func (b *Book) Accounts() []Account {
	return slices.SortedFunc(slices.Values(b.index.Load().accounts), func(a, c Account) int { return a.Created.Compare(c.Created) })
}

// Projects lists an account's projects, oldest first.
func (b *Book) Projects(account string) []Project {
	return slices.DeleteFunc(b.AllProjects(), func(p Project) bool { return p.Account != account })
}

// AllProjects lists those of all accounts, of accounts whose records can't be read, too.
func (b *Book) AllProjects() []Project {
	var list []Project
	for _, p := range b.index.Load().projects {
		if p.Removed == nil {
			list = append(list, *p)
		}
	}
	slices.SortFunc(list, func(a, c Project) int { return cmp.Compare(a.Number, c.Number) })
	return list
}

// ProjectNamed finds an account's project by id or by slug; of the two, "" is not given. nil means
// that the account has no such project; another account's is none either.
func (b *Book) ProjectNamed(account, id, slug string) *Project {
	ix := b.index.Load()
	var p *Project
	if id != "" {
		p = ix.project(id)
	} else {
		p = ix.projectBySlug(account, slug)
	}
	if p == nil || p.Account != account || slug != "" && p.Slug != slug {
		return nil
	}
	return p
}

// Keys lists all keys, oldest first, with their last use.
func (b *Book) Keys() []Key {
	var list []Key
	for _, e := range b.index.Load().keys {
		k := e.Key
		k.LastUsed = e.lastUsed()
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, c Key) int {
		return cmp.Or(a.Created.Compare(c.Created), strings.Compare(a.Prefix, c.Prefix))
	})
	return list
}

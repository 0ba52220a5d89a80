package admin

import (
	"cmp"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
)

// overlapDefault is how long the old key of a rotation stays good where nothing is said: a day to put
// the new one in its place everywhere.
const overlapDefault = 24 * time.Hour

// Key is a key as the door shows it. Its text is only there right after it was made.
type Key struct {
	Prefix   string     `json:"prefix"`
	Name     string     `json:"name"`
	Kind     auth.Kind  `json:"kind"`
	Env      string     `json:"env"`
	Project  string     `json:"project_id,omitempty"` // none for account keys
	Created  time.Time  `json:"created_at"`
	Expires  *time.Time `json:"expires_at"`
	Revoked  *time.Time `json:"revoked_at"`
	LastUsed *time.Time `json:"last_used_at"`
	Scopes   []string   `json:"scopes"`
	Routes   []string   `json:"routes"` // null where it isn't narrowed
	Tools    []string   `json:"tools"`
	From     *time.Time `json:"from"`
	To       *time.Time `json:"to"`
	K        int        `json:"k"` // visitors that a number must be about to be shown; 0 leaves that to the project
	Text     string     `json:"key,omitempty"`
}

// ShownKey is how a key is shown; text is only known right after it was made.
func ShownKey(k auth.Key, text string) Key {
	return Key{Prefix: k.Prefix, Name: k.Name, Kind: k.Kind, Env: k.Env, Project: k.Project, Created: k.Created, Expires: k.Expires,
		Revoked: k.Revoked, LastUsed: k.LastUsed, Scopes: append([]string{}, k.Scopes...), Routes: k.Routes, Tools: k.Tools,
		From: k.From, To: k.To, K: k.K, Text: text}
}

// Access is a key, and what can be done with it at this moment.
type Access struct {
	Key
	Good bool     `json:"good"` // neither revoked nor expired
	May  []string `json:"may"`  // names of the routes that it opens
}

// owner returns the id of the project whose keys the request is about, "" for the account's own.
func (d *Door) owner(r *Request) (string, error) {
	if r.named("id") == "" {
		return "", nil
	}
	p, err := d.project(r)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}

// ListKeys lists a project's keys, or those of the account itself.
func (d *Door) ListKeys(r *Request) error {
	owner, err := d.owner(r)
	if err == nil {
		err = params(r.HTTP).end()
	}
	if err != nil {
		return err
	}
	list := []Key{}
	for _, k := range d.Book.Keys() {
		if k.Account == r.Grant.Account && k.Project == owner {
			list = append(list, ShownKey(k, ""))
		}
	}
	return r.answer(fasthttp.StatusOK, map[string]any{"keys": list})
}

// ReviewAccess lists all keys of the account and its projects with what can be done with them. Those that
// weren't used for the longest time come first: they are what a review looks for.
func (d *Door) ReviewAccess(r *Request) error {
	if err := params(r.HTTP).end(); err != nil {
		return err
	}
	now, list := d.Now(), []Access{}
	for _, k := range d.Book.Keys() {
		if k.Account != r.Grant.Account {
			continue
		}
		a := Access{Key: ShownKey(k, ""), May: []string{}}
		a.Good = k.Revoked == nil && (k.Expires == nil || now.Before(*k.Expires))
		if a.Good {
			a.May = d.may(&k)
		}
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b Access) int { return cmp.Compare(used(a), used(b)) })
	return r.answer(fasthttp.StatusOK, map[string]any{"keys": list})
}

func used(a Access) int64 {
	if a.LastUsed == nil {
		return 0
	}
	return a.LastUsed.UnixMilli()
}

// MintKey makes a key of a project, or an account key.
func (d *Door) MintKey(r *Request) error {
	if err := r.unnarrowed(); err != nil {
		return err
	}
	owner, err := d.owner(r)
	if err != nil {
		return err
	}
	f, err := body(r.HTTP)
	if err != nil {
		return err
	}
	want := auth.NewKey{Kind: auth.Kind(f.text("kind")), Env: f.text("env"), Name: f.text("name"), Account: r.Grant.Account,
		Project: owner, Expires: f.moment("expires_at"), Scopes: f.list("scopes"), Narrow: narrowing(f)}
	if owner == "" {
		want.Kind = cmp.Or(want.Kind, auth.KindAccount)
		f.oneOf("kind", string(want.Kind), string(auth.KindAccount))
	} else if want.Kind == "" {
		f.errs.Add("kind", "Required")
	} else {
		f.oneOf("kind", string(want.Kind), string(auth.KindPublishable), string(auth.KindSecret), string(auth.KindRead))
	}
	if want.Expires != nil && !want.Expires.After(d.Now()) {
		f.errs.Add("expires_at", "Must lie in the future")
	}
	d.routeNames(want.Kind, want.Narrow.Routes, f)
	if err := f.end(); err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	minted, err := d.Book.Mint(ctx, want)
	if err != nil {
		return err
	}
	r.Note.Target = minted.Prefix
	r.detail(ShownKey(minted.Key, ""))
	return r.answer(fasthttp.StatusCreated, ShownKey(minted.Key, minted.Text))
}

func narrowing(f *fields) auth.Narrowing {
	n := auth.Narrowing{Routes: f.list("routes"), Tools: f.list("tools"), From: f.moment("from"), To: f.moment("to")}
	if k := take[int](f, "k"); k != nil {
		n.K = *k
	}
	return n
}

// key finds the key that the path names.
func (d *Door) key(r *Request) (auth.Key, error) {
	owner, err := d.owner(r)
	if err != nil {
		return auth.Key{}, err
	}
	r.Note.Target = r.named("prefix")
	return d.Book.KeyNamed(r.Grant.Account, owner, r.named("prefix"))
}

// NarrowKey lets a key do less.
func (d *Door) NarrowKey(r *Request) error {
	k, err := d.key(r)
	if err == nil {
		err = r.unnarrowed()
	}
	if err != nil {
		return err
	}
	f, err := body(r.HTTP)
	if err != nil {
		return err
	}
	want := auth.KeyChange{Name: take[string](f, "name"), Expires: f.moment("expires_at"), Narrow: narrowing(f)}
	if scopes := f.list("scopes"); scopes != nil {
		want.Scopes = &scopes
	}
	d.routeNames(k.Kind, want.Narrow.Routes, f)
	if err := f.end(); err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	changed, err := d.Book.Narrow(ctx, k.Prefix, want)
	if err != nil {
		return err
	}
	r.detail(ShownKey(changed, ""))
	return r.answer(fasthttp.StatusOK, ShownKey(changed, ""))
}

// RevokeKey ends a key for good.
func (d *Door) RevokeKey(r *Request) error {
	k, err := d.key(r)
	if err != nil {
		return err
	}
	f, err := body(r.HTTP)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	revoked, err := d.Book.Revoke(ctx, k.Prefix)
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, ShownKey(revoked, ""))
}

// RotateKey makes a key in the place of another, which stays good for a while.
func (d *Door) RotateKey(r *Request) error {
	k, err := d.key(r)
	if err == nil {
		err = r.unnarrowed()
	}
	if err != nil {
		return err
	}
	f, err := body(r.HTTP)
	if err != nil {
		return err
	}
	overlap := f.length("overlap", overlapDefault)
	if err := f.end(); err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	minted, old, err := d.Book.RotateKey(ctx, k.Prefix, overlap)
	if err != nil {
		return err
	}
	r.detail(map[string]any{"by": minted.Prefix, "overlap_s": overlap.Seconds()})
	return r.answer(fasthttp.StatusCreated, map[string]any{"key": ShownKey(minted.Key, minted.Text), "previous": ShownKey(old, "")})
}

package admin

import (
	stdjson "encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/receipt"
	"millimetric/engine"
	"millimetric/index/event"
)

// Project is a project as the door shows it.
type Project struct {
	ID       string     `json:"id"`
	Slug     string     `json:"slug"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created_at"`
	Archived *time.Time `json:"archived_at"` // since when it takes no events; null while it does
	Origins  []string   `json:"origins"`
	Settings Settings   `json:"settings"`
}

// Settings are a project's choices as the door shows them.
type Settings struct {
	RetentionDays int      `json:"retention_days"` // 0 keeps for ever
	TZ            string   `json:"tz"`
	Cookieless    bool     `json:"cookieless"`
	InternalHosts []string `json:"internal_hosts"`

	RateLimits map[string]auth.RateLimit `json:"rate_limits"` // by the name of the route; {} bounds none
}

func (d *Door) shown(p *auth.Project) Project {
	return Project{ID: p.ID, Slug: p.Slug, Name: p.Name, Created: p.Created, Archived: p.Archived,
		Origins: append([]string{}, p.Origins...), Settings: d.settings(p)}
}

func (d *Door) settings(p *auth.Project) Settings {
	s := Settings{RetentionDays: d.Engine.Retention(p.Number), TZ: p.Settings.TZ, Cookieless: p.Settings.Cookieless,
		InternalHosts: append([]string{}, p.Settings.InternalHosts...)}
	if s.TZ == "" {
		s.TZ = "UTC"
	}
	if s.RateLimits = p.Settings.RateLimits; s.RateLimits == nil {
		s.RateLimits = map[string]auth.RateLimit{}
	}
	return s
}

// ListProjects lists the account's projects, the oldest first.
func (d *Door) ListProjects(r *Request) error {
	if err := params(r.HTTP).end(); err != nil {
		return err
	}
	list := []Project{}
	for _, p := range d.Book.Projects(r.Grant.Account) {
		list = append(list, d.shown(&p))
	}
	return r.answer(fasthttp.StatusOK, map[string]any{"projects": list})
}

// CreateProject makes a project and its first keys, whose texts are shown this once.
func (d *Door) CreateProject(r *Request) error {
	if err := r.unnarrowed(); err != nil {
		return err
	}
	f, err := body(r.HTTP)
	if err != nil {
		return err
	}
	want := auth.NewProject{Account: r.Grant.Account, Name: f.text("name"), Slug: f.text("slug"), Origins: f.list("origins")}
	change := d.takeSettings(f)
	change.apply(&want.Settings)
	if err := f.end(); err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	p, minted, err := d.Book.CreateProject(ctx, want)
	if err != nil {
		return err
	}
	r.Note.Project = p.ID
	r.detail(map[string]any{"name": p.Name, "slug": p.Slug})
	if err := d.setRetention(&p, change.days); err != nil {
		return err
	}
	keys := []Key{}
	for _, m := range minted {
		keys = append(keys, ShownKey(m.Key, m.Text))
	}
	return r.answer(fasthttp.StatusCreated, map[string]any{"project": d.shown(&p), "keys": keys})
}

// ReadProject shows one.
func (d *Door) ReadProject(r *Request) error {
	p, err := d.project(r)
	if err == nil {
		err = params(r.HTTP).end()
	}
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, d.shown(p))
}

// ChangeProject renames or archives a project, or changes its settings.
func (d *Door) ChangeProject(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	want := auth.ProjectChange{Name: take[string](f, "name"), Slug: take[string](f, "slug"), Archived: take[bool](f, "archived")}
	settings := d.takeSettings(f)
	if err := f.end(); err != nil {
		return err
	}
	r.detail(map[string]any{"name": want.Name, "slug": want.Slug, "archived": want.Archived, "settings": settings.said})
	changed, err := d.change(p, want, settings)
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, d.shown(changed))
}

// DestroyProject takes away a project with all that is kept of it, for good. It must be confirmed with the
// project's slug. First of all its keys end; where something fails after that, the same call goes on.
func (d *Door) DestroyProject(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	if f.text("confirm") != p.Slug {
		f.errs.Add("confirm", "Must be the project's slug: all its events will be gone for good")
	}
	if err := f.end(); err != nil {
		return err
	}
	r.detail(map[string]any{"slug": p.Slug})
	if !d.working.TryLock() {
		return busy()
	}
	defer d.working.Unlock()
	ctx, cancel := d.writing()
	defer cancel()
	began, events := d.Now(), int(d.Engine.Footprint(p.Number).Events)
	if err := d.Book.Condemn(ctx, p.Account, p.ID); err != nil {
		return err
	}
	if err := d.Engine.Destroy(d.Running, p.Number); err != nil {
		return err
	}
	if err := d.Forget(p.Number); err != nil {
		return err
	}
	last, done := d.writing()
	defer done()
	if err := d.Book.Remove(last, p.Account, p.ID); err != nil {
		return err
	}
	ended := d.Now()
	signed, err := d.Signer.Sign(receipt.OfProject(p.ID, events, began, ended))
	if err != nil {
		return err
	}
	r.detail(map[string]any{"slug": p.Slug, "receipt": stdjson.RawMessage(signed)})
	return r.answer(fasthttp.StatusOK, map[string]any{"ok": true, "id": p.ID, "destroyed_at": ended.UTC(), "receipt": stdjson.RawMessage(signed)})
}

// ReadSettings shows a project's settings.
func (d *Door) ReadSettings(r *Request) error {
	p, err := d.project(r)
	if err == nil {
		err = params(r.HTTP).end()
	}
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, d.settings(p))
}

// ChangeSettings changes those that are named.
func (d *Door) ChangeSettings(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	settings := d.readSettings(f)
	if err := f.end(); err != nil {
		return err
	}
	r.detail(settings.said)
	changed, err := d.change(p, auth.ProjectChange{}, settings)
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, d.settings(changed))
}

// ReadOrigins shows the origins of web pages that may use the publishable key.
func (d *Door) ReadOrigins(r *Request) error {
	p, err := d.project(r)
	if err == nil {
		err = params(r.HTTP).end()
	}
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, map[string]any{"origins": append([]string{}, p.Origins...)})
}

// ReplaceOrigins puts another list in their place.
func (d *Door) ReplaceOrigins(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	origins := f.list("origins")
	if origins == nil && len(f.errs) == 0 {
		f.errs.Add("origins", "Required")
	}
	if err := f.end(); err != nil {
		return err
	}
	r.detail(map[string]any{"before": p.Origins, "origins": origins})
	changed, err := d.change(p, auth.ProjectChange{Origins: &origins}, settingsChange{})
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, map[string]any{"origins": append([]string{}, changed.Origins...)})
}

// change makes a change of a project, in the book and in the engine. The retention window comes last:
// what it takes away doesn't come back, so all else must hold by then.
func (d *Door) change(p *auth.Project, want auth.ProjectChange, settings settingsChange) (*auth.Project, error) {
	if days := settings.days; days != nil && (*days < 0 || *days > engine.RetentionDaysMax) {
		return nil, event.InvalidField(event.CodeInvalidPayload, "retention_days",
			fmt.Sprintf("Must lie between 0 (for ever) and %d", engine.RetentionDaysMax))
	}
	moved := settings.days != nil && *settings.days != d.Engine.Retention(p.Number)
	if settings.inBook() || moved {
		next := p.Settings
		settings.apply(&next)
		if moved {
			next.RetentionSince = event.TimeOf(d.Now())
		}
		want.Settings = &next
	}
	ctx, cancel := d.writing()
	defer cancel()
	changed, err := d.Book.ChangeProject(ctx, p.Account, p.ID, want)
	if err != nil {
		return nil, err
	}
	return &changed, d.setRetention(&changed, settings.days)
}

func (d *Door) setRetention(p *auth.Project, days *int) error {
	if days == nil {
		return nil
	}
	ctx, cancel := d.writing()
	defer cancel()
	return d.Engine.SetRetention(ctx, p.Number, *days)
}

// settingsChange says what of the settings shall be another; nil stays.
type settingsChange struct {
	days       *int
	tz         *string
	cookieless *bool
	hosts      []string
	rates      map[string]auth.RateLimit
	said       map[string]any // as it was sent, for the audit log
}

// takeSettings reads the settings that stand in a body as an object of its own.
func (d *Door) takeSettings(f *fields) settingsChange {
	inner := &fields{code: f.code, errs: event.FieldErrors{}}
	sent := f.object("settings")
	if sent == nil {
		return settingsChange{}
	}
	inner.values = sent
	change := d.readSettings(inner)
	_ = inner.end() // only to have unknown fields noted
	for name, messages := range inner.errs {
		f.errs["settings."+name] = messages
	}
	return change
}

func (d *Door) readSettings(f *fields) (c settingsChange) {
	c.days, c.tz, c.cookieless = take[int](f, "retention_days"), take[string](f, "tz"), take[bool](f, "cookieless")
	c.hosts, c.rates = f.list("internal_hosts"), d.rateLimits(f)
	c.said = map[string]any{}
	if c.days != nil {
		c.said["retention_days"] = *c.days
	}
	if c.tz != nil {
		c.said["tz"] = *c.tz
	}
	if c.cookieless != nil {
		c.said["cookieless"] = *c.cookieless
	}
	if c.hosts != nil {
		c.said["internal_hosts"] = c.hosts
	}
	if c.rates != nil {
		c.said["rate_limits"] = c.rates
	}
	return c
}

func (c *settingsChange) inBook() bool {
	return c.tz != nil || c.cookieless != nil || c.hosts != nil || c.rates != nil
}

func (c *settingsChange) apply(s *auth.Settings) {
	if c.tz != nil {
		s.TZ = *c.tz
	}
	if c.cookieless != nil {
		s.Cookieless = *c.cookieless
	}
	if c.hosts != nil {
		s.InternalHosts = c.hosts
	}
	if c.rates != nil {
		s.RateLimits = c.rates
	}
}

// rateLimits reads the limits of routes, which replace all that there were.
func (d *Door) rateLimits(f *fields) map[string]auth.RateLimit {
	sent := f.object("rate_limits")
	if sent == nil {
		return nil
	}
	limits := map[string]auth.RateLimit{}
	for name, text := range sent {
		field := "rate_limits." + name
		// The requests of account keys are nobody's project's.
		if !slices.ContainsFunc(d.Routes, func(r Route) bool { return r.Name == name && r.Kinds[0] != auth.KindAccount }) {
			f.errs.Add(field, "No route that a project's keys may call is named so")
			continue
		}
		var limit auth.RateLimit
		if err := json.Unmarshal(text, &limit, json.RejectUnknownMembers(true)); err != nil {
			f.errs.Add(field, `Expected an object such as {"per_s":50,"burst":200}`)
		}
		limits[name] = limit
	}
	return limits
}

package admin

import (
	stdjson "encoding/json"
	"fmt"
	"time"

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

func (d *Door) shown(p *auth.Project) Project {
	return Project{ID: p.ID, Slug: p.Slug, Name: p.Name, Created: p.Created, Archived: p.Archived,
		Origins: append([]string{}, p.Origins...), Settings: d.settings(p)}
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
	answer := map[string]any{"projects": list}
	if lost := d.Book.LostProjects(r.Grant.Account); len(lost) > 0 {
		answer["damaged"] = lost
	}
	return r.answer(fasthttp.StatusOK, answer)
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
	detail := map[string]any{"slug": p.Slug}
	if d.Backups != nil {
		// The loss of the machine must not bring back the cipher keys. Where the target is down, it goes on trying.
		detail["copied"] = d.Backups.Ship(last) == nil
	}
	ended := d.Now()
	signed, err := d.Signer.Sign(receipt.OfProject(p.ID, events, began, ended))
	if err != nil {
		return err
	}
	detail["receipt"] = stdjson.RawMessage(signed)
	r.detail(detail)
	return r.answer(fasthttp.StatusOK, map[string]any{"ok": true, "id": p.ID, "destroyed_at": ended.UTC(), "receipt": stdjson.RawMessage(signed)})
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
			if d.Engine.Retention(p.Number) != 0 {
				next.RetentionReach = max(next.RetentionReach, d.Engine.Oldest(p.Number))
			}
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

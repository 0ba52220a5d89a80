package admin

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// Settings are a project's choices as the door shows them.
type Settings struct {
	RetentionDays int      `json:"retention_days"` // 0 keeps for ever
	TZ            string   `json:"tz"`
	Cookieless    bool     `json:"cookieless"`
	InternalHosts []string `json:"internal_hosts"`

	HonourGPC         bool     `json:"honour_gpc"` // visitors who send Sec-GPC: 1 aren't followed
	HonourDNT         bool     `json:"honour_dnt"` // nor those who send DNT: 1
	AllowedParams     []string `json:"allowed_params"`
	AllowedProperties []string `json:"allowed_properties"`
	K                 int      `json:"k"` // visitors that a number must be about to be shown; 0 shows all

	RateLimits map[string]auth.RateLimit `json:"rate_limits"` // by the name of the route; {} bounds none
}

func (d *Door) settings(p *auth.Project) Settings {
	s := Settings{RetentionDays: d.Engine.Retention(p.Number), TZ: p.Settings.TZ, Cookieless: p.Settings.Cookieless,
		InternalHosts: append([]string{}, p.Settings.InternalHosts...), HonourGPC: !p.Settings.IgnoreGPC, HonourDNT: !p.Settings.IgnoreDNT,
		AllowedParams:     append([]string{}, p.Settings.AllowedParams...),
		AllowedProperties: append([]string{}, p.Settings.AllowedProperties...), K: p.Settings.K}
	if s.TZ == "" {
		s.TZ = "UTC"
	}
	if s.RateLimits = p.Settings.RateLimits; s.RateLimits == nil {
		s.RateLimits = map[string]auth.RateLimit{}
	}
	return s
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

// settingsChange says what of the settings shall be another. The retention window is the engine's, all
// else is in the book.
type settingsChange struct {
	days *int
	set  []func(*auth.Settings)
	said map[string]any // as it was sent, for the audit log
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
	c.said = map[string]any{}
	if c.days = take[int](f, "retention_days"); c.days != nil {
		c.said["retention_days"] = *c.days
	}
	change(&c, f, "tz", func(s *auth.Settings, zone string) { s.TZ = zone })
	change(&c, f, "cookieless", func(s *auth.Settings, on bool) { s.Cookieless = on })
	change(&c, f, "honour_gpc", func(s *auth.Settings, on bool) { s.IgnoreGPC = !on })
	change(&c, f, "honour_dnt", func(s *auth.Settings, on bool) { s.IgnoreDNT = !on })
	change(&c, f, "k", func(s *auth.Settings, k int) { s.K = k })
	change(&c, f, "internal_hosts", func(s *auth.Settings, hosts []string) { s.InternalHosts = hosts })
	change(&c, f, "allowed_params", func(s *auth.Settings, names []string) { s.AllowedParams = names })
	change(&c, f, "allowed_properties", func(s *auth.Settings, names []string) { s.AllowedProperties = names })
	if rates := d.rateLimits(f); rates != nil {
		c.said["rate_limits"] = rates
		c.set = append(c.set, func(s *auth.Settings) { s.RateLimits = rates })
	}
	return c
}

// change reads one setting, where it was sent.
func change[T any](c *settingsChange, f *fields, name string, set func(*auth.Settings, T)) {
	value := take[T](f, name)
	if value == nil {
		return
	}
	c.said[name] = *value
	c.set = append(c.set, func(s *auth.Settings) { set(s, *value) })
}

func (c *settingsChange) inBook() bool { return len(c.set) > 0 }

func (c *settingsChange) apply(s *auth.Settings) {
	for _, set := range c.set {
		set(s)
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

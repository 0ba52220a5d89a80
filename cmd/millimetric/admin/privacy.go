package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/record"
)

// PrivacySources tell the record of processing what the door doesn't know by itself.
type PrivacySources struct {
	Version string
	// Measures are those of the whole server.
	Measures func() []record.Measure
	// LastDrill is the last restore of a backup for trial; nil where nobody knows of any.
	LastDrill func() *record.Drill
}

// ReadPrivacyReport writes the record of processing, as JSON or, with format=markdown, for readers.
func (d *Door) ReadPrivacyReport(r *Request) error {
	f := params(r.HTTP)
	format := f.text("format")
	f.oneOf("format", format, "json", "markdown")
	if err := f.end(); err != nil {
		return err
	}
	report, err := d.record(r.Grant.Account)
	if err != nil {
		return err
	}
	if format != "markdown" {
		return r.answer(fasthttp.StatusOK, report)
	}
	r.HTTP.SetContentType("text/markdown; charset=utf-8")
	r.HTTP.SetStatusCode(fasthttp.StatusOK)
	r.HTTP.SetBody(report.Markdown())
	return nil
}

// record gathers the record of an account.
func (d *Door) record(account string) (*record.Record, error) {
	out := &record.Record{At: d.Now().UTC(), Version: d.Privacy.Version, Account: account, Fields: record.Collected(), Dropped: record.NotKept(),
		Projects: []record.Project{}, Measures: []record.Measure{}}
	if d.Privacy.Measures != nil {
		out.Measures = d.Privacy.Measures()
	}
	if d.Privacy.LastDrill != nil {
		out.LastDrill = d.Privacy.LastDrill()
	}
	if err := d.Book.Incomplete(); err != nil {
		return nil, err // a record that leaves something out would be a wrong one
	}
	for _, a := range d.Book.Accounts() {
		if a.ID == account {
			out.Account = a.Name
		}
	}
	out.Admins = d.keysFor(account, "")
	for _, p := range d.Book.Projects(account) {
		shown := record.Project{ID: p.ID, Slug: p.Slug, Name: p.Name, Since: p.Created, Archived: p.Archived, KeptDays: d.Engine.Retention(p.Number),
			Origins: append([]string{}, p.Origins...), Measures: measuresOf(&p), Keys: d.keysFor(account, p.ID), OpenErasures: d.Engine.OpenErasures(p.Number)}
		out.Projects = append(out.Projects, shown)
	}
	return out, nil
}

// keysFor lists the keys with which something can be done, of a project or, where it is "", of the account.
func (d *Door) keysFor(account, project string) []record.Key {
	list, now := []record.Key{}, d.Now()
	for _, k := range d.Book.Keys() {
		if k.Account != account || k.Project != project || k.Revoked != nil || k.Expires != nil && !now.Before(*k.Expires) {
			continue
		}
		list = append(list, record.Key{Prefix: k.Prefix, Kind: string(k.Kind), Name: k.Name, May: d.may(&k), Created: k.Created,
			LastUsed: k.LastUsed, Expires: k.Expires})
	}
	return list
}

// may lists the routes that a key opens.
func (d *Door) may(k *auth.Key) []string {
	names := []string{}
	for _, route := range d.Routes {
		needs := route.Scope != "" && k.Kind == auth.KindRead && !slices.Contains(k.Scopes, route.Scope)
		if slices.Contains(route.Kinds, k.Kind) && k.Route(route.Name) && !needs && !slices.Contains(names, route.Name) {
			names = append(names, route.Name)
		}
	}
	return names
}

// measuresOf says how a project's settings stand.
func measuresOf(p *auth.Project) []record.Measure {
	s := &p.Settings
	limits := "none"
	if len(s.RateLimits) > 0 {
		limits = fmt.Sprintf("on %d routes", len(s.RateLimits))
	}
	allowed := func(names []string) string {
		if len(names) == 0 {
			return "none is let through"
		}
		return "let through: " + strings.Join(names, ", ")
	}
	return []record.Measure{
		{Name: "Global Privacy Control", On: !s.IgnoreGPC, Note: "visitors who send Sec-GPC: 1 aren't followed"},
		{Name: "Do Not Track", On: !s.IgnoreDNT, Note: "visitors who send DNT: 1 aren't followed"},
		{Name: "Ids kept by the site alone", On: !s.Cookieless, Note: "else visitors who bring no id are told apart within a day by address and agent"},
		{Name: "Personal data taken out of addresses", On: true, Note: "parameters " + allowed(s.AllowedParams)},
		{Name: "Personal data taken out of properties", On: true, Note: "properties " + allowed(s.AllowedProperties)},
		{Name: "Small numbers hidden", On: s.K > 0, Note: fmt.Sprintf("k = %d, for all keys of the project", s.K)},
		{Name: "Rate limits", On: len(s.RateLimits) > 0, Note: limits},
	}
}

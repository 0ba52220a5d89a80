package admin

import (
	"encoding/json"

	"millimetric/cmd/millimetric/archive"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// ReturnProject gives a project back to its controller: all of it, as one archive that only who knows the
// passphrase or the key can read. Neither is kept.
func (d *Door) ReturnProject(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	if r.Grant.From != nil || r.Grant.To != nil || r.Grant.Least() > 0 {
		return &event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope, Notes: []string{"The key only reads a part of what there is"}}
	}
	secret := archive.Secret{Passphrase: f.text("passphrase")}
	if text := f.text("key"); text != "" {
		if secret.Key, err = archive.ParseKey(text); err != nil {
			f.errs.Add("key", err.Error())
		}
	}
	if len(f.errs) == 0 {
		if err := secret.Check(); err != nil {
			f.errs.Add("passphrase", err.Error())
		}
	}
	if err := f.end(); err != nil {
		return err
	}
	keys := []Key{}
	for _, k := range d.Book.Keys() {
		if k.Project == p.ID {
			keys = append(keys, ShownKey(k, ""))
		}
	}
	asked := audit.Question{Project: p.ID, Account: r.Grant.Account}
	done := func(line func([]byte) error) error {
		return d.Audit.Each(asked, func(row audit.Row) error {
			text, err := json.Marshal(row)
			if err != nil {
				return err
			}
			return line(text)
		})
	}
	return d.Return(r.HTTP, p.Number, map[string]any{"project": d.shown(p), "keys": keys}, done, secret)
}

package admin

import (
	"encoding/hex"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
)

// auditRowsMax is how many entries of the audit log one answer has at most.
const auditRowsMax = 1000

// ReadAudit lists entries of the audit log, the latest first.
func (d *Door) ReadAudit(r *Request) error {
	f := params(r.HTTP)
	q := audit.Question{Actor: f.text("actor"), Action: f.text("action"), Project: f.text("project_id"), Account: r.Grant.Account,
		Before: f.number("cursor", 0, 1<<63), Limit: int(f.number("limit", 100, auditRowsMax))}
	if at := f.moment("from"); at != nil {
		q.From = *at
	}
	if at := f.moment("to"); at != nil {
		q.To = *at
	}
	if err := f.end(); err != nil {
		return err
	}
	rows, more, err := d.Audit.Read(q)
	if err != nil {
		return err
	}
	out := map[string]any{"rows": append([]audit.Row{}, rows...)}
	if more {
		out["next"] = rows[len(rows)-1].N
	}
	return r.answer(fasthttp.StatusOK, out)
}

// VerifyAudit walks the whole chain. With n and hash, it also says whether the log still holds an entry
// that was seen before.
func (d *Door) VerifyAudit(r *Request) error {
	f := params(r.HTTP)
	known, text := audit.Known{N: f.number("n", 0, 1<<63)}, f.text("hash")
	if (known.N == 0) != (text == "") {
		f.errs.Add("hash", "n and hash go together")
	} else if text != "" && known.Hash.UnmarshalText([]byte(text)) != nil {
		f.errs.Add("hash", "Expected 64 hex digits")
	}
	if err := f.end(); err != nil {
		return err
	}
	seen := &known
	if known.N == 0 {
		seen = nil
	}
	v, err := d.Audit.Verify(seen)
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, map[string]any{
		"ok": len(v.Problems) == 0, "entries": v.Entries, "first": v.Head.First, "n": v.Head.N, "hash": v.Head.Hash, "at": v.Head.At,
		"signature": hex.EncodeToString(v.Head.Signature), "public_key": hex.EncodeToString(d.Audit.PublicKey()),
		"problems": append([]string{}, v.Problems...),
	})
}

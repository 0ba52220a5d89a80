package main

import (
	"strings"
	"testing"

	"millimetric/cmd/millimetric/record"
)

// TestThePrivacyReportFollowsTheSettings changes settings and keys, and looks for that in the next report.
func TestThePrivacyReportFollowsTheSettings(t *testing.T) {
	r := startServer(t)
	var before, after record.Record
	r.do("GET", "/v1/admin/privacy-report", "", 200, &before)
	r.do("PATCH", "/v1/admin/projects/shop/settings", `{"honour_dnt":false,"k":5,"retention_days":30,"allowed_params":["name"]}`, 200, nil)
	r.do("DELETE", "/v1/admin/projects/shop/keys/"+r.words["rk"][8:16], "", 200, nil)
	r.do("GET", "/v1/admin/privacy-report", "", 200, &after)
	if len(before.Projects) != 2 || before.Account != "shop" && before.Account == "" || len(before.Admins) == 0 || len(before.Measures) == 0 {
		t.Errorf("%+v", before)
	}
	shop, changed := before.Projects[0], after.Projects[0]
	if shop.KeptDays != 0 || changed.KeptDays != 30 || len(changed.Keys) != len(shop.Keys)-1 || shop.OpenErasures != 0 {
		t.Errorf("%+v\n%+v", shop, changed)
	}
	state := func(p record.Project) string {
		var on []string
		for _, m := range p.Measures {
			if m.On {
				on = append(on, m.Name+": "+m.Note)
			}
		}
		return strings.Join(on, "; ")
	}
	if !strings.Contains(state(shop), "Do Not Track") || strings.Contains(state(changed), "Do Not Track") ||
		strings.Contains(state(shop), "Small numbers") || !strings.Contains(state(changed), "k = 5") || !strings.Contains(state(changed), "let through: name") {
		t.Errorf("%s\n%s", state(shop), state(changed))
	}
	res, text := r.call("GET", "/v1/admin/privacy-report?format=markdown", bearer(r.words["ak"]), nil)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/markdown; charset=utf-8" || !strings.HasPrefix(text, "# Record of processing\n") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	for _, secret := range []string{r.words["ak"][17:], r.words["sk"][17:]} {
		if strings.Contains(text, secret) {
			t.Error("a key's secret is in the report")
		}
	}
	if _, body := r.call("GET", "/v1/admin/privacy-report?format=pdf", bearer(r.words["ak"]), nil); !strings.Contains(body, "Expected one of json, markdown") {
		t.Errorf("%s", body)
	}
}

package ingest

import (
	"testing"

	"millimetric/index/event"
)

// TestReclassifyingChangesNothingWhereTheRulesDidnt sends events and tells the sources of what was kept anew: what
// was taken out before must not change them.
func TestReclassifyingChangesNothingWhereTheRulesDidnt(t *testing.T) {
	for _, private := range []bool{false, true} {
		for _, fields := range []string{
			`"url":"https://shop.example/?gclid=1"`, `"url":"https://shop.example/?fbclid=1","referrer":"https://l.facebook.com/x"`,
			`"url":"https://shop.example/?utm_source=ann@example.com&utm_campaign=c"`, `"url":"https://shop.example/?utm_campaign=ann@example.com"`,
			`"url":"https://shop.example/a?email=x&utm_source=news&utm_medium=email","referrer":"https://mail.google.com/a"`,
			`"url":"https://shop.example/","referrer":"https://pay.example/done?token=1"`, `"referrer":"https://www.bing.com/search?q=x"`,
			`"path":"/x"`, `"url":"https://shop.example/?fbclid=1&utm_source=ig"`, `"referrer":"somewhere"`,
		} {
			w, caller := newWorld(t), browser()
			caller.Private, caller.Site.InternalHosts = private, []string{"pay.example"}
			if err := w.send(caller, "track", `{"event":"a",`+fields+`}`); err != nil {
				t.Fatal(err)
			}
			e := w.kept.events[0]
			now := touchOf(&e)
			if then := Reclassify(caller.Site.InternalHosts, e.URL, e.Referrer, now); then != now {
				t.Errorf("%s, private: %v: %+v became %+v", fields, private, now, then)
			}
		}
	}
	then := Reclassify([]string{"pay.example"}, "https://shop.example/", "https://pay.example/", Touch{Source: "pay.example", Medium: "referral", Rule: "referral"})
	if then.Source != "internal" {
		t.Errorf("%+v", then)
	}
}

func touchOf(e *event.Event) Touch {
	return Touch{e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule}
}

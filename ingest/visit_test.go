package ingest

import (
	"fmt"
	"net/netip"
	"testing"

	"millimetric/index/event"
)

func draftOf(url, path, referrer string) *draft {
	d := &draft{url: url, path: path, referrer: referrer}
	d.page, _ = event.SplitURL(url)
	return d
}

func TestARememberedVisitDependsOnItsSite(t *testing.T) {
	const url, referrer = "https://shop.example/a", "https://pay.example/done"
	var m visitMemo
	for range 2 {
		for want, site := range map[string]*Site{
			"referral": {Project: 1},
			"internal": {Project: 1, InternalHosts: []string{"pay.example"}},
			"direct":   {Project: 2},
		} {
			d := draftOf(url, "", referrer)
			if want == "direct" {
				d.referrer = ""
			}
			if v, owned := m.visitOf(site, d); v.rule != want || !owned || v.path != "/a" {
				t.Errorf("want %s, got %+v, owned %v", want, v, owned)
			}
		}
	}
}

func TestNoPersonalVisitIsRemembered(t *testing.T) {
	var m visitMemo
	for _, d := range []*draft{
		draftOf("https://shop.example/?email=ann@example.com", "", ""),
		draftOf("https://shop.example/", "/u/ann@example.com", ""),
		draftOf("https://shop.example/", "", "https://mail.example/?token=abcdef"),
		draftOf("https://ann:secret@shop.example/", "", ""),
	} {
		v, owned := m.visitOf(&Site{Project: 1}, d)
		if want := newVisit(&Site{Project: 1}, d); owned || v.url != want.url || v.path != want.path || v.referrer != want.referrer {
			t.Errorf("%+v, owned %v", v, owned)
		}
	}
	if len(m.known) != 0 {
		t.Errorf("remembered: %v", m.known)
	}
}

func TestTheMemoOfVisitsIsBounded(t *testing.T) {
	var m visitMemo
	for i := range 3 * visitsMax {
		m.visitOf(&Site{Project: 1}, draftOf(fmt.Sprintf("https://shop.example/p/x%d", i), "", ""))
		if len(m.known) > visitsMax {
			t.Fatalf("%d visits are held", len(m.known))
		}
	}
}

func TestAReaderGoesBackWithoutAddresses(t *testing.T) {
	w := newWorld(t)
	caller := server()
	q := w.newRequest(&caller, batch, `{"events":[{"event":"a","ip":"81.2.69.142"},{"event":"b","ip":"81.2.69.142"}]}`)
	addr := netip.MustParseAddr("81.2.69.142")
	if !q.glance() || q.places.slot(addr).addr != addr {
		t.Fatal("the address was not remembered within its request")
	}
	q.close()
	if q.places != (placeMemo{}) || q.text != "" || q.body != nil {
		t.Error("a reader keeps what it read")
	}
}

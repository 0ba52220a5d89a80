package ingest

import (
	"fmt"
	"net/netip"
	"reflect"
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
	m := newVisitMemo()
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
	m := newVisitMemo()
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
	for i := range m.shards {
		if s := &m.shards[i]; len(s.young)+len(s.old) != 0 {
			t.Errorf("remembered: %v, %v", s.young, s.old)
		}
	}
	if len(m.words) != 0 {
		t.Errorf("remembered: %v", m.words)
	}
}

func TestTheMemoOfVisitsIsBounded(t *testing.T) {
	m := newVisitMemo()
	held := func() (n int) {
		for i := range m.shards {
			for _, pages := range []map[string]*page{m.shards[i].young, m.shards[i].old} {
				for _, p := range pages {
					if n += len(p.visits); len(p.visits) > pageVisitsMax {
						t.Fatalf("%d visits to a page are held", len(p.visits))
					}
				}
			}
		}
		if len(m.words) > visitWordsMax {
			t.Fatalf("%d words are held", len(m.words))
		}
		return n
	}
	for i := range 3 * visitsMax {
		m.visitOf(&Site{Project: 1}, draftOf(fmt.Sprintf("https://shop.example/p/x%d", i), "", ""))
		if i%4096 == 0 && held() > visitsMax {
			t.Fatalf("%d visits are held", held())
		}
	}
	for i := range 3 * pageVisitsMax {
		v, owned := m.visitOf(&Site{Project: 1}, draftOf("https://shop.example/", "", fmt.Sprintf("https://other.example/%d", i)))
		if !owned || v.referrer != fmt.Sprintf("https://other.example/%d", i) {
			t.Fatalf("visit %d: %+v", i, v)
		}
		held()
	}
}

// A page that is remembered isn't taken apart again, but all that depends on more than its URL is as it
// would be without a memo.
func TestVisitsToRememberedPagesAreLikeAllOthers(t *testing.T) {
	m := newVisitMemo()
	for range 3 {
		for _, referrer := range []string{"", "https://www.google.com/", "https://shop.example/"} {
			for _, path := range []string{"", "/sent"} {
				for project := range 2 {
					site := &Site{Project: event.Project(1 + project), InternalHosts: []string{"a.example"}[:project]}
					d := draftOf("https://shop.example/a?utm_source=x", path, referrer)
					if d.seen = m.page(d.url); d.seen != nil {
						d.page = event.URL{}
					}
					v, _ := m.visitOf(site, d)
					if want := newVisit(site, draftOf(d.url, path, referrer)); !reflect.DeepEqual(v, want) {
						t.Errorf("%s %s %d: %+v, want %+v", path, referrer, project, v, want)
					}
				}
			}
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

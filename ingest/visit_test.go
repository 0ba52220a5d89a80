package ingest

import (
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"

	"millimetric/index/event"
)

func draftOf(url, path, referrer string) *draft {
	d := &draft{url: url, path: path, referrer: referrer}
	d.page, _ = event.SplitURL(url)
	return d
}

// visitIn returns the visit of a draft as an event gets it.
func visitIn(m *visitMemo, site *Site, d *draft) (v visit, owned bool) {
	if k := m.find(site, d); k != nil {
		return k.visit, true
	}
	return m.visitOf(site, d)
}

func (m *visitMemo) held() (visits int) {
	for i := range m.sets {
		for j := range m.sets[i].visits {
			if m.sets[i].visits[j].Load() != nil {
				visits++
			}
		}
	}
	return visits
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
			if v, owned := visitIn(m, site, d); v.rule != want || !owned || v.path != "/a" {
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
		v, owned := visitIn(m, &Site{Project: 1}, d)
		if want := newVisit(&Site{Project: 1}, d); owned || v.url != want.url || v.path != want.path || v.referrer != want.referrer {
			t.Errorf("%+v, owned %v", v, owned)
		}
	}
	if m.held() != 0 || len(m.words) != 0 {
		t.Errorf("remembered: %d visits, %v", m.held(), m.words)
	}
}

func TestTheMemoOfVisitsIsBounded(t *testing.T) {
	m := newVisitMemo()
	for i := range 3 * visitsMax {
		visitIn(m, &Site{Project: 1}, draftOf(fmt.Sprintf("https://shop.example/p/x%d", i), "", ""))
		if len(m.words) > visitWordsMax {
			t.Fatalf("%d words are held", len(m.words))
		}
	}
	if n := m.held(); n > visitsMax || n < visitsMax*9/10 {
		t.Errorf("%d visits are held", n)
	}
}

// What recurs is known however many visits come in between that never do.
func TestVisitsThatRecurAreRemembered(t *testing.T) {
	m, site, known := newVisitMemo(), &Site{Project: 1}, 0
	const recurring, others, rounds = visitsMax / 16, visitsMax / 2, 10
	for round := range rounds {
		for i := range others {
			visitIn(m, site, draftOf(fmt.Sprintf("https://shop.example/%d/x%d", round, i), "", ""))
			if i%(others/recurring/4) != 0 {
				continue
			}
			d := draftOf("https://shop.example/", "", fmt.Sprintf("https://other.example/%d", i%recurring))
			if m.find(site, d) != nil && round == rounds-1 {
				known++
			}
			visitIn(m, site, d)
		}
	}
	if all := 4 * recurring; known < all*9/10 {
		t.Errorf("%d of %d visits are known", known, all)
	}
}

// Those who read and write a memo at the same time get their own visits.
func TestAMemoOfVisitsIsShared(t *testing.T) {
	m := newVisitMemo()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20_000 {
				url := fmt.Sprintf("https://shop.example/p/%d", i*i%997)
				if v, owned := visitIn(m, &Site{Project: 1}, draftOf(url, "", "")); v.url != url || !owned {
					t.Errorf("%s: %+v", url, v)
				}
			}
		})
	}
	all.Wait()
}

// All that depends on more than a URL is as it would be without a memo.
func TestRememberedVisitsAreLikeAllOthers(t *testing.T) {
	m := newVisitMemo()
	for range 3 {
		for _, referrer := range []string{"", "https://www.google.com/", "https://shop.example/"} {
			for _, path := range []string{"", "/sent"} {
				for project := range 2 {
					site := &Site{Project: event.Project(1 + project), InternalHosts: []string{"a.example"}[:project]}
					d := draftOf("https://shop.example/a?utm_source=x", path, referrer)
					v, _ := visitIn(m, site, d)
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

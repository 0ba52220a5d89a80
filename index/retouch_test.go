package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// otherwise tells sources by other rules: twice is as once.
func otherwise(url, referrer string, now Touch) Touch {
	switch {
	case len(url)%3 == 0:
		return Touch{Source: "length", Medium: fmt.Sprint(len(url) % 7), Rule: "three"}
	case referrer != "" && now.Rule != "three":
		return Touch{Source: referrer, Medium: "referral", Campaign: now.Campaign, Confidence: "low", Rule: "referrer"}
	}
	return now
}

func TestMergingWithOtherSourcesIsBuildingWithThem(t *testing.T) {
	for name, rows := range mergeCases() {
		for seed := range uint64(2) {
			p := part(t, rand.New(rand.NewPCG(seed, 0x7265)), rows)
			p.opt.Retouch = otherwise
			left, changed := make([]Row, len(p.left)), 0
			for i, row := range p.left {
				e := *row.Event
				now := Touch{e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule}
				then := otherwise(e.URL, e.Referrer, now)
				if then != now {
					changed++
				}
				e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = then.Source, then.Medium, then.Campaign, then.Confidence, then.Rule
				left[i] = Row{Event: &e, Ordinal: row.Ordinal}
			}
			if p.left = left; len(left) > 100 && changed == 0 {
				t.Errorf("%s: nothing changes", name)
			}
			isUnion(t, fmt.Sprintf("%s, seed %d", name, seed), p)
		}
	}
}

func TestEachTouchTellsOfEveryRow(t *testing.T) {
	rows := mergeCases()["more traffic"]
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[[2]Touch]int{}, map[[2]Touch]int{}
	for _, row := range rows {
		e := row.Event
		now := Touch{e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule}
		want[[2]Touch{now, otherwise(e.URL, e.Referrer, now)}]++
	}
	if err := s.EachTouch(otherwise, func(now, then Touch) { got[[2]Touch{now, then}]++ }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(want) < 5 {
		t.Errorf("%v, want %v", got, want)
	}
}

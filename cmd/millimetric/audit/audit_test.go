package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
)

// memory is a store in memory that can fail.
type memory struct {
	records map[string]Record
	err     error
}

func (m *memory) Records(kind string) ([]Record, error) {
	var list []Record
	for _, name := range slices.Sorted(maps.Keys(m.records)) {
		if r := m.records[name]; r.Kind == kind {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *memory) PutRecords(_ context.Context, records ...Record) error {
	if m.err != nil {
		return m.err
	}
	for _, r := range records {
		if name := r.Kind + "/" + r.ID; r.Value == nil {
			delete(m.records, name)
		} else {
			m.records[name] = r
		}
	}
	return nil
}

type desk struct {
	t     *testing.T
	store *memory
	at    time.Time
	log   *Log
}

func start(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: &memory{records: map[string]Record{}}, at: time.Date(2026, 5, 1, 23, 0, 0, 0, time.UTC)}
	d.reopen()
	return d
}

func (d *desk) reopen() {
	d.t.Helper()
	log, err := Open(Options{Store: d.store, Seed: [32]byte{5}, Now: func() time.Time { return d.at }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.log = log
}

// fill appends entries, an hour apart, so that they lie on several days.
func (d *desk) fill(count int) {
	d.t.Helper()
	for i := range count {
		d.at = d.at.Add(time.Hour)
		e := Entry{Action: "keys.mint", Actor: "0123abcd", Account: "acc_1", Target: fmt.Sprint("key ", i), Result: ResultOK}
		if err := d.log.Append(d.t.Context(), e); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) verify(known *Known) Verdict {
	d.t.Helper()
	v, err := d.log.Verify(known)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// names returns the store's names of the entries, in their order.
func (d *desk) names() (names []string) {
	for name, r := range d.store.records {
		if r.Kind != kindHead {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(d.store.records[a].ID, d.store.records[b].ID) })
	return names
}

func TestALogThatNobodyTouchedHolds(t *testing.T) {
	d := start(t)
	if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 0 {
		t.Errorf("empty: %+v", v)
	}
	d.fill(30)
	seen := d.log.Head()
	d.fill(30)
	for range 2 {
		v := d.verify(&Known{seen.N, seen.Hash})
		if len(v.Problems) > 0 || v.Entries != 60 || v.Head.N != 60 {
			t.Errorf("%+v", v)
		}
		d.reopen()
	}
}

// Each way to tamper with the log is tried at each entry, and must be found.
func TestVerifyFindsEveryKindOfTampering(t *testing.T) {
	d := start(t)
	d.fill(26)
	whole := maps.Clone(d.store.records)
	tamper := map[string]func(names []string, i int) bool{
		"edit": func(names []string, i int) bool {
			r := d.store.records[names[i]]
			r.Value = bytes.Replace(r.Value, []byte("0123abcd"), []byte("4567abcd"), 1)
			d.store.records[names[i]] = r
			return true
		},
		"edit with a hash made anew": func(names []string, i int) bool {
			r := d.store.records[names[i]]
			text := bytes.Replace(r.Value[32:], []byte("0123abcd"), []byte("4567abcd"), 1)
			var before Hash
			if i > 0 {
				before = Hash(d.store.records[names[i-1]].Value[:32])
			}
			hash := chain(before, text)
			r.Value = append(hash[:], text...)
			d.store.records[names[i]] = r
			return true
		},
		"remove": func(names []string, i int) bool {
			delete(d.store.records, names[i])
			return true
		},
		"remove this and all later": func(names []string, i int) bool {
			for _, name := range names[i:] {
				delete(d.store.records, name)
			}
			return true
		},
		"swap with the next": func(names []string, i int) bool {
			if i+1 == len(names) {
				return false
			}
			a, b := d.store.records[names[i]], d.store.records[names[i+1]]
			a.Value, b.Value = b.Value, a.Value
			d.store.records[names[i]], d.store.records[names[i+1]] = a, b
			return true
		},
		"swap with the next, numbers put right": func(names []string, i int) bool {
			if i+1 == len(names) {
				return false
			}
			a, b := d.store.records[names[i]], d.store.records[names[i+1]]
			was, next := fmt.Appendf(nil, `"n":%d,`, i+1), fmt.Appendf(nil, `"n":%d,`, i+2)
			a.Value, b.Value = bytes.Replace(b.Value, next, was, 1), bytes.Replace(a.Value, was, next, 1)
			d.store.records[names[i]], d.store.records[names[i+1]] = a, b
			return true
		},
		"say the same twice": func(names []string, i int) bool {
			r := d.store.records[names[i]]
			d.store.records[r.Kind+"/"+idOf(99)] = Record{r.Kind, idOf(99), r.Value}
			return true
		},
	}
	tried := 0
	for what, act := range tamper {
		for i := range 26 {
			d.store.records = maps.Clone(whole)
			if !act(d.names(), i) {
				continue
			}
			tried++
			if v := d.verify(nil); len(v.Problems) == 0 {
				t.Errorf("%s at entry %d isn't found", what, i+1)
			}
		}
	}
	if tried < 150 {
		t.Errorf("only %d were tried", tried)
	}
}

func TestVerifyFindsAHeadThatWasChanged(t *testing.T) {
	for what, change := range map[string]func(*Head){
		"number":    func(h *Head) { h.N-- },
		"hash":      func(h *Head) { h.Hash[0]++ },
		"beginning": func(h *Head) { h.First++ },
		"days":      func(h *Head) { h.FirstDay++ },
		"signature": func(h *Head) { h.Signature[5]++ },
	} {
		d := start(t)
		d.fill(30)
		r := d.store.records[kindHead+"/"+idHead]
		var h Head
		if err := json.Unmarshal(r.Value, &h); err != nil {
			t.Fatal(err)
		}
		change(&h)
		r.Value, _ = json.Marshal(h)
		d.store.records[kindHead+"/"+idHead] = r
		d.reopen()
		if v := d.verify(nil); len(v.Problems) == 0 {
			t.Errorf("a changed %s isn't found", what)
		}
	}
}

// An older copy of the whole store is sound in itself: only who has seen a later entry can tell.
func TestAnOlderCopyIsFoundWithAHeadThatWasKept(t *testing.T) {
	d := start(t)
	d.fill(10)
	copied := maps.Clone(d.store.records)
	d.fill(10)
	kept := d.log.Head()
	d.store.records = copied
	d.reopen()
	if v := d.verify(nil); len(v.Problems) > 0 {
		t.Errorf("the copy by itself: %v", v.Problems)
	}
	if v := d.verify(&Known{kept.N, kept.Hash}); len(v.Problems) == 0 {
		t.Error("the copy isn't found")
	}
	d.fill(20)
	if v := d.verify(&Known{kept.N, kept.Hash}); len(v.Problems) == 0 {
		t.Error("the copy that went on isn't found")
	}
}

func TestEntriesAreDroppedWhenTheirTimeIsOverAndTheRestHolds(t *testing.T) {
	d := start(t)
	d.fill(60)
	first := d.log.Head().FirstDay
	d.at = d.at.AddDate(0, 0, KeepDays-1)
	d.fill(1)
	if err := d.log.Upkeep(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	head := d.log.Head()
	if head.First == 1 || head.First == 61 || head.FirstDay != first+1 {
		t.Errorf("of 60, those before %d are gone; days from %d on, which were from %d on", head.First, head.FirstDay, first)
	}
	for range 2 {
		if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 62-head.First {
			t.Errorf("%+v", v)
		}
		d.reopen()
	}
	d.at = d.at.AddDate(10, 0, 0)
	if err := d.log.Upkeep(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 1 {
		t.Errorf("after ten years: %+v", v)
	}
	d.fill(2)
	if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 3 {
		t.Errorf("and on: %+v", v)
	}
}

func TestAFloodOfRefusalsIsFewEntriesThatSayHowMany(t *testing.T) {
	d := start(t)
	refuse := func(actor string, times int) {
		t.Helper()
		for range times {
			if err := d.log.Refused(t.Context(), Entry{Action: "projects.list", Actor: actor, Result: "invalid_api_key"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	refuse("", 500)
	for i := range 1000 {
		refuse(fmt.Sprintf("%08x", i), 1)
	}
	if n := d.log.Head().N; n > refusalsMax+1 {
		t.Errorf("%d entries at once", n)
	}
	d.at = d.at.Add(refusalsEvery)
	if err := d.log.Upkeep(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	rows, more, err := d.log.Read(Question{Limit: 100})
	if err != nil || more {
		t.Fatal(err)
	}
	total := 0
	for _, row := range rows {
		var e Entry
		if err := json.Unmarshal(row.Entry, &e); err != nil {
			t.Fatal(err)
		}
		total += max(1, e.Times)
	}
	if total != 1500 || len(rows) > 2*refusalsMax+2 {
		t.Errorf("%d refusals in %d entries", total, len(rows))
	}
	refuse("", 1)
	if got := d.log.Head().N; got != uint64(len(rows))+1 {
		t.Error("after the minute, the next isn't written at once")
	}
}

func TestEntriesAreReadByTimeActorAndAction(t *testing.T) {
	d := start(t)
	d.fill(50)
	noon := d.at.Truncate(24 * time.Hour)
	if err := d.log.Append(t.Context(), Entry{Action: "projects.create", Actor: "ffffffff", Account: "acc_2", Project: "prj_1", Result: ResultOK}); err != nil {
		t.Fatal(err)
	}
	if err := d.log.Append(t.Context(), Entry{Action: "projects.list", Result: "missing_bearer_token"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    Question
		want int
		more bool
	}{
		{Question{Limit: 100}, 52, false},
		{Question{Limit: 52}, 52, false},
		{Question{Limit: 10}, 10, true},
		{Question{Limit: 100, Before: 11}, 10, false},
		{Question{Limit: 100, Account: "acc_1"}, 51, false},
		{Question{Limit: 100, Account: "acc_2"}, 2, false},
		{Question{Limit: 100, Actor: "ffffffff"}, 1, false},
		{Question{Limit: 100, Action: "projects.create"}, 1, false},
		{Question{Limit: 100, Project: "prj_1"}, 1, false},
		{Question{Limit: 100, From: noon.Add(-24 * time.Hour), To: noon}, 24, false},
	} {
		rows, more, err := d.log.Read(c.q)
		if err != nil || len(rows) != c.want || more != c.more {
			t.Errorf("%+v: %d rows, %v, %v", c.q, len(rows), more, err)
		}
		if !slices.IsSortedFunc(rows, func(a, b Row) int { return int(b.N) - int(a.N) }) {
			t.Errorf("%+v: not the latest first", c.q)
		}
	}
}

func TestAWriteThatFailsLeavesTheChainAsItWas(t *testing.T) {
	d := start(t)
	d.fill(3)
	d.store.err = errors.New("no space")
	if err := d.log.Append(t.Context(), Entry{Action: "x", Result: ResultOK}); !errors.Is(err, d.store.err) {
		t.Errorf("%v", err)
	}
	d.store.err = nil
	d.fill(1)
	if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 4 {
		t.Errorf("%+v", v)
	}
}

// A chain that began anew would hide that there was another.
func TestALogWhoseHeadCannotBeReadTakesNothing(t *testing.T) {
	d := start(t)
	d.fill(3)
	name := kindHead + "/" + idHead
	head := d.store.records[name]
	d.store.records[name] = Record{kindHead, idHead, []byte("{")}
	d.reopen()
	if err := d.log.Append(t.Context(), Entry{Action: "keys.mint", Result: ResultOK}); !errors.Is(err, event.ErrDamaged) || !errors.Is(d.log.Broken(), event.ErrDamaged) {
		t.Errorf("an entry: %v", err)
	}
	if _, _, err := d.log.Read(Question{Limit: 10}); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("entries: %v", err)
	}
	if err := errors.Join(d.log.Refused(t.Context(), Entry{Action: "x"}), d.log.Upkeep(t.Context(), true)); err != nil {
		t.Errorf("what was refused: %v", err)
	}
	if v := d.verify(nil); len(v.Problems) != 1 {
		t.Errorf("verified: %v", v.Problems)
	}
	d.store.records[name] = head
	d.reopen()
	if v := d.verify(nil); len(v.Problems) > 0 || v.Entries != 3 {
		t.Errorf("once it is put back: %+v", v)
	}
}

package query

import (
	"context"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millimetric/index/event"
)

// Of a sealed entry its place is kept alone, so a list of visits needs little more memory than their number.
func TestAListOfVisitsNeedsLittleMoreThanTheirNumber(t *testing.T) {
	const visits = 20_000
	source := &pieces{}
	source.add(t, visits, 3)
	allowance := NewAllowance(visits * 12 * entryBytes * 8 / allowanceEach)
	for _, list := range []bool{false, true} {
		q := &Sessions{Common: Common{To: event.TimeMax + 1, Zone: time.UTC, Allowance: allowance}, List: list, Limit: 5}
		answer, err := Run(context.Background(), source, q)
		if err != nil {
			t.Errorf("list %t: %v", list, err)
			continue
		}
		if want := map[bool]int{false: 1, true: 5}[list]; len(answer.Rows) != want {
			t.Errorf("list %t: %d rows", list, len(answer.Rows))
		}
	}
}

// Of visitors, little more is kept than the visits of one block: in memory that is enough for these, the visits of
// persons, who may be in any block, have no room.
func TestVisitsOfVisitorsNeedTheMemoryOfABlock(t *testing.T) {
	source := &pieces{}
	source.add(t, 40_000, 3)
	source.add(t, 40_000, 3)
	ask := func(actor Actor, compare bool) (*Answer, error) {
		q := &Sessions{
			Common:  Common{From: 30_000_000, To: 70_000_000, Zone: time.UTC, Allowance: NewAllowance(allowanceStep), Actor: actor},
			GroupBy: []Dimension{{Name: "campaign", Column: event.ColumnCampaign}}, Interval: IntervalDay, Limit: 1, Compare: compare,
		}
		return Run(context.Background(), source, q)
	}
	if _, err := ask(ActorPerson, false); codeOf(err) != codeTooLarge {
		t.Errorf("persons: %v", err)
	}
	for _, compare := range []bool{false, true} {
		if answer, err := ask(ActorVisitor, compare); err != nil || len(answer.Rows) == 0 || answer.Left != 2 {
			t.Errorf("visitors, compared %t: %+v, %v", compare, answer, err)
		}
	}
}

// A visit may last longer than most facts have room for, and any of those that are joined may.
func TestFactsOfVisitsSayWhatTheVisitsSay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		want := [2]struct {
			lengths []event.Time
			actors  map[uint32]bool
		}{{actors: map[uint32]bool{}}, {actors: map[uint32]bool{}}}
		all, actor := newVisitFacts(), uint32(0)
		for range 1 + r.IntN(3) {
			part := newVisitFacts()
			for range r.IntN(300) {
				actor += uint32(r.IntN(2))
				group := uint32(r.IntN(3))
				length := event.Time(r.IntN(lengthLong))
				if r.IntN(3) == 0 {
					length = lengthLong - 2 + event.Time(r.IntN(4)*r.IntN(1<<40))
				}
				part.add(group, 0, actor, &visitSpan{entry: place{time: 5}, last: 5 + length, events: 1, others: 1})
				if group < 2 {
					want[group].lengths = append(want[group].lengths, length)
					want[group].actors[actor] = true
				}
			}
			actor++
			all.join(part, []uint32{1, 0, 2}, []uint32{0})
		}
		rowOf := make([]int32, len(all.cells.list))
		for cell, key := range all.cells.list {
			group, _ := unpair(key)
			rowOf[cell] = []int32{1, 0, noRow}[group]
		}
		for group, found := range all.reckon(2, rowOf) {
			own, sum := want[group], new(big.Int)
			for _, length := range own.lengths {
				sum.Add(sum, big.NewInt(int64(length)))
			}
			high, low := found.sum()
			got := new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(high), 64), new(big.Int).SetUint64(low))
			if got.Cmp(sum) != 0 || found.actors != int64(len(own.actors)) {
				t.Fatalf("%v of %d actors, want %v of %d", got, found.actors, sum, len(own.actors))
			}
			if slices.Sort(own.lengths); len(own.lengths) > 0 && found.median() != own.lengths[(len(own.lengths)-1)/2] {
				t.Fatalf("median %d of %v", found.median(), own.lengths)
			}
		}
	}
}

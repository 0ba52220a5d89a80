package query

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// creditLine is one group of an answer, with what each model gave it in each period.
type creditLine struct {
	keys    []string
	rank    *big.Int
	periods [2][]credit
}

// creditLines joins the groups of all periods, in the order of an answer. A group stands if any model
// gives it credit. The periods number their groups apart, so groups meet by their keys.
func (q *Attribution) creditLines(periods []*credited) []*creditLine {
	at := map[string]*creditLine{}
	var lines []*creditLine
	for i, p := range periods {
		for group := range p.groups.whole.list {
			got := func(s *modelSum) bool { return s.groups[group].conversions.whole().Sign() != 0 }
			if !slices.ContainsFunc(p.sums, got) {
				continue
			}
			keys := p.groups.keys(uint32(group))
			name := joined(keys)
			l := at[name]
			if l == nil {
				l = q.newLine(keys, len(periods))
				at[name] = l
				lines = append(lines, l)
			}
			for k, s := range p.sums {
				l.periods[i][k] = s.of(uint32(group))
			}
		}
	}
	for _, l := range lines {
		// Rows are ordered by the number that they show: what looks equal is ordered by group.
		l.rank = l.periods[0][0].conversions.rounded(digitsCredit)
	}
	slices.SortFunc(lines, func(a, b *creditLine) int {
		if order := b.rank.Cmp(a.rank); order != 0 {
			return order
		}
		return periods[0].groups.compare(a.keys, b.keys)
	})
	return lines
}

func (q *Attribution) newLine(keys []string, periods int) *creditLine {
	l := &creditLine{keys: keys}
	for i := range periods {
		l.periods[i] = make([]credit, len(q.Models))
		for k := range l.periods[i] {
			l.periods[i][k] = noCredit()
		}
	}
	return l
}

// joined makes one word of keys that no other keys make.
func joined(keys []string) string {
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(strconv.Itoa(len(key)) + ":" + key)
	}
	return b.String()
}

// table makes the answer of what each group got.
func (q *Attribution) table(r *run, periods []*credited) *Answer {
	lines := q.creditLines(periods)
	groups := periods[0].groups
	answer := &Answer{Columns: groups.names()}
	for _, m := range q.Models {
		answer.Columns = append(answer.Columns, string(m))
	}
	if q.Compare {
		answer.Columns = append(answer.Columns, "previous")
	}
	start := min(q.Page.Skip, len(lines))
	end := min(start+q.Limit, len(lines))
	for _, l := range lines[start:end] {
		row := groups.row(nil, l.keys)
		for _, m := range q.creditMembers(l) {
			row = append(row, m.Value)
		}
		answer.Rows = append(answer.Rows, row)
	}
	if end < len(lines) {
		other := q.newLine(nil, len(periods))
		for _, l := range lines[end:] {
			for i := range periods {
				for k := range q.Models {
					other.periods[i][k].add(l.periods[i][k])
				}
			}
		}
		answer.Cut, answer.Left = r.cutAt(end, len(lines), Object(q.creditMembers(other)...)), len(lines)-end
	}
	answer.Foot = q.sums(periods)
	return answer
}

// creditMembers are what a row has beside its group.
func (q *Attribution) creditMembers(l *creditLine) []Member {
	shown := func(credits []credit) []Member {
		members := make([]Member, len(q.Models))
		for k, m := range q.Models {
			members[k] = Member{string(m), credits[k].shown()}
		}
		return members
	}
	members := shown(l.periods[0])
	if q.Compare {
		members = append(members, Member{"previous", Object(shown(l.periods[1])...)})
	}
	return members
}

// sums are the totals, and what no touch got.
func (q *Attribution) sums(periods []*credited) []Member {
	totals := func(p *credited) []Member {
		return append(p.book.total.members(), Member{"missing_value", Int(int64(p.book.missing))})
	}
	total, unattributed := totals(periods[0]), periods[0].book.unattributed.members()
	if q.Compare {
		total = append(total, Member{"previous", Object(totals(periods[1])...)})
		unattributed = append(unattributed, Member{"previous", Object(periods[1].book.unattributed.members()...)})
	}
	return []Member{{"totals", Object(total...)}, {"unattributed", Object(unattributed...)}}
}

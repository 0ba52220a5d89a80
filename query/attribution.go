package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

const (
	groupsLimit    = 50 // of the questions about actors
	groupsLimitMax = 1000

	lookbackDefault = 30 * 24 * time.Hour
	halfLifeDefault = 7 * 24 * time.Hour
)

// CreditModel says how the credit for a conversion is shared among its touches.
type CreditModel string

// The models.
const (
	ModelFirst         CreditModel = "first"
	ModelLast          CreditModel = "last"
	ModelLastNonDirect CreditModel = "last_non_direct"
	ModelLinear        CreditModel = "linear"
	ModelPosition      CreditModel = "position"
	ModelTimeDecay     CreditModel = "time_decay"
	ModelParticipation CreditModel = "participation" // whole credit to each group, so it adds up to more
	ModelDataDriven    CreditModel = "data_driven"
)

var creditModels = []CreditModel{ModelFirst, ModelLast, ModelLastNonDirect, ModelLinear, ModelPosition, ModelTimeDecay, ModelParticipation, ModelDataDriven}

// Count says which of an actor's conversions count.
type Count string

// The counts.
const (
	CountEvery Count = "every"
	CountFirst Count = "first"
	CountLast  Count = "last"
)

// Attribution asks which touches get the credit for conversions. Its filters are those of the
// conversions.
type Attribution struct {
	Common
	Conversion   Step
	TouchFilters []Filter
	Value        string // the property that a conversion is worth; "" where each is worth 1
	Count        Count
	Models       []CreditModel
	GroupBy      []Dimension
	Lookback     time.Duration // 0 is no limit
	HalfLife     time.Duration
	Limit        int
	Compare      bool // each row has what was in the previous period

	conversionText, touchFiltersText string // as they were sent
}

func parseAttribution(r *reader) Question {
	q := &Attribution{Common: r.common()}
	q.Explain = true
	q.Conversion, q.conversionText = r.stepOrName("conversion", &q.Common)
	q.TouchFilters, q.touchFiltersText = r.filters("touch_filters", q.Zone)
	if property, sent := r.text("value"); sent {
		var ok bool
		if q.Value, ok = strings.CutPrefix(property, propertyPrefix); !ok || q.Value == "" || len(q.Value) > propertyNameMax {
			r.errs.Add("value", "Must be "+propertyPrefix+"<name>")
		}
	}
	q.Count = Count(r.choice("count", string(CountEvery), string(CountFirst), string(CountLast)))
	q.Models = r.models("models")
	q.GroupBy = []Dimension{{Name: "source", Column: event.ColumnSource}, {Name: "medium", Column: event.ColumnMedium}}
	if _, sent := r.take("group_by"); sent {
		q.GroupBy = r.dimensions("group_by", false, nameEntryPath)
	}
	q.Lookback, q.HalfLife = lookbackDefault, halfLifeDefault
	if d, sent := r.duration("lookback"); sent {
		q.Lookback = d
	}
	if d, sent := r.duration("half_life"); sent {
		if q.HalfLife = d; d == 0 {
			r.errs.Add("half_life", "Must be longer than 0")
		}
	}
	q.Compare = r.compare()
	q.Limit = r.limit("limit", groupsLimit, groupsLimitMax)
	return q
}

// stepOrName reads a step: an object, or for the simple case just the name of an event. text is the
// object as it was sent.
func (r *reader) stepOrName(name string, c *Common) (s Step, text string) {
	f, sent := r.take(name)
	if !sent {
		r.errs.Add(name, "Required")
		return Step{}, ""
	}
	if f.json != nil && f.json.Kind() == jsontext.KindString || f.json == nil && !strings.HasPrefix(f.text, "{") {
		word, _ := r.text(name)
		return Step{Name: word, Event: word}, string(Object(Member{"event", Text(word)}).AppendJSON(nil))
	}
	value, ok := r.json(name)
	if !ok {
		return Step{}, ""
	}
	r.nested(name, value, func(n *reader) { s = n.step(c) })
	value = value.Clone()
	if err := value.Compact(); err != nil {
		r.errs.Add(name, "Expected JSON")
	}
	return s, string(value)
}

func (r *reader) models(name string) []CreditModel {
	if _, sent := r.take(name); !sent {
		return []CreditModel{ModelLastNonDirect}
	}
	var models []CreditModel
	for _, word := range r.list(name) {
		m := CreditModel(word)
		switch {
		case !slices.Contains(creditModels, m):
			words := make([]string, len(creditModels))
			for i, known := range creditModels {
				words[i] = string(known)
			}
			r.errs.Add(name, "Must be some of: "+strings.Join(words, ", "))
			return nil
		case slices.Contains(models, m):
			r.errs.Add(name, "Names "+word+" twice")
		}
		models = append(models, m)
	}
	if len(models) == 0 && len(r.errs[name]) == 0 {
		r.errs.Add(name, "Must not be empty")
	}
	return models
}

func (q *Attribution) own() []Member {
	models := make([]string, len(q.Models))
	for i, m := range q.Models {
		models[i] = string(m)
	}
	value := Value{}
	if q.Value != "" {
		value = Text(propertyPrefix + q.Value)
	}
	members := []Member{
		{"conversion", Value{text: q.conversionText, kind: valueJSON}},
		{"touch_filters", Value{text: q.touchFiltersText, kind: valueJSON}},
		{"value", value}, {"count", Text(string(q.Count))}, {"models", Texts(models)},
		{"group_by", Texts((&grouping{dims: q.GroupBy}).names())},
		{"lookback", Text(durationText(q.Lookback))}, {"half_life", Text(durationText(q.HalfLife))},
	}
	members = append(members, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

func (q *Attribution) answer(r *run) (*Answer, error) {
	now, err := q.credit(r)
	if err != nil {
		return nil, err
	}
	if !q.Compare {
		return q.table(r, []*credited{now}), nil
	}
	past := *q
	past.From, past.To = q.Previous()
	var before *credited
	err = r.during(&past.Common, now.book.size(), func() error {
		before, err = past.credit(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.table(r, []*credited{now, before}), nil
}

// credited is what was found of one period.
type credited struct {
	groups *grouping
	book   *ledger
	sums   []*modelSum // by model
}

// credit goes three times over the events, each time knowing what to leave aside, and then once over
// the conversions.
//
//  1. The conversions in the range are found, and with them the actors that matter; only data_driven
//     is about the others too.
//  2. The touches of these actors are found, from the first event of the project on: whether an event
//     is the first of its visit can't be known from later ones. See touchWalk and visitTable.
//  3. Per actor, conversions and touches are walked side by side in their order. The touches of a
//     conversion are a stretch of the actor's touches, and both ends of it only move forward. Conversions
//     with the same stretch are one path, whose credit is shared out once. See settlement.
//  4. Each model shares out a path in whole parts of a whole; nothing is rounded. See ledger.
//
// So the work is one step per event, one per conversion, and one per touch of each distinct path.
func (q *Attribution) credit(r *run) (*credited, error) {
	found, err := q.conversions(r)
	if err != nil {
		return nil, err
	}
	book := newLedger(q)
	s := newSettlement(r, q, book, found)
	groups, err := q.touches(r, found, s)
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	sums, err := book.close(groups)
	if err != nil {
		return nil, err
	}
	for i, model := range q.Models {
		if model != ModelParticipation && !sums[i].equals(&book.attributed) {
			return nil, &event.Error{Kind: event.ErrInternal, Code: event.CodeInternal,
				Cause: fmt.Errorf("attribution: the credits of %s don't add up to the conversions", model)}
		}
	}
	return &credited{groups: groups, book: book, sums: sums}, nil
}

// valueOf reads what a conversion is worth; ok is false where it has no number.
func (q *Attribution) valueOf(find *propertyReader, e *scanRow) (n exactNumber, ok bool) {
	text := find.of(e)
	if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return n, false
	}
	return readNumber(text)
}

// lookbackStart is the earliest time of a touch of a conversion.
func (q *Attribution) lookbackStart(conversion event.Time) event.Time {
	if q.Lookback == 0 {
		return event.TimeMin
	}
	return conversion - event.Time(q.Lookback/time.Millisecond)
}

func tooManyGroups() error {
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge,
		Notes: []string{"data_driven is reckoned for at most " + strconv.Itoa(statesMax) + " groups: group by fewer fields, or narrow touch_filters"}}
}

// Package query is the language in which a project is asked, and what its answers mean: it reads a
// question from the parameters of a URL or from a JSON body, strictly, and answers it from a Source.
//
// It keeps no events and speaks no HTTP. Answers are exact and depend on nothing but the question
// and the events: not on the order of a scan, and on no clock but the moment that the question
// carries. The slow twin in querytest answers the same questions in the plainest way and must always
// agree.
//
// The package starts no goroutines and writes nothing to disk. There is one file per question.
package query

import (
	"context"
	"errors"
	"time"

	"millimetric/index"
	"millimetric/index/event"
)

// Question is one of the questions of this package, such as *Stats.
type Question interface {
	// Settings returns what every question has.
	Settings() *Common
	// own lists the question's own settings, defaults included.
	own() []Member
	answer(*run) (*Answer, error)
}

// Common is what every question has. Its zero value, but for From, To and Zone, is the default.
type Common struct {
	From, To    event.Time
	Zone        *time.Location
	Filters     []Filter // all must hold
	IncludeBots bool
	Actor       Actor
	AsOf        event.Seq // meaningful if Replay
	Replay      bool
	Explain     bool
	Page        Page       // what earlier answers showed
	Now         event.Time // the clock, for the questions that look at it; set by who asks

	filtersText string // the filters as they were sent, for the settings of an explained answer
	name        string // what was parsed, for cursors
	form        Form
}

// Settings returns c: it makes every question that embeds Common answer for it.
func (c *Common) Settings() *Common { return c }

// Match asks for one value of one column: the plain parameters such as source=google.
type Match struct {
	Param  string
	Column event.Column
	Value  string
}

// entriesMax bounds what one question may hold in its tables (groups, actors, and pairs of them):
// each takes some tens of bytes. Beyond, the question is refused rather than the server lost.
const entriesMax = 20_000_000

// lookEvery is how much work a scan does between two looks at the budgets: rare enough to cost
// nothing, often enough to stop within milliseconds. To pass over an event is a work of 1.
const lookEvery = 4096

// What a filter costs with an event, in the unit of lookEvery. A property is looked for in all of an
// event's properties, each filter by itself: a stranger's question can make that thousands of times
// the work of passing over the event.
const (
	leavesPerWork        = 8
	propertyBytesPerWork = 256
)

const codeTooLarge = "query_too_large"

// Run answers a question. It ends early with query_too_large when ctx ends.
func Run(ctx context.Context, source Source, question Question) (*Answer, error) {
	common := question.Settings()
	r := &run{ctx: ctx, source: source, common: common, asOf: source.AsOf(), people: peopleTest()}
	if common.Replay {
		if common.AsOf > r.asOf {
			return nil, event.InvalidField(event.CodeInvalidParams, "as_of", "Lies beyond the last position")
		}
		r.asOf = common.AsOf
	}
	defer r.release()
	answer, err := question.answer(r)
	if err != nil {
		return nil, err
	}
	answer.AsOf = r.asOf
	answer.Cost = r.sum()
	if common.Explain {
		answer.Explain = &Explain{Settings: settings(question, r.asOf), Cost: r.sum()}
	}
	return answer, nil
}

// run is one question being answered.
type run struct {
	ctx    context.Context
	source Source
	common *Common
	asOf   event.Seq
	cost   Cost
	work   int // since the last look at the budgets
	opened map[*index.Segment]*sealed
	view   *view
	views  []*view // all that are in use
	people *columnTest
	chosen []int32 // rows of the view
}

// clock is the moment at which the question is asked; that of a replay is when its position was
// committed, so that it gives the same answer for ever.
func (r *run) clock() (event.Time, error) {
	if source, ok := r.source.(CommitClock); ok && r.common.Replay {
		at, known, err := source.CommittedAt(r.asOf)
		if known || err != nil {
			return at, err
		}
	}
	return r.common.Now, nil
}

// leavesOf counts the filters that compare something, and those of them that compare a property.
func leavesOf(filters []Filter) (leaves, properties int) {
	for _, f := range filters {
		if f.Join != JoinNone {
			of, ofProperties := leavesOf(f.Of)
			leaves, properties = leaves+of, properties+ofProperties
			continue
		}
		leaves++
		if f.Property != "" {
			properties++
		}
	}
	return leaves, properties
}

func (r *run) overBudget(size int) error {
	tooLarge := &event.Error{Kind: event.ErrLimit, Code: codeTooLarge}
	if err := r.ctx.Err(); err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		tooLarge.Notes = []string{"Took too long: narrow from and to, or filter more"}
		return tooLarge
	}
	if size > entriesMax {
		tooLarge.Notes = []string{"Needs too much memory: narrow from and to, filter more, or group by fewer columns"}
		return tooLarge
	}
	return nil
}

// Package query is the language in which a project is asked, and what its answers mean: it reads a
// question from the parameters of a URL or from a JSON body, strictly, and answers it from a Source.
//
// It keeps no events and speaks no HTTP. Answers are exact and depend on nothing but the question
// and the events: not on the order of a scan, and on no clock but the moment that the question
// carries. The slow twin in querytest answers the same questions in the plainest way and must always
// agree.
//
// The goroutine that asks does the work. A pass over many visitors has helpers beside it where Workers has some to
// spare (see team), all of which are gone when Run returns. The package starts no others, and writes nothing to
// disk. There is one file per question.
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
	Format      Format     // as which the answer was asked for; FormatAny where that was left open
	Now         event.Time // the clock, for the questions that look at it; set by who asks
	Memo        *Memo      // what other questions found out; nil for nothing
	Allowance   *Allowance // the memory that all questions share; nil for no bound but that of one question
	Workers     *Workers   // on which all questions work; nil for none but the goroutine that asks
	K           int        // visitors that a number must be about to be shown; 0 shows all

	filtersText string // the filters as they were sent, for the settings of an explained answer
	name        string // what was parsed, for cursors
	form        Form
	clocked     bool // the answer depends on the clock
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
	common.Memo.begin()
	defer r.release()
	r.share.of = common.Allowance
	defer r.share.release()
	var answer *Answer
	var err error
	if common.K > 0 {
		answer, err = r.runSuppressed(question)
	} else {
		answer, err = question.answer(r)
	}
	if err == nil {
		err = r.overBudget(len(answer.Rows) * len(answer.Columns))
	}
	if err != nil {
		return nil, err
	}
	answer.AsOf = r.asOf
	answer.Cost = r.sum()
	if answer.Lost, err = r.losses(); err != nil {
		return nil, err
	}
	if common.Explain {
		answer.Explain = &Explain{Settings: settings(question, r.asOf), Cost: r.sum()}
		if common.K > 0 { // what it cost tells how many events there are
			answer.Explain.Settings = append(answer.Explain.Settings, Member{"k", Int(int64(common.K))})
			answer.Explain.Cost = Cost{}
		}
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
	held   int // entries that an earlier part of the question keeps
	share  share
	team   *team // that makes a pass, nil where nobody helps
	seat   int   // in the team; 0 is the question's own goroutine

	keepsPieces bool // what is taken apart now the memo is to keep

	readFrom, readTo event.Time // what the answer depends on; nothing where it is empty

	opened map[*index.Segment]*sealed
	view   *view
	views  []*view // all that are in use
	room   room    // for what they have unpacked
	people *columnTest
	chosen []int32 // rows of the view
}

// clock is the moment at which the question is asked; that of a replay is when its position was
// committed, so that it gives the same answer for ever. Before the first event time stands still.
func (r *run) clock() (event.Time, error) {
	if r.common.Page.Now != 0 {
		return r.common.Page.Now, nil
	}
	source, ok := r.source.(CommitClock)
	if !ok || !r.common.Replay {
		return r.common.Now, nil
	}
	at, known, err := source.CommittedAt(r.asOf)
	switch {
	case known || err != nil:
		return at, err
	case r.asOf == 0:
		return 0, nil
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

// overBudget tells whether the question may go on with so many entries in its tables.
func (r *run) overBudget(size int) error {
	if r.seat == 0 {
		if err := r.late(); err != nil {
			return err
		}
	}
	if r.team != nil {
		return r.team.cover(r, size+r.held)
	}
	return r.share.cover(size + r.held)
}

// late tells whether the time for the question is over.
func (r *run) late() error {
	err := r.ctx.Err()
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Took too long: narrow from and to, or filter more"}}
}

package query

import (
	"slices"
	"strconv"
)

// ParamKind says what values a parameter takes and how they are written.
type ParamKind string

// The kinds. In a URL, lists are parted by commas, and what is no plain word is written as JSON.
const (
	KindText       ParamKind = "text"
	KindWord       ParamKind = "word"       // one of Words
	KindWhole      ParamKind = "whole"      // a whole number from Least to Most
	KindFlag       ParamKind = "flag"       // true or false
	KindMoment     ParamKind = "moment"     // ISO 8601
	KindZone       ParamKind = "zone"       // the IANA name of a time zone
	KindPosition   ParamKind = "position"   // of the log: decimal digits
	KindDuration   ParamKind = "duration"   // such as 90s, 30m, 12h, 7d or 2w
	KindNames      ParamKind = "names"      // Least to Most names; each one of Words, if there are any
	KindFilters    ParamKind = "filters"    // a list of filters
	KindStep       ParamKind = "step"       // a step, or just the name of its event
	KindSteps      ParamKind = "steps"      // Least to Most steps of a funnel
	KindStepNames  ParamKind = "step_names" // Least to Most names; in a URL the parameter is repeated
	KindExclusions ParamKind = "exclusions" // up to Most steps that end an attempt
	KindActorList  ParamKind = "actor_list" // which actors of a funnel to list
	KindProject    ParamKind = "project"    // who is asked; taken by doors before the question is read
	KindFormat     ParamKind = "format"     // how the answer is written, one of Words
	KindCursor     ParamKind = "cursor"     // the next of an earlier answer
)

// Param is one parameter of a question, as every door describes it. The limits are those that Parse
// holds it against.
type Param struct {
	Name        string
	Kind        ParamKind
	Help        string
	Words       []string
	Default     string // in the text of a URL; "" where leaving it out means something else, or nothing
	Least, Most int
	Required    bool
}

// Description is what a question is called and what it takes.
type Description struct {
	Name   string // as in the path of the API
	Short  string // what it answers, in a line
	Params []Param
	Paged  bool // an explained answer that was cut says how to go on
}

// Param returns the parameter of that name.
func (d Description) Param(name string) (Param, bool) {
	i := slices.IndexFunc(d.Params, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return Param{}, false
	}
	return d.Params[i], true
}

// Descriptions describes all questions.
func Descriptions() []Description {
	list := make([]Description, len(questions))
	for i, q := range questions {
		list[i] = q.Description
		_, list[i].Paged = q.Param("cursor")
	}
	return list
}

// described is a question of the table: what is said of it, and what reads it.
type described struct {
	Description
	parse func(*reader) Question
}

// questions is the one list of questions.
var questions = []described{
	{Description{Name: "stats", Short: "Count events or visitors, by group and over time", Params: statsParams()}, parseStats},
	{Description{Name: "sources", Short: "Show where events came from", Params: sourcesParams()}, parseSources},
	{Description{Name: "query", Short: "List single events, newest first", Params: eventsParams()}, parseEvents},
	{Description{Name: "paths", Short: "Show what visitors did next, or before", Params: pathsParams()}, parsePaths},
	{Description{Name: "live", Short: "Show who is on the site now", Params: liveParams()}, parseLive},
	{Description{Name: "attribution", Short: "Give the credit for conversions to what brought them", Params: attributionParams()}, parseAttribution},
	{Description{Name: "sessions", Short: "Count visits, or list them, newest first", Params: sessionsParams()}, parseSessions},
	{Description{Name: "funnel", Short: "Show how far actors get through some steps", Params: funnelParams()}, parseFunnel},
	{Description{Name: "retention", Short: "Show how many of those who began in one period came back later", Params: retentionParams()}, parseRetention},
}

// rangeParams are those of every question about a range.
func rangeParams() []Param {
	return []Param{
		{Name: "from", Kind: KindMoment, Required: true, Help: "first moment of the range, ISO 8601; a date alone is its midnight"},
		{Name: "to", Kind: KindMoment, Required: true, Help: "first moment after the range"},
	}
}

// commonParams are those of every question.
func commonParams() []Param {
	actors := []string{string(ActorVisitor), string(ActorUser), string(ActorPerson), string(ActorSession)}
	return []Param{
		{Name: "tz", Kind: KindZone, Help: "time zone of the range and of intervals, such as Europe/Berlin (default: the project's, or UTC)"},
		{Name: "filters", Kind: KindFilters, Help: "list of filters that must all hold"},
		{Name: "actor", Kind: KindWord, Words: actors, Default: actors[0], Help: "who is counted; of users, events without a user_id are left out"},
		{Name: "as_of", Kind: KindPosition, Help: "answer as of this position, as an earlier answer gave it"},
		{Name: "include_bots", Kind: KindFlag, Default: "false", Help: "count bots too"},
		{Name: "explain", Kind: KindFlag, Default: "false", Help: "also tell the settings used and what the answer cost"},
		{Name: "format", Kind: KindFormat, Words: []string{string(FormatJSON), string(FormatCSV), string(FormatSVG)},
			Default: string(FormatJSON), Help: "how the answer is written: as it is, as a table, or as a picture"},
		{Name: "project_id", Kind: KindProject, Help: "project that is asked about; an account key (ak_…) must name one"},
		{Name: "project_slug", Kind: KindProject, Help: "the same, by its slug"},
	}
}

// ranged completes the parameters of a question about a range.
func ranged(own ...Param) []Param { return slices.Concat(own, rangeParams(), commonParams()) }

// limitParam is how many there may be of something.
func limitParam(help string, preset, most int) Param {
	return Param{Name: "limit", Kind: KindWhole, Default: strconv.Itoa(preset), Least: 1, Most: most, Help: help}
}

func intervalParam() Param {
	words := []string{string(IntervalHour), string(IntervalDay), string(IntervalWeek), string(IntervalMonth)}
	return Param{Name: "interval", Kind: KindWord, Words: words, Help: "one row for each such stretch of time"}
}

func compareParam() Param {
	return Param{Name: "compare", Kind: KindWord, Words: []string{comparePrevious}, Help: "each row also has what was in the period before"}
}

func cursorParam() Param {
	return Param{Name: "cursor", Kind: KindCursor, Help: "go on where an explained answer was cut: its next, which stands alone"}
}

func windowParam(help, preset string) Param {
	return Param{Name: "window", Kind: KindDuration, Default: preset, Help: help}
}

// Package ask is the questions' side of the command line: each command sends one question to a
// running server, through the same API that every other client uses, and prints the answer as a
// table, or as the server gave it.
//
// It understands neither events nor answers beyond their rows. It starts no goroutines and writes
// nothing to disk.
package ask

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// keyVariable names the environment variable with the API key. A flag would show the key to
// everyone who can list processes.
const keyVariable = "MILLIMETRIC_KEY"

// exitError chooses the status with which the process exits.
type exitError struct {
	error
	code int
}

func (e exitError) ExitCode() int { return e.code }

func (e exitError) Unwrap() error { return e.error }

func usage(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), 2}
}

// param is a parameter of the API that a flag of the same name gives; "-" for "_" in the flag.
type param struct {
	name string
	help string
}

func (p param) flag() string { return strings.ReplaceAll(p.name, "_", "-") }

// The parameters that every question has, of text and of yes or no, and those of questions about a
// range.
var (
	rangeParams = []param{
		{"from", "first moment of the range, ISO 8601; a date alone is its midnight (default: 29 days before today)"},
		{"to", "first moment after the range (default: the end of today)"},
	}
	commonParams = []param{
		{"tz", "time zone of the range and of intervals, such as Europe/Berlin (default UTC)"},
		{"filters", "JSON list of filters"},
		{"actor", "who is counted: visitor, user, person or session (default visitor)"},
		{"as_of", "answer as of this position, as an earlier answer gave it"},
		{"project_id", "project that is asked about; an account key (ak_…) must name one"},
		{"project_slug", "the same, by its slug"},
	}
	limitParam     = param{"limit", "how many rows, or groups"}
	commonSwitches = []param{
		{"include_bots", "count bots too"},
		{"explain", "also print the settings used and what the answer cost"},
	}
)

// question is one kind of question.
type question struct {
	name    string
	short   string
	example string
	params  []param
	// switches are the parameters of yes or no that only this question has.
	switches []param
	// now says that the question is about now, and so about no range.
	now bool
	// lists are parameters that may be given several times.
	lists []param
	// tables makes tables of an answer whose main member isn't "rows".
	tables func(envelope []member) ([][][]member, error)
	// columns are those shown in a table, all where there are none named.
	columns []string
	// measure is the column that bars are drawn of, "" for none; with a dot, the end of its name.
	measure string
	// nested says that the objects in rows are columns of their own.
	nested bool
	// notes are members beside the rows that are always printed.
	notes []string
}

var questions = []question{
	{
		name: "stats", short: "Count events or visitors, by group and over time",
		example: "  millimetric stats --metric uniques --interval day\n" +
			"  millimetric stats --group-by path --where 'country eq DE' --limit 10\n" +
			"  millimetric stats --event purchase --from 2026-05-01 --to 2026-06-01 --tz Europe/Berlin --json",
		params: []param{
			{"metric", "count (events, the default), uniques (visitors), or sum(p), avg(p), min(p), max(p), p50(p), p90(p), p95(p), p99(p) of a property p"},
			{"event", "only events of this name"},
			{"group_by", "columns, such as source,medium or path, host, or properties.plan"},
			{"interval", "hour, day, week or month: one row for each"},
			{"fill", "zero: rows also for the buckets in which a group has nothing"},
			compareParam, cursorParam,
			limitParam,
		},
		measure: "value",
	},
	{
		name: "sources", short: "Show where events came from",
		example: "  millimetric sources --limit 10\n  millimetric sources --breakdown source --where 'event_name eq signup'",
		params: []param{
			{"breakdown", "source_medium (the default) or source"},
			compareParam, cursorParam,
			limitParam,
		},
		measure: "events",
	},
	{
		name: "query", short: "List single events, newest first",
		example: "  millimetric query --event purchase --limit 5\n" +
			"  millimetric query --where 'properties.amount gte 100' --json",
		params: []param{
			{"event", "only events of this name"},
			{"source", "only events of this source"},
			{"medium", "only events of this medium"},
			{"user_id", "only events of this user"},
			{"country", "only events of this country"},
			{"anonymous_id", "only events of this visitor"},
			cursorParam,
			limitParam,
		},
		columns: []string{"timestamp", "event_name", "anonymous_id", "user_id", "source", "medium", "path", "country", "device_type", "browser"},
	},
	{
		name: "paths", short: "Show what visitors did next, or before",
		example: "  millimetric paths --start '$pageview' --steps 3\n" +
			"  millimetric paths --start '{\"event\":\"$pageview\",\"filters\":[{\"field\":\"path\",\"op\":\"eq\",\"value\":\"/\"}]}'\n" +
			"  millimetric paths --end purchase --events '$pageview,add_to_cart' --scope window --window 2d",
		params: []param{
			{"start", "where paths begin: the name of an event, or a step as JSON, with event and filters"},
			{"end", "where paths end, in the place of start: they are followed backwards"},
			{"steps", "how many steps (default 5)"},
			{"events", "names of the events that paths go over (default $pageview, shown by path)"},
			{"scope", "visit (the default): within one; window: within --window, across visits"},
			{"window", "how far from the anchor, such as 30m or 7d (the default); needs --scope window"},
			compareParam, limitParam,
		},
		switches: []param{{"first_only", "only the first anchor of each visitor"}},
	},
	{
		name: "live", short: "Show who is on the site now",
		example: "  millimetric live\n  millimetric live --window 30m --where 'country eq DE'",
		params:  []param{{"window", "how far back now reaches, such as 90s or 1h (default 5m)"}, limitParam},
		now:     true,
		measure: "actors",
	},
	{
		name: "attribution", short: "Give the credit for conversions to what brought them",
		example: "  millimetric attribution --conversion purchase --models first,last,linear\n" +
			"  millimetric attribution --conversion purchase --value properties.amount_cents --group-by source,campaign --lookback 60d\n" +
			"  millimetric attribution --conversion '{\"event\":\"signup\",\"filters\":[{\"field\":\"properties.plan\",\"op\":\"eq\",\"value\":\"pro\"}]}' --models data_driven",
		params: []param{
			{"conversion", "name of the event to be credited, or a step in JSON"},
			{"models", "some of first, last, last_non_direct (the default), linear, position, time_decay, participation and data_driven"},
			{"value", "property that a conversion is worth, such as properties.amount_cents (default: each is worth 1)"},
			{"count", "which conversions of each actor count: every (the default), first or last"},
			{"group_by", "fields of the touches, such as source,campaign, entry_path or referrer_host (default source,medium)"},
			{"touch_filters", "JSON list of filters for the touches; --filters and --where are for the conversions"},
			{"lookback", "how long before the conversion a touch may lie, such as 12h; 0 is no limit (default 30d)"},
			{"half_life", "in time_decay, the age at which a touch weighs half (default 7d)"},
			compareParam, cursorParam,
			limitParam,
		},
		measure: ".conversions",
		nested:  true,
		notes:   []string{"totals", "unattributed", "other", "groups_total"},
	},
	{
		name: "sessions", short: "Count visits, or list them, newest first",
		example: "  millimetric sessions --group-by entry_path --limit 10\n" +
			"  millimetric sessions --interval day --where 'entry.source eq google'\n" +
			"  millimetric sessions --list --where 'event_name eq purchase' --limit 5",
		params: []param{
			{"group_by", "fields of the entry, such as source or entry.properties.plan, and entry_path and exit_path"},
			{"interval", "hour, day, week or month: one row for each"},
			compareParam, cursorParam,
			limitParam,
		},
		switches: []param{{"list", "list single visits"}},
		measure:  "visits",
		nested:   true,
		notes:    []string{"other", "groups_total", "visits_total"},
	},
	{
		name: "funnel", short: "Show how far actors get through some steps",
		example: "  millimetric funnel --step '$pageview' --step signup --step purchase --window 2d\n" +
			"  millimetric funnel --step '$pageview' --step signup --breakdown first_touch.source\n" +
			`  millimetric funnel --steps '[{"event":"signup"},{"event":"purchase","within":"1h"}]' --list '{"dropped":1}'`,
		lists: []param{
			{"step", "name of an event that is the next step; give it once for each"},
		},
		params: []param{
			{"steps", "JSON list of steps, in place of --step, for filters, any_of, within and names"},
			{"window", "longest time from first step to last, such as 12h (default 7d)"},
			{"order", "ordered (the default), strict (nothing between the steps) or any"},
			{"exclude", "JSON list of steps that end an attempt; after and before say between which steps"},
			{"hold", "fields whose value must be the same at all steps, such as session_id,properties.order"},
			{"breakdown", "column, properties.<name> or first_touch.<column>: one funnel for each value"},
			{"maturity", "all (the default) or mature: only attempts that began a window ago"},
			{"list", `list the actors, too: {"reached":2} or {"dropped":1}`},
			compareParam, cursorParam,
			{"limit", "how many groups, and how many actors of the list"},
		},
		measure: "actors", tables: funnelTables,
	},
	{
		name: "retention", short: "Show how many of those who began in one period came back later",
		example: "  millimetric retention --birth signup --return '$pageview' --period week\n" +
			"  millimetric retention --birth signup --return purchase --period month --mode unbounded --json",
		params: []param{
			{"birth", "event that begins an actor's time: its name, or a step in JSON"},
			{"return", "event that counts as coming back: its name, or a step in JSON"},
			{"period", "day (the default), week or month"},
			{"periods", "how many periods (default 8, at most 52)"},
			{"mode", "exact (the default), or unbounded: back in that period or any later one"},
			{"birth_in", "range (the default: the first in the range), or ever: the first of all"},
			compareParam,
		},
		tables: retentionTables,
	},
}

var (
	compareParam = param{"compare", "previous_period: each row also has what was in the period before"}
	cursorParam  = param{"cursor", "go on where an answer with --explain was cut: its next, which stands alone"}
)

// Commands returns one command for each question.
func Commands() []*cobra.Command { return commands(time.Now) }

func commands(now func() time.Time) []*cobra.Command {
	var all []*cobra.Command
	for _, q := range questions {
		all = append(all, q.command(now))
	}
	return all
}

// look is how an answer is to be printed.
type look struct {
	json bool
	csv  bool
	svg  string // the file that a picture is written to; "" for none, "-" for the output
	bars bool
}

// accept is the media type to ask the server for.
func (l look) accept() (string, error) {
	chosen := 0
	for _, on := range []bool{l.json, l.csv, l.svg != ""} {
		if on {
			chosen++
		}
	}
	switch {
	case chosen > 1:
		return "", usage("--json, --csv and --svg exclude each other")
	case l.csv:
		return mediaCSV, nil
	case l.svg != "":
		return mediaSVG, nil
	}
	return mediaJSON, nil
}

func (q question) command(now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:     q.name,
		Short:   q.short,
		Long:    q.long(),
		Example: q.example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown argument %q; see millimetric %s --help", args[0], q.name)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	for _, p := range q.texts() {
		flags.String(p.flag(), "", p.help)
	}
	for _, p := range q.lists {
		flags.StringArray(p.flag(), nil, p.help)
	}
	for _, p := range slices.Concat(q.switches, commonSwitches) {
		flags.Bool(p.flag(), false, p.help)
	}
	where := flags.StringArray("where", nil, "'field op value', such as 'country in DE,AT'; may be repeated; ops: "+strings.Join(operators, ", "))
	server := flags.String("server", cmp.Or(os.Getenv("MILLIMETRIC_SERVER"), "http://127.0.0.1:8787"), "address of the server [MILLIMETRIC_SERVER]")
	var as look
	flags.BoolVar(&as.json, "json", false, "print the server's answer as it is")
	flags.BoolVar(&as.csv, "csv", false, "print the answer as CSV")
	flags.StringVar(&as.svg, "svg", "", "write a picture of the answer to this file; - for the output")
	flags.BoolVar(&as.bars, "bars", false, "draw bars where the output is no terminal too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		accept, err := as.accept()
		if err != nil {
			return err
		}
		values, err := q.values(cmd, *where, now())
		if err != nil {
			return err
		}
		key := os.Getenv(keyVariable)
		if key == "" {
			return usage("set %s to a read key (rk_…) of the project", keyVariable)
		}
		got, err := fetch(cmd.Context(), *server, q.name, key, accept, values)
		if err != nil {
			return err
		}
		if accept != mediaJSON {
			return got.save(cmd.OutOrStdout(), cmd.ErrOrStderr(), as)
		}
		return q.print(cmd.OutOrStdout(), got.body, values, as)
	}
	return cmd
}

func (q question) long() string {
	text := q.short + ".\n\nThe flags are the parameters of /v1/" + q.name + ". The read key (rk_…) is taken from the\n" +
		"environment variable " + keyVariable + "."
	if !q.now {
		text += " Without --from and --to, the last 30 days are asked about,\ntoday included."
	}
	return text
}

// texts are all parameters of text.
func (q question) texts() []param {
	if q.now {
		return slices.Concat(q.params, commonParams)
	}
	return slices.Concat(q.params, rangeParams, commonParams)
}

// values gathers the parameters that are set.
func (q question) values(cmd *cobra.Command, where []string, now time.Time) (url.Values, error) {
	values := url.Values{}
	flags := cmd.Flags()
	for _, p := range q.texts() {
		if flag := flags.Lookup(p.flag()); flag.Changed {
			values.Set(p.name, flag.Value.String())
		}
	}
	for _, p := range q.lists {
		if list, _ := flags.GetStringArray(p.flag()); len(list) > 0 {
			values[p.name] = list
		}
	}
	for _, p := range slices.Concat(q.switches, commonSwitches) {
		if on, _ := flags.GetBool(p.flag()); on {
			values.Set(p.name, "true")
		}
	}
	filters, err := filtersOf(values.Get("filters"), where)
	if err != nil {
		return nil, err
	}
	if filters != "" {
		values.Set("filters", filters)
	}
	if q.now || values.Has("cursor") {
		return values, nil
	}
	return values, setRange(values, now)
}

// setRange fills in the last 30 days, today included.
func setRange(values url.Values, now time.Time) error {
	if values.Has("to") && !values.Has("from") {
		return usage("--to needs --from beside it")
	}
	zone, err := time.LoadLocation(values.Get("tz"))
	if err != nil {
		zone = time.UTC // the server says what is wrong with it
	}
	today := now.In(zone)
	if !values.Has("from") {
		values.Set("from", today.AddDate(0, 0, -29).Format(time.DateOnly))
	}
	if !values.Has("to") {
		values.Set("to", today.AddDate(0, 0, 1).Format(time.DateOnly))
	}
	return nil
}

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
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millimetric/query"
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

// question is how one kind of question looks on a terminal. What it takes is described by the query
// package, whose Description it is completed with.
type question struct {
	query.Description
	name    string
	example string
	// tables makes tables of an answer whose main member isn't "rows".
	tables func(envelope []member, asked url.Values) ([][][]member, error)
	// columns are those shown in a table, all where there are none named.
	columns []string
	// measure is the column that bars are drawn of, "" for none; with a dot, the end of its name.
	measure string
	// nested says that the objects in rows are columns of their own.
	nested bool
	// none is what stands in the place of a table without rows, where that doesn't mean that there are no events.
	none string
	// notes are members beside the rows that are always printed.
	notes []string
	// terse says that the answer tells of groups that were cut only where it is explained: what is printed
	// as a table always is, so that nothing is cut without a word.
	terse bool
}

var questions = []question{
	{
		name: "stats",
		example: "  millimetric stats --metric uniques --interval day\n" +
			"  millimetric stats --group-by path --where 'country eq DE' --limit 10\n" +
			"  millimetric stats --event purchase --from 2026-05-01 --to 2026-06-01 --tz Europe/Berlin --json",
		measure: "value", terse: true,
		notes: []string{"other", "groups_total"},
	},
	{
		name:    "sources",
		example: "  millimetric sources --limit 10\n  millimetric sources --breakdown source --where 'event_name eq signup'",
		measure: "events", terse: true,
		notes: []string{"other", "groups_total"},
	},
	{
		name: "query",
		example: "  millimetric query --event purchase --limit 5\n" +
			"  millimetric query --where 'properties.amount gte 100' --json",
		columns: []string{"timestamp", "event_name", "anonymous_id", "user_id", "source", "medium", "path", "country", "device_type", "browser"},
		terse:   true,
	},
	{
		name: "paths",
		example: "  millimetric paths --start '$pageview' --steps 3\n" +
			"  millimetric paths --start '{\"event\":\"$pageview\",\"filters\":[{\"field\":\"path\",\"op\":\"eq\",\"value\":\"/\"}]}'\n" +
			"  millimetric paths --end purchase --events '$pageview,add_to_cart' --scope window --window 2d",
	},
	{
		name:    "live",
		example: "  millimetric live\n  millimetric live --window 30m --where 'country eq DE'",
		measure: "actors",
		notes:   []string{"paths_total", "sources_total"},
	},
	{
		name: "attribution",
		example: "  millimetric attribution --conversion purchase --models first,last,linear\n" +
			"  millimetric attribution --conversion purchase --value properties.amount_cents --group-by source,campaign --lookback 60d\n" +
			"  millimetric attribution --conversion '{\"event\":\"signup\",\"filters\":[{\"field\":\"properties.plan\",\"op\":\"eq\",\"value\":\"pro\"}]}' --models data_driven",
		measure: ".conversions",
		nested:  true,
		none:    "no touches",
		notes:   []string{"totals", "unattributed", "other", "groups_total"},
	},
	{
		name: "sessions",
		example: "  millimetric sessions --group-by entry_path --limit 10\n" +
			"  millimetric sessions --interval day --where 'entry.source eq google'\n" +
			"  millimetric sessions --list --where 'event_name eq purchase' --limit 5",
		measure: "visits",
		nested:  true,
		notes:   []string{"other", "groups_total", "visits_total"},
	},
	{
		name: "funnel",
		example: "  millimetric funnel --step '$pageview' --step signup --step purchase --window 2d\n" +
			"  millimetric funnel --step '$pageview' --step signup --breakdown first_touch.source\n" +
			`  millimetric funnel --steps '[{"event":"signup"},{"event":"purchase","within":"1h"}]' --list '{"dropped":1}'`,
		measure: "actors", tables: funnelTables,
	},
	{
		name: "retention",
		example: "  millimetric retention --birth signup --return '$pageview' --period week\n" +
			"  millimetric retention --birth signup --return purchase --period month --mode unbounded --json",
		tables: retentionTables,
	},
}

// Commands returns one command for each question.
func Commands() []*cobra.Command { return commands(time.Now) }

func commands(now func() time.Time) []*cobra.Command {
	var all []*cobra.Command
	for _, d := range query.Descriptions() {
		i := slices.IndexFunc(questions, func(q question) bool { return q.name == d.Name })
		q := questions[i]
		q.Description = d
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
		Short:   q.Short,
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
	for _, p := range q.flags() {
		switch p.Kind {
		case query.KindFlag:
			flags.Bool(flagOf(p), false, helpOf(p))
		case query.KindStepNames:
			flags.StringArray(flagOf(p), nil, helpOf(p))
		default:
			flags.String(flagOf(p), "", helpOf(p))
		}
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
		got, err := fetch(cmd.Context(), *server, q.name, key, accept, q.sent(values, as))
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

// sent is what the server is asked: a table says how much was cut, too.
func (q question) sent(asked url.Values, as look) url.Values {
	if !q.terse || as.json || as.csv || as.svg != "" || asked.Has("cursor") {
		return asked
	}
	sent := maps.Clone(asked)
	sent.Set("explain", "true")
	return sent
}

func (q question) long() string {
	text := q.Short + ".\n\nThe flags are the parameters of /v1/" + q.name + ". The read key (rk_…) is taken from the\n" +
		"environment variable " + keyVariable + "."
	if !q.isNow() {
		text += " Without --from and --to, the last 30 days are asked about,\ntoday included."
	}
	return text
}

// flags are the parameters that are given by flags.
func (q question) flags() []query.Param {
	return slices.DeleteFunc(slices.Clone(q.Params), func(p query.Param) bool { return p.Kind == query.KindFormat })
}

// isNow reports whether the question is about now, and so about no range.
func (q question) isNow() bool {
	_, ranged := q.Param("from")
	return !ranged
}

// values gathers the parameters that are set.
func (q question) values(cmd *cobra.Command, where []string, now time.Time) (url.Values, error) {
	values := url.Values{}
	flags := cmd.Flags()
	for _, p := range q.flags() {
		flag := flags.Lookup(flagOf(p))
		if !flag.Changed {
			continue
		}
		if list, ok := flag.Value.(interface{ GetSlice() []string }); ok {
			values[p.Name] = list.GetSlice()
			continue
		}
		if text := flag.Value.String(); p.Kind != query.KindFlag || text == "true" {
			values.Set(p.Name, text)
		}
	}
	filters, err := filtersOf(values.Get("filters"), where)
	if err != nil {
		return nil, err
	}
	if filters != "" {
		values.Set("filters", filters)
	}
	if q.isNow() || values.Has("cursor") {
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

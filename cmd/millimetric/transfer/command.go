package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/archive"
	"millimetric/index/event"
	"millimetric/query"
)

// Commands returns the commands that take events out.
func Commands() []*cobra.Command { return []*cobra.Command{exportCommand(), subjectCommand()} }

// exportOptions is a command line, understood.
type exportOptions struct {
	server, project, format, out string
	from, to, filters, event     string
	people                       bool
}

func exportCommand() *cobra.Command {
	var opt exportOptions
	cmd := &cobra.Command{
		Use: "export", Short: "Write the events of a range to a file or, as Parquet by day, into a folder",
		Long: exportHelp, Args: cobra.NoArgs,
		Example: "  MILLIMETRIC_KEY=rk_live_… millimetric export --format parquet --out lake\n" +
			"  MILLIMETRIC_KEY=ak_live_… millimetric export --project shop --from 2026-05-01 --to 2026-06-01 > may.ndjson",
	}
	server := serverFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&opt.project, "project", "", "slug or id of the project; needed with an account key")
	flags.StringVar(&opt.format, "format", string(query.FormatNDJSON), "ndjson, csv or parquet")
	flags.StringVar(&opt.out, "out", "", "file to write, or for parquet a folder (default: standard output)")
	flags.StringVar(&opt.from, "from", "1970-01-01", "first moment of the range, ISO 8601, UTC")
	flags.StringVar(&opt.to, "to", "", "first moment after the range (default: no end)")
	flags.StringVar(&opt.event, "event", "", "only events of this name")
	flags.StringVar(&opt.filters, "filters", "", "JSON list of filters that must all hold")
	flags.BoolVar(&opt.people, "people-only", false, "leave out bots, as answers do")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opt.server = *server
		return opt.run(cmd)
	}
	return cmd
}

const exportHelp = `Write the events of a range, oldest first, bots' included.

The key is taken from the environment variable MILLIMETRIC_KEY: a read key (rk_…) with the scope
export, or an account key (ak_…) together with --project. A cut connection is taken up again; what is
written is as of one position.

parquet writes a folder with a part for each UTC day, dt=2026-05-01/part-….parquet, which DuckDB,
ClickHouse and others read as it is. Run the same command again, and it adds what came since. Events
that were erased on the server meanwhile stay in parts that are there: export into a new folder then.

All that import needs is in NDJSON and Parquet, but not in CSV, where a ' stands before what a
spreadsheet would take for a formula.`

// endOfTime is the end of a range that has none.
const endOfTime = "9999-12-31"

func (o *exportOptions) params() (url.Values, error) {
	if !slices.Contains([]string{string(query.FormatNDJSON), string(query.FormatCSV), string(query.FormatParquet)}, o.format) {
		return nil, usage("--format must be ndjson, csv or parquet")
	}
	if o.format == string(query.FormatParquet) && o.out == "" {
		return nil, usage("--format parquet needs --out and a folder")
	}
	params := url.Values{"from": {o.from}, "to": {o.to}, "tz": {"UTC"}, "format": {string(query.FormatNDJSON)}}
	if o.to == "" {
		params.Set("to", endOfTime)
	}
	if !o.people {
		params.Set("include_bots", "true")
	}
	for name, value := range map[string]string{"event": o.event, "filters": o.filters} {
		if value != "" {
			params.Set(name, value)
		}
	}
	setProject(params, o.project)
	return params, nil
}

func setProject(params url.Values, project string) {
	switch {
	case strings.HasPrefix(project, "prj_"):
		params.Set("project_id", project)
	case project != "":
		params.Set("project_slug", project)
	}
}

func (o *exportOptions) run(cmd *cobra.Command) error {
	params, err := o.params()
	if err != nil {
		return err
	}
	c, err := newClient(o.server)
	if err != nil {
		return err
	}
	c.bar = o.bar(cmd)
	rows, parts := 0, 0
	if o.format == string(query.FormatParquet) {
		rows, parts, err = o.toFolder(cmd.Context(), c, params)
	} else {
		rows, err = o.toFile(cmd.Context(), c, params, cmd.OutOrStdout())
	}
	c.bar.Finish(err == nil)
	if err != nil {
		return err
	}
	if o.out != "" {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%d events%s written to %s\n", rows, inParts(parts), o.out)
	}
	return err
}

func inParts(parts int) string {
	if parts == 0 {
		return ""
	}
	return fmt.Sprintf(" in %d parts", parts)
}

func (o *exportOptions) toFolder(ctx context.Context, c *client, params url.Values) (rows, parts int, err error) {
	what := map[string]string{"server": o.server}
	for name := range maps.Keys(params) {
		what[name] = params.Get(name)
	}
	f, since, asOf, err := openFolder(o.out, what)
	if err != nil {
		return 0, 0, fmt.Errorf("export: %w", err)
	}
	params.Set("since", fmt.Sprint(since))
	if asOf != 0 {
		params.Set("as_of", fmt.Sprint(asOf))
	}
	shown := &shownRows{bar: c.bar, to: o.lastDay()}
	rows, err = c.export(ctx, params, func(asOf event.Seq) error { return f.begin(since, asOf) }, func(r *Row) error {
		shown.add(r)
		return f.add(r)
	})
	if err == nil {
		err = f.finish()
	}
	if err != nil {
		return rows, f.parts, errors.Join(err, f.abandon())
	}
	return rows, f.parts, nil
}

func (o *exportOptions) toFile(ctx context.Context, c *client, params url.Values, out io.Writer) (rows int, err error) {
	return rows, toFile(o.out, out, func(w io.Writer) error {
		lines, shown := newEncoder(query.Format(o.format), w), &shownRows{bar: c.bar}
		rows, err = c.export(ctx, params, nil, func(r *Row) error {
			shown.add(r)
			e := r.event()
			return lines.write([]*event.Event{&e})
		})
		if err != nil {
			return err
		}
		return lines.end()
	})
}

// toFile has write write to a file that takes its name when it is whole, or to out where none is named.
func toFile(name string, out io.Writer, write func(io.Writer) error) error {
	if name == "" {
		buffered := bufio.NewWriter(out)
		return errors.Join(write(buffered), buffered.Flush())
	}
	file, err := replace(name)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(file)
	if err := errors.Join(write(buffered), buffered.Flush()); err != nil {
		return errors.Join(err, file.discard())
	}
	return file.commit()
}

func subjectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "subject", Short: "Write all that is kept on one person: what forgetting would erase",
		Long: "Write all that is kept on one person: events, links, devices and visits, and a last line of kind end.\n\n" +
			"The key is taken from the environment variable " + KeyVariable + ": a secret key (sk_…), or an account key\n(ak_…) together with --project.",
		Example: "  MILLIMETRIC_KEY=sk_live_… millimetric subject --user-id ann --out ann.ndjson", Args: cobra.NoArgs,
	}
	server := serverFlag(cmd)
	flags := cmd.Flags()
	project := flags.String("project", "", "slug or id of the project; needed with an account key")
	user := flags.String("user-id", "", "the person, by user")
	visitor := flags.String("anonymous-id", "", "the person, by visitor")
	format := flags.String("format", string(query.FormatNDJSON), "ndjson or csv")
	out := flags.String("out", "", "file to write (default: standard output)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (*user == "") == (*visitor == "") {
			return usage("name the person by --user-id or by --anonymous-id")
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		asked := map[string]string{"format": *format}
		// In a body, so that no log of addresses on the way names the person.
		for name, value := range map[string]string{"user_id": *user, "anonymous_id": *visitor} {
			if value != "" {
				asked[name] = value
			}
		}
		params := url.Values{}
		setProject(params, *project)
		for name := range params {
			asked[name] = params.Get(name)
		}
		c.bar = fileBar(cmd, *out)
		err = toFile(*out, cmd.OutOrStdout(), func(w io.Writer) error { return c.subject(cmd.Context(), asked, w) })
		c.bar.Finish(err == nil)
		return err
	}
	return cmd
}

// subject copies the answer. One that was cut off is an error: its end is missing.
func (c *client) subject(ctx context.Context, asked map[string]string, w io.Writer) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, subjectWait)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, "/v1/subject", body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close() // nothing was written
	if _, err := io.Copy(w, &shownLines{in: resp.Body, bar: c.bar}); err != nil {
		return fmt.Errorf("the answer was cut off: %w", err)
	}
	return nil
}

// subjectWait bounds how long an answer about one person may take to come.
const subjectWait = time.Hour

// ReturnCommand returns the command that fetches a project as an archive.
func ReturnCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "return PROJECT", Short: "Write a whole project to one encrypted archive",
		Long: "Write a whole project to one archive, which only the passphrase or key opens: what the project is, what was done\n" +
			"with it, and all its events as Parquet files, with the hash of each. See millimetric archive for how to verify and unpack it.\n\n" +
			"The account key (ak_…) is taken from the environment variable " + KeyVariable + ", the passphrase from\n" + archive.PassphraseVariable + ".",
		Example: "  MILLIMETRIC_PASSPHRASE=… millimetric projects return shop --out shop.archive\n  MILLIMETRIC_PASSPHRASE=… millimetric archive verify shop.archive",
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("expected PROJECT; see %s --help", cmd.CommandPath())
		}
		return nil
	}
	server := serverFlag(cmd)
	secret := archive.SecretFlag(cmd)
	out := cmd.Flags().String("out", "", "file to write")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *out == "" {
			return usage("--out is required")
		}
		with, err := secret()
		if err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		c.bar = fileBar(cmd, *out)
		err = toFile(*out, nil, func(w io.Writer) error { return c.giveBack(cmd.Context(), args[0], with, w) })
		c.bar.Finish(err == nil)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is written; verify it before you destroy anything: millimetric archive verify %s\n", *out, *out)
		return err
	}
	return cmd
}

// giveBack copies the archive, and reads it meanwhile: one that can't be read back is an error.
func (c *client) giveBack(ctx context.Context, project string, secret archive.Secret, w io.Writer) error {
	asked := map[string]any{"passphrase": secret.Passphrase}
	if secret.Key != nil {
		asked = map[string]any{"key": secret.Key} // as base64
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/admin/projects/"+url.PathEscape(project)+"/return", body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close() // nothing was written
	_, err = archive.Read(io.TeeReader(c.bar.Reader(resp.Body), w), secret, func(part string, _ io.Reader) error {
		c.bar.Note(part)
		return nil
	})
	return err
}

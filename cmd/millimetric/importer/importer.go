// Package importer is the import command: it reads a web server's log or a file of events and sends
// it to a running server through the same API that every other client uses.
//
// It knows log formats and nothing of storage. The file is streamed: what grows with it is only a
// count per distinct line that is an event, about 40 bytes each, and the numbers of unusable lines.
// A run starts one goroutine, which reads and parses ahead of the request under way and ends with
// the run; on a terminal the progress bar has its own. It writes nothing to disk.
package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/progress"
	"millimetric/cmd/millimetric/transfer"
	"millimetric/index/event"
)

const (
	formatCombined = "combined"
	formatNDJSON   = "ndjson"
	formatParquet  = "parquet"

	// keyVariable names the environment variable with the API key. A flag would show the key to
	// everyone who can list processes.
	keyVariable = "MILLIMETRIC_KEY"

	exitUsage  = 2
	exitStrict = 3
)

// exitError chooses the status with which the process exits.
type exitError struct {
	error
	code int
}

func (e exitError) ExitCode() int { return e.code }

func (e exitError) Unwrap() error { return e.error }

func usage(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), exitUsage}
}

// options is a command line, understood.
type options struct {
	format string
	site   string // scheme and host; "" for ndjson
	server string
	key    string
	strict bool
	json   bool
	// project takes back what was exported; "" where new events are sent.
	project string
}

// Commands returns the import command.
func Commands() []*cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "import --format combined|ndjson|parquet FILE",
		Short: "Send a web server's log, a file of events, or what was exported to a running server",
		Long:  help,
		Example: "  MILLIMETRIC_KEY=sk_live_… millimetric import --format combined --site https://shop.example access.log.gz\n" +
			"  zcat old/*.gz | MILLIMETRIC_KEY=sk_live_… millimetric import --format ndjson -\n" +
			"  MILLIMETRIC_KEY=ak_live_… millimetric import --project shop --format parquet lake",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && (opt.project == "" || len(args) == 0) {
				return usage("name one file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opt.key = os.Getenv(keyVariable)
			if opt.project != "" || opt.format == formatParquet {
				return opt.takeBack(cmd, args)
			}
			if err := opt.check(); err != nil {
				return err
			}
			return opt.importFile(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opt.format, "format", "", "combined (the access log of Apache and nginx), ndjson (one event per line) or parquet (an export)")
	flags.StringVar(&opt.project, "project", "", "slug or id of the project that takes back what was exported (needs an account key)")
	flags.StringVar(&opt.site, "site", "", "address of the site that the log is of, such as https://shop.example (combined only)")
	flags.StringVar(&opt.server, "server", cmp.Or(os.Getenv("MILLIMETRIC_SERVER"), "http://127.0.0.1:8787"), "address of the server [MILLIMETRIC_SERVER]")
	flags.BoolVar(&opt.strict, "strict", false, "exit with status 3 if any line was unusable")
	flags.BoolVar(&opt.json, "json", false, "print the summary as one JSON object")
	return []*cobra.Command{cmd}
}

const help = `Send a web server's log or a file of events to a running server.

The secret key (sk_…) is taken from the environment variable MILLIMETRIC_KEY. Gzipped files are
recognised.

combined: a $pageview for each GET that was answered with 2xx or 304 and whose path's last segment
has no extension or ends in .html, .htm or .php. Other requests are counted and passed over. The
server turns addresses into countries and drops them.

ndjson: each line is one event as POST /v1/track takes it.

An event without an id of its own gets one made of its line (without the line's end) and of the
number of equal lines before it. So running again adds nothing, and a longer copy of the same file
adds its new lines only. Unusable lines are counted and named by number; they stop nothing.

--project takes back what millimetric export wrote, as ndjson or parquet (files, or the folder), with
the account key (ak_…) in MILLIMETRIC_KEY: events stay as they were, sources, countries and devices
included, and answers to all questions are the same. What the project has already is passed over, so
running again adds nothing. A row that can't be taken stops the import.

Exit status: 0 when every line was read, 1 when something stopped the import, 2 when the command
line can't be understood, 3 with --strict when lines were unusable.`

// takeBack imports what was exported.
func (o *options) takeBack(cmd *cobra.Command, names []string) error {
	switch {
	case o.format != formatNDJSON && o.format != formatParquet:
		return usage("--project goes with --format %s or %s", formatNDJSON, formatParquet)
	case o.project == "":
		return usage("--format %s is for what was exported: name the --project that takes it back", formatParquet)
	case !strings.HasPrefix(o.key, "ak_"):
		return usage("set %s to an account key (ak_…): what is taken back keeps what the server found out, which no other key may say", keyVariable)
	}
	return transfer.Import{Server: o.server, Project: o.project, Paths: names, JSON: o.json, Progress: cmd.ErrOrStderr()}.Run(cmd.Context(), cmd.OutOrStdout())
}

func (o *options) check() error {
	switch {
	case o.format != formatCombined && o.format != formatNDJSON:
		return usage("--format must be %s or %s", formatCombined, formatNDJSON)
	case o.format == formatNDJSON && o.site != "":
		return usage("--site goes with --format %s only: events of %s bring their own url", formatCombined, formatNDJSON)
	case o.key == "":
		return usage("set %s to the project's secret key (sk_…)", keyVariable)
	}
	server, ok := event.SplitURL(o.server)
	if !ok || !server.IsWeb() {
		return usage("--server must be an address such as http://127.0.0.1:8787")
	}
	o.server = strings.TrimRight(o.server, "/")
	if o.format == formatNDJSON {
		return nil
	}
	site, ok := event.SplitURL(o.site)
	if !ok || !site.IsWeb() || strings.Trim(site.Path, "/") != "" || strings.ContainsAny(o.site, "?#@") {
		return usage("--site must be the scheme and host of the site, such as https://shop.example")
	}
	o.site = strings.TrimRight(o.site, "/")
	return nil
}

// importFile imports one file and prints the summary, of an import that was stopped too.
func (o *options) importFile(cmd *cobra.Command, name string) error {
	in, size, err := open(cmd, name)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer in.Close() // nothing was written
	bar := progress.New(cmd.ErrOrStderr(), size)
	sum := newTally(bar)
	post := &client{
		http: newHTTPClient(), url: o.server + "/v1/batch", key: o.key, lease: o.lease(),
		now: time.Now, sleep: sleep, random: rand.Float64,
	}
	err = o.stream(cmd.Context(), bar.Reader(in), sum, post)
	bar.Finish(err == nil)
	sum.Complete = err == nil
	if printErr := sum.print(cmd.OutOrStdout(), o.json); err == nil {
		err = printErr
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; the same command goes on where this one stopped")
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	if o.strict && sum.Bad > 0 {
		return exitError{fmt.Errorf("import %s: %s unusable", name, plural(sum.Bad, "line was", "lines were")), exitStrict}
	}
	return nil
}

// stream reads, parses and sends. Reading goes on while a request is under way; requests go one
// after the other, because events of the same second are ordered by their arrival.
func (o *options) stream(ctx context.Context, in io.Reader, sum *tally, post *client) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan batch)
	read := make(chan error, 1)
	go func() {
		err := o.read(ctx, in, sum, batches)
		close(batches)
		read <- err
	}()
	out := &sender{post: post, sum: sum}
	// A reader that waits to hand over a batch goes when the context ends. One that waits for more
	// of standard input can't be woken; the process ends under it.
	return out.sendAll(ctx, batches, read)
}

// read turns lines into batches.
func (o *options) read(ctx context.Context, in io.Reader, sum *tally, batches chan<- batch) error {
	lines, err := newLineReader(in)
	if err != nil {
		return err
	}
	parse := o.parser()
	var next batch
	for {
		l, err := lines.next()
		if err == io.EOF {
			return next.handOver(ctx, batches)
		}
		if err != nil {
			// What was read before stands, and running again adds only the rest.
			return errors.Join(fmt.Errorf("read after line %d: %w", lines.number, err), next.handOver(ctx, batches))
		}
		sum.read()
		body, fate := parse(l)
		switch {
		case fate.bad != "":
			sum.bad(l.number, fate.bad)
		case fate.skip != "":
			sum.skip(fate.skip)
		default:
			if fate.noAddress {
				sum.noAddress()
			}
			if !next.fits(body) {
				if err := next.handOver(ctx, batches); err != nil {
					return err
				}
				next = batch{}
			}
			next.add(l.number, body)
		}
	}
}

// fate says what becomes of a line; the zero fate is an event.
type fate struct {
	skip      string // a sound line that is no event, and why
	bad       string // an unusable line, and why; never its content, which holds addresses
	noAddress bool   // an event whose visitor can't be told from others
}

// parser makes events, as JSON, of the lines of a format.
func (o *options) parser() func(line) ([]byte, fate) {
	ids := newIdentities(o.format)
	if o.format == formatNDJSON {
		return ndjson{ids: ids}.event
	}
	return combined{ids: ids, site: o.site}.event
}

func open(cmd *cobra.Command, name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	facts, err := file.Stat()
	if err == nil && facts.IsDir() {
		err = fmt.Errorf("%s is a folder", name)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, facts.Size(), nil
}

func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout: 60 * time.Second,
		// A redirect would turn the POST into a GET; it is reported instead.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

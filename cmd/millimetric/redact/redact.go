// Package redact is the command that shows which personal data the server would take out of events, or
// takes it out of files.
//
// It judges by the same rules as the server does when events come in, and asks no server. What it prints
// shows nobody: examples are covered up. The package starts no goroutines and writes nothing to disk.
package redact

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

// lineBytesMax bounds a line; no event that a server takes is as long.
const lineBytesMax = 1 << 20

// Command is "millimetric redact".
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redact [FILE]",
		Short: "Take personal data out of events or URLs, or show what would go",
		Long: "Take personal data out of events or URLs, by the rules by which the server does it, or show what\n" +
			"would go.\n\n" +
			"Each line of FILE, or of what comes in where there is none or it is \"-\", is an event as the server\n" +
			"takes, answers or exports it (JSON), or else a URL. With --dry-run a table says what would go: how\n" +
			"often, of which field, of which kind and under which name, with an example in which letters and digits\n" +
			"are covered up; else the lines are printed without it. What is stored already is looked at by piping an\n" +
			"export through it; without --dry-run, import takes the lines into another project.",
		Example: "  millimetric redact --dry-run events.ndjson\n" +
			"  MILLIMETRIC_KEY=ak_live_… millimetric export --project shop | millimetric redact --dry-run --allow-param name\n" +
			"  cut -d' ' -f7 access.log | millimetric redact --dry-run",
	}
	dry := cmd.Flags().Bool("dry-run", false, "say what would go, and print no line")
	asJSON := cmd.Flags().Bool("json", false, "print what a dry run finds as JSON")
	params := cmd.Flags().StringArray("allow-param", nil, "parameter of URLs that stays; may be repeated")
	properties := cmd.Flags().StringArray("allow-property", nil, "property of events that stays; may be repeated")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if *asJSON && !*dry {
			return usageError{errors.New("--json goes with --dry-run: lines are printed as they come in")}
		}
		in := cmd.InOrStdin()
		if len(args) == 1 && args[0] != "-" {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			in = file
		}
		r := redactor{params: *params, properties: *properties, found: &report{}}
		if *dry {
			if err := r.lines(in, func(string) error { return nil }); err != nil {
				return err
			}
			if *asJSON {
				return r.found.printJSON(cmd.OutOrStdout())
			}
			return r.found.print(cmd.OutOrStdout())
		}
		out := bufio.NewWriter(cmd.OutOrStdout())
		r.found = nil
		err = r.lines(in, func(line string) error {
			_, err := out.WriteString(line + "\n")
			return err
		})
		return errors.Join(err, out.Flush())
	}
	return cmd
}

type usageError struct{ error }

// ExitCode is the status with which the process exits.
func (usageError) ExitCode() int { return 2 }

// redactor reads lines.
type redactor struct {
	params, properties []string
	strip              privacy.Properties
	found              *report // nil where nobody asks
}

// lines takes each line through the rules.
func (r *redactor) lines(in io.Reader, put func(line string) error) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, lineBytesMax)
	for number := 1; scanner.Scan(); number++ {
		text := scanner.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		var err error
		r.found.begin()
		if strings.HasPrefix(text, "{") {
			text, err = r.event(text)
		} else {
			text = r.url("url", text)
		}
		if err == nil {
			err = put(text)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line has more than %d bytes", lineBytesMax)
	}
	return scanner.Err()
}

// event strips the fields of one event. Fields that hold nothing personal by these rules stay as they are.
func (r *redactor) event(text string) (string, error) {
	var fields map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return "", errors.New("neither an event as a JSON object, nor a URL")
	}
	name := textOf(fields["event"]) + textOf(fields["event_name"])
	for _, field := range []string{"url", "path", "referrer"} {
		if sent := textOf(fields[field]); sent != "" {
			fields[field] = quoted(r.url(field, sent))
		}
	}
	// What a URL's utm parameters came to is cleaned as a URL is, where it may hold an address.
	for _, field := range []string{"source", "medium", "campaign"} {
		if sent := textOf(fields[field]); strings.Contains(sent, "@") {
			fields[field] = quoted(r.url(field, sent))
		}
	}
	for _, field := range []string{"properties", "traits"} {
		object, asText := string(fields[field]), false
		if inner := textOf(fields[field]); inner != "" { // answers hold properties as text
			object, asText = inner, true
		}
		if value := jsontext.Value(object); !value.IsValid() || value.Kind() != '{' {
			continue
		}
		options := privacy.PropertyOptions{Allowed: r.properties, Person: field == "traits" || name == event.EventIdentify}
		if r.found != nil {
			r.found.add(field, privacy.FindProperties(object, options))
		}
		object = r.strip.Strip(object, options)
		if fields[field] = jsontext.Value(object); asText {
			fields[field] = quoted(object)
		}
	}
	out, err := json.Marshal(fields, json.Deterministic(true))
	return string(out), err
}

func (r *redactor) url(place, text string) string {
	if r.found != nil {
		r.found.add(place, privacy.FindURL(text, r.params...))
	}
	return privacy.StripURL(text, r.params...)
}

// textOf is what a JSON string says, "" of anything else.
func textOf(value jsontext.Value) (text string) {
	if len(value) == 0 || value.Kind() != '"' || json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

func quoted(text string) jsontext.Value {
	value, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return jsontext.Value(`""`)
	}
	return value
}

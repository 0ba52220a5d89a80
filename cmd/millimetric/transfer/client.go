package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/progress"
	"millimetric/cmd/millimetric/reply"
	"millimetric/index/event"
)

// KeyVariable names the environment variable with the API key. A flag would show the key to everyone who
// can list processes.
const KeyVariable = "MILLIMETRIC_KEY"

type usageError struct{ error }

// ExitCode is the status with which the process exits.
func (usageError) ExitCode() int { return 2 }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// client asks one server.
type client struct {
	http   *http.Client
	server string
	key    string
	pause  time.Duration // before the first try again; it grows
	bar    *progress.Bar // of what is fetched; nil for none
}

const (
	// triesMax is how often in a row nothing new may come before a command gives up: with the pauses
	// between, a restart of the server passes.
	triesMax  = 8
	pauseMin  = 200 * time.Millisecond
	pauseMax  = 10 * time.Second
	errorsMax = 1 << 20 // bytes read of a refusal
	// lineMax bounds a line of an export: a row is at most some hundred kilobytes, all escaped.
	lineMax = 4 << 20
)

func serverFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("server", cmp.Or(os.Getenv("MILLIMETRIC_SERVER"), "http://127.0.0.1:8787"), "address of the server [MILLIMETRIC_SERVER]")
}

func newClient(server string) (*client, error) {
	key := os.Getenv(KeyVariable)
	if key == "" {
		return nil, usage("set %s to a key", KeyVariable)
	}
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usage("--server must be an address such as http://127.0.0.1:8787")
	}
	return &client{http: http.DefaultClient, server: strings.TrimRight(server, "/"), key: key, pause: pauseMin}, nil
}

// refused is an answer that asking again doesn't change.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// do sends a request once and returns the answer if it is a good one.
func (c *client) do(ctx context.Context, method, path string, body []byte, media string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, refused{err}
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, reply.Unreachable(c.server, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() // nothing was written
	text, _ := io.ReadAll(io.LimitReader(resp.Body, errorsMax))
	flag := func(field string) string {
		if strings.HasPrefix(field, "rows") { // of a body, not of the command line
			return field
		}
		return "--" + strings.ReplaceAll(field, "_", "-")
	}
	err = reply.Refused(resp.StatusCode, text, flag, "")
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
		return nil, err
	}
	return nil, refused{err}
}

// again waits before another try; tries is how many failed in a row.
func (c *client) again(ctx context.Context, tries int, cause error) error {
	var final refused
	if errors.As(cause, &final) || tries >= triesMax || ctx.Err() != nil {
		return cause
	}
	wait := min(c.pause<<tries, pauseMax)
	timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// export fetches the rows of an export, going on behind the last where the connection was cut. asOf is
// told before the first row. It returns how many rows there were.
func (c *client) export(ctx context.Context, params url.Values, asOf func(event.Seq) error, row func(*Row) error) (rows int, err error) {
	for tries := 0; ; {
		before := rows
		done, err := c.exportOnce(ctx, params, asOf, func(r *Row) error {
			if err := row(r); err != nil {
				return refused{err}
			}
			rows++
			params.Set("after", timeText(event.Time(r.Timestamp))+","+strconv.FormatUint(r.Seq, 10))
			return nil
		})
		if done {
			return rows, nil
		}
		if rows > before {
			tries = 0
		}
		if err := c.again(ctx, tries, err); err != nil {
			return rows, fmt.Errorf("export after %d events: %w", rows, err)
		}
		tries++
	}
}

func (c *client) exportOnce(ctx context.Context, params url.Values, asOf func(event.Seq) error, row func(*Row) error) (done bool, err error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/export?"+params.Encode(), nil, "")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() // nothing was written
	if params.Get("as_of") == "" || asOf != nil {
		position, err := strconv.ParseUint(resp.Header.Get(headerAsOf), 10, 64)
		if err != nil {
			return false, refused{errors.New("the answer doesn't say of which position it is: is --server right?")}
		}
		params.Set("as_of", strconv.FormatUint(position, 10))
		if asOf != nil {
			if err := asOf(event.Seq(position)); err != nil {
				return false, refused{err}
			}
		}
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, lineMax)
	var r Row
	for lines.Scan() {
		if _, err := parseLine(lines.Bytes(), &r); err != nil {
			if cut := lines.Err(); cut != nil {
				return false, cut // in the middle of this line
			}
			return false, refused{fmt.Errorf("read a row: %w", err)}
		}
		c.bar.Add(int64(len(lines.Bytes()) + 1))
		if err := row(&r); err != nil {
			return false, err
		}
	}
	return lines.Err() == nil, lines.Err()
}

// send sends rows until the server takes or refuses them.
func (c *client) send(ctx context.Context, project string, body []byte) (sum taken, err error) {
	for tries := 0; ; tries++ {
		resp, err := c.do(ctx, http.MethodPost, "/v1/admin/projects/"+url.PathEscape(project)+"/import", body, "application/x-ndjson")
		if err == nil {
			err = json.NewDecoder(io.LimitReader(resp.Body, errorsMax)).Decode(&sum)
			resp.Body.Close()
			if err == nil {
				return sum, nil
			}
		}
		if err := c.again(ctx, tries, err); err != nil {
			return sum, err
		}
	}
}

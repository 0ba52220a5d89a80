package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// patience is how long the server may take nothing before the import gives up: a restart or an
	// upgrade passes in less.
	patience = 60 * time.Second

	pauseMin = 100 * time.Millisecond
	pauseMax = 5 * time.Second
	// retryAfterMax bounds what a server's Retry-After can hold up.
	retryAfterMax = 30 * time.Second
	// answerBytesMax bounds what is read of an answer. Errors of a thousand events fit.
	answerBytesMax = 1 << 20
)

// client posts bodies to one server, again and again where that may help: every event has an id, so
// that sending one twice does no harm.
type client struct {
	http   *http.Client
	url    string
	key    string
	lease  string
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	random func() float64 // from [0, 1)
}

// refusal is the server's answer to a body that it can't take as it is.
type refusal struct {
	Code    string `json:"error"`
	Details struct {
		FieldErrors map[string][]string `json:"fieldErrors"`
		FormErrors  []string            `json:"formErrors"`
	} `json:"details"`
}

func (r *refusal) String() string {
	var parts []string
	for _, field := range sortedKeys(r.Details.FieldErrors) {
		parts = append(parts, field+": "+strings.Join(r.Details.FieldErrors[field], ", "))
	}
	parts = append(parts, r.Details.FormErrors...)
	if len(parts) == 0 {
		return r.Code
	}
	return r.Code + ": " + strings.Join(parts, "; ")
}

// send posts a body until the server takes or refuses it, or has taken nothing for too long.
func (c *client) send(ctx context.Context, body []byte, ends bool) (*refusal, error) {
	deadline := c.now().Add(patience)
	pause := pauseMin
	for {
		refused, wait, err := c.post(ctx, body, ends)
		var again *retryable
		if !errors.As(err, &again) {
			return refused, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// Half of the pause is left to chance, so that several imports don't come back together.
		wait = max(wait, pause/2+time.Duration(c.random()*float64(pause)/2))
		if c.now().Add(wait).After(deadline) {
			return nil, fmt.Errorf("gave up after %v: %w", patience, again.cause)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return nil, err
		}
		pause = min(2*pause, pauseMax)
	}
}

// retryable marks a failure that may pass.
type retryable struct{ cause error }

func (r *retryable) Error() string { return r.cause.Error() }

// post sends a body once. wait is what the server asks for before the next try.
func (c *client) post(ctx context.Context, body []byte, ends bool) (refused *refusal, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	lease := c.lease
	if ends {
		lease += "; end"
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Millimetric-Import", lease)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, &retryable{c.unreachable(err)}
	}
	defer resp.Body.Close() // nothing was written
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return nil, 0, &retryable{err}
	}
	if resp.StatusCode == http.StatusAccepted {
		return nil, 0, nil
	}
	var said refusal
	if json.Unmarshal(text, &said) != nil || said.Code == "" {
		said = refusal{Code: "an answer that isn't the API's"}
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		if said.Code == "invalid_payload" || said.Code == "payload_too_large" {
			return &said, 0, nil
		}
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, c.retryAfter(resp.Header.Get("Retry-After")), &retryable{c.answered(resp, &said)}
	}
	return nil, 0, c.answered(resp, &said)
}

func (c *client) answered(resp *http.Response, said *refusal) error {
	text := fmt.Sprintf("the server answered %d: %s", resp.StatusCode, said)
	if to := resp.Header.Get("Location"); to != "" {
		text += "; it points to " + to
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		text += "; an import needs the project's secret key (sk_…) in " + keyVariable
	}
	return errors.New(text)
}

// unreachable says why no answer came, without the URL that net/http repeats.
func (c *client) unreachable(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers at %s; is the server running? (millimetric serve)", strings.TrimSuffix(c.url, "/v1/batch"))
	}
	return err
}

// retryAfter reads the header's two forms: seconds, or a date.
func (c *client) retryAfter(text string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(c.now())
	}
	return min(max(wait, 0), retryAfterMax)
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

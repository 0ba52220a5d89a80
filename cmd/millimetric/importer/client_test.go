package importer

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// patientClient is a client whose clock only its pauses move.
func patientClient(url string) (*client, *time.Duration) {
	waited := new(time.Duration)
	return &client{
		http: newHTTPClient(), url: url + "/v1/batch", key: "sk_live_01234567_secret", lease: "imp-1",
		now:    func() time.Time { return time.Unix(0, 0).Add(*waited) },
		random: func() float64 { return 0.5 },
		sleep: func(ctx context.Context, d time.Duration) error {
			*waited += d
			return ctx.Err()
		},
	}, waited
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	var tries int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		switch tries {
		case 1:
			w.Header().Set("Retry-After", "7")
			http.Error(w, `{"error":"overloaded"}`, http.StatusServiceUnavailable)
		case 2:
			http.Error(w, `{"error":"rate_limited","retry_after_s":1}`, http.StatusTooManyRequests)
		case 3:
			panic(http.ErrAbortHandler) // the connection is reset
		default:
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"ok":true}`)
		}
	}))
	defer server.Close()
	c, waited := patientClient(server.URL)
	refused, err := c.send(t.Context(), []byte(`{}`), false)
	if refused != nil || err != nil || tries != 4 {
		t.Fatalf("%v, %v after %d tries", refused, err, tries)
	}
	if *waited < 7*time.Second || *waited > 10*time.Second {
		t.Errorf("waited %v; Retry-After asked for 7 s once", *waited)
	}
}

func TestAServerThatIsGoneIsGivenUpAfterAMinute(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, waited := patientClient(server.URL)
	_, err := c.send(t.Context(), []byte(`{}`), false)
	if err == nil || !strings.Contains(err.Error(), "nothing answers at "+server.URL) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if *waited < patience-pauseMax || *waited > patience {
		t.Errorf("gave up after %v", *waited)
	}
}

func TestLastingFailuresStopAtOnce(t *testing.T) {
	for status, body := range map[int]string{
		http.StatusForbidden:           `{"error":"project_archived"}`,
		http.StatusNotFound:            `<html>`,
		http.StatusOK:                  `<html>`,
		http.StatusMovedPermanently:    ``,
		http.StatusInternalServerError: `{"error":"internal_error"}`,
		http.StatusBadRequest:          `<html>`,
	} {
		tries := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tries++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		c, _ := patientClient(server.URL)
		refused, err := c.send(t.Context(), []byte(`{}`), false)
		server.Close()
		if refused != nil || err == nil || tries != 1 || !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d: %v, %v after %d tries", status, refused, err, tries)
		}
	}
}

func TestAnInterruptedImportStopsWaiting(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"error":"overloaded"}`, http.StatusServiceUnavailable)
	}))
	defer server.Close()
	c, _ := patientClient(server.URL)
	ctx, stop := context.WithCancel(t.Context())
	c.sleep = func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() }
	if _, err := c.send(ctx, []byte(`{}`), false); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

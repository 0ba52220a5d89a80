package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"millimetric/cmd/millimetric/openapi"
	"millimetric/index/event"
)

// contract stands between the tests of this package and the server, and holds each answer against the
// document that the server serves: an answer that the document doesn't describe fails the run, whatever
// the test was about.
type contract struct {
	next http.RoundTripper
	spec *openapi3.T

	mu     sync.Mutex
	broken []string        // what was not as the document says
	seen   map[string]bool // "GET /v1/stats 200"
}

// theContract is that of this run; TestMain puts it before the common client.
var theContract = sync.OnceValue(func() *contract {
	text, err := openapi.Document(describedRoutes(), "test")
	if err != nil {
		panic(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		panic(err)
	}
	// Of a script, packed or not, the document says no more than that it is one.
	openapi3filter.RegisterBodyDecoder("text/javascript", openapi3filter.FileBodyDecoder)
	return &contract{next: http.DefaultTransport, spec: spec, seen: map[string]bool{}}
})

// runUnderContract runs the tests and returns the status of the process.
func runUnderContract(m *testing.M) int {
	c := theContract()
	for _, media := range []string{"image/svg+xml", "text/markdown"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	http.DefaultClient.Transport = c
	for _, media := range []string{"application/x-ndjson", "application/vnd.apache.parquet", "application/octet-stream"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	code := m.Run()
	if len(c.broken) > 0 {
		fmt.Fprintf(os.Stderr, "%d answers are not as the document says; the first:\n%s\n", len(c.broken), strings.Join(c.broken[:min(5, len(c.broken))], "\n\n"))
		return 1
	}
	return code
}

func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	c.check(req, res, body)
	return res, nil
}

func (c *contract) CloseIdleConnections() {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// check holds one answer against the document.
func (c *contract) check(req *http.Request, res *http.Response, body []byte) {
	path, item := c.find(req.URL.Path)
	var problem error
	switch operation := c.operation(item, req.Method); {
	case res.StatusCode == http.StatusNotFound && item == nil, operation == nil && res.StatusCode >= 400:
		problem = isRefusal(res, body)
	case operation == nil:
		return // not ours: some tests put routes of their own into a server
	default:
		route := &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: req.Method, Operation: operation}
		problem = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
			Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
		})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[fmt.Sprintf("%s %s %d", req.Method, path, res.StatusCode)] = true
	if problem != nil && len(c.broken) < 1000 {
		c.broken = append(c.broken, fmt.Sprintf("%s %s: %d %.500s\n%.1500s", req.Method, req.URL, res.StatusCode, body, problem))
	}
}

// find returns the path of the document that a path is one of.
func (c *contract) find(path string) (string, *openapi3.PathItem) {
	parts := strings.Split(path, "/")
	for _, template := range c.spec.Paths.InMatchingOrder() {
		if fits(strings.Split(template, "/"), parts) {
			return template, c.spec.Paths.Value(template)
		}
	}
	return path, nil
}

func fits(template, parts []string) bool {
	if len(template) != len(parts) {
		return false
	}
	for i, want := range template {
		if !strings.HasPrefix(want, "{") && want != parts[i] {
			return false
		}
	}
	return true
}

func (c *contract) operation(item *openapi3.PathItem, method string) *openapi3.Operation {
	if item == nil {
		return nil
	}
	return item.GetOperation(method)
}

// isRefusal checks what is said where the document has no operation.
func isRefusal(res *http.Response, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if res.Request.Method == http.MethodHead {
		return nil
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Error == "" {
		return fmt.Errorf("no error of the API: %w", err)
	}
	for _, refusal := range openapi.Refusals() {
		if refusal.Status == res.StatusCode && slices.Contains(refusal.Codes, said.Error) {
			return nil
		}
	}
	return fmt.Errorf("code %s doesn't go with status %d", said.Error, res.StatusCode)
}

func TestTheServedDocumentIsValidAndHasEveryRoute(t *testing.T) {
	r := startServer(t)
	res, body := r.call("GET", "/openapi.json", nil, nil)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", res.StatusCode, res.Header)
	}
	spec, err := openapi3.NewLoader().LoadFromData([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	ids := map[string]bool{}
	for _, route := range routeTable() {
		for _, method := range route.methods {
			operation := spec.Paths.Value(route.path).GetOperation(method)
			if operation == nil || ids[operation.OperationID] {
				t.Errorf("%s %s isn't in the document, or not by itself", method, route.path)
				continue
			}
			ids[operation.OperationID] = true
			if got := len(*operation.Security); got < len(route.kinds) || route.kinds == nil && got != 0 {
				t.Errorf("%s %s: %d kinds of key", method, route.path, got)
			}
		}
	}
	operations := 0
	for _, item := range spec.Paths.Map() {
		operations += len(item.Operations())
	}
	if browsers := 3; operations != len(ids)+browsers {
		t.Errorf("%d operations in the document, %d in the table", operations, len(ids)+browsers)
	}
}

// TestEveryCodeOfTheDocumentHasItsStatus holds the document's list of codes against the one place that
// chooses statuses.
func TestEveryCodeOfTheDocumentHasItsStatus(t *testing.T) {
	kinds := map[int]error{400: event.ErrInput, 403: event.ErrDenied, 404: event.ErrMissing, 500: event.ErrInternal, 503: event.ErrLimit}
	for _, refusal := range openapi.Refusals() {
		for _, code := range refusal.Codes {
			if status := statusOf(&event.Error{Kind: kinds[refusal.Status], Code: code}); status != refusal.Status {
				t.Errorf("%s: %d, documented as %d", code, status, refusal.Status)
			}
		}
	}
}

func TestLanguageModelsAreToldEveryQuestion(t *testing.T) {
	r := startServer(t)
	res, body := r.call("GET", "/llms.txt", nil, nil)
	if res.StatusCode != 200 || !strings.HasPrefix(body, "# Millimetric\n") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	for _, route := range routeTable() {
		if slices.Contains(route.methods, "GET") && slices.Contains(route.methods, "POST") && !strings.Contains(body, "\n- `"+route.name+"`: ") {
			t.Errorf("%s isn't named", route.name)
		}
	}
}

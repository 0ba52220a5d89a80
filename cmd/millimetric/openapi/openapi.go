// Package openapi writes the description of the HTTP API, version 3.1 of OpenAPI: from the server's
// table of routes, from the one table of the questions' parameters, and from what is written by hand: the
// schemas of bodies and answers in components.json, and of each other route in operations.json what it
// takes and gives.
//
// It decides nothing: what it says is held against the running server by the server's tests. It starts
// no goroutines and writes no files.
package openapi

import (
	_ "embed" // the hand-written operations
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"millimetric/query"
)

// schema is any object of the document.
type schema = query.Schema

// Route is a route as the server has it.
type Route struct {
	Name    string
	Methods []string
	Path    string   // parts in braces stand for any one
	Kinds   []string // the kinds of key that it is open to; none where it needs no key
	Scope   string   // that a read key needs
	Browser bool     // pages may call it, and ask first whether they may
	Beacon  bool     // a publishable key may stand in the query string
}

//go:embed operations.json
var operationsText []byte

// operation is what is written by hand of a route that is no question.
type operation struct {
	Tag     string            `json:"tag"`
	Summary string            `json:"summary"`
	Status  int               `json:"status"`
	Answer  string            `json:"answer"`   // name of a schema
	Body    string            `json:"body"`     // name of a schema
	Media   string            `json:"media"`    // of an answer that has no schema, or may also come as text
	MediaIn string            `json:"media_in"` // of a body that has no schema
	Params  map[string]schema `json:"params"`   // of the query string
	Agents  bool              `json:"agents"`   // speaks JSON-RPC
	Keyed   bool              `json:"keyed"`    // some callers need a key, though the route is open
	Cached  bool              `json:"cached"`   // by clients, which ask whether what they have still holds
}

// Document writes the description of a server with these routes.
func Document(routes []Route, version string) ([]byte, error) {
	var operations map[string]operation
	if err := json.Unmarshal(operationsText, &operations); err != nil {
		return nil, fmt.Errorf("operations.json: %w", err)
	}
	questions := map[string]query.Description{}
	for _, d := range query.Descriptions() {
		questions[d.Name] = d
	}
	listings := map[string]query.Description{query.NameExport: query.DescribeExport(), query.NameSubject: query.DescribeSubject()}
	paths := schema{}
	for _, r := range routes {
		item, _ := paths[r.Path].(schema)
		if item == nil {
			item = schema{}
			paths[r.Path] = item
		}
		written, known := operations[r.Name]
		question, asks := questions[r.Name]
		listing, lists := listings[r.Name]
		if !known && !asks && !lists {
			return nil, fmt.Errorf("route %s has no entry in operations.json", r.Name)
		}
		for _, method := range r.Methods {
			op := r.common(method)
			switch {
			case asks:
				ask(op, method, question)
			case lists:
				list(op, method, listing)
			default:
				written.describe(op, method)
			}
			item[strings.ToLower(method)] = op
		}
		if r.Browser {
			item["options"] = r.preflight()
		}
	}
	document := schema{"openapi": "3.1.1", "info": info(version), "servers": []schema{{"url": "/"}}, "tags": tags(),
		"paths": paths, "components": allComponents()}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write document: %w", err)
	}
	return text, nil
}

func info(version string) schema {
	return schema{
		"title": "Millimetric", "version": version,
		"description": "Privacy-first web and product analytics with exact answers. Keys go into `Authorization: Bearer {key}`.",
		"license":     schema{"name": "Apache 2.0", "identifier": "Apache-2.0"},
	}
}

func tags() []schema {
	return []schema{
		{"name": "ingest", "description": "Events in"}, {"name": "questions", "description": "Answers out"},
		{"name": "agents", "description": "Model Context Protocol"}, {"name": "admin", "description": "Projects, keys, settings, the store"},
		{"name": "erasure", "description": "Persons out, with proof"}, {"name": "server", "description": "About the server itself"},
	}
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// common is what every operation has: who may call it, the parts of its path, and its refusals.
func (r Route) common(method string) schema {
	op := schema{"operationId": r.operationID(method), "security": r.security(), "responses": schema{}}
	responses := op["responses"].(schema)
	for _, refusal := range Refusals() {
		if !refusal.Keyed || r.Kinds != nil {
			responses[refusal.status()] = schema{"$ref": "#/components/responses/" + refusal.Name}
		}
	}
	parameters := []schema{}
	for _, m := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
		help := map[string]string{"id": "id of the project, or its slug", "prefix": "prefix of the key"}[m[1]]
		parameters = append(parameters, schema{"name": m[1], "in": "path", "required": true, "description": help, "schema": schema{"type": "string"}})
	}
	op["parameters"] = parameters
	return op
}

// operationID names an operation as a client would a function.
func (r Route) operationID(method string) string {
	words := strings.FieldsFunc(r.Name, func(c rune) bool { return c == '.' })
	if strings.HasPrefix(r.Path, "/v1/admin/keys") {
		words = append(words, "of", "account")
	}
	if len(r.Methods) > 1 {
		words = append([]string{strings.ToLower(method)}, words...)
	}
	for i := range words[1:] {
		words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
	}
	return strings.Join(words, "")
}

// keyKinds are the kinds of key and the names of their schemes.
var keyKinds = map[string]string{"pk": "publishableKey", "sk": "secretKey", "rk": "readKey", "ak": "accountKey"}

func (r Route) security() []schema {
	list := []schema{}
	for _, kind := range r.Kinds {
		list = append(list, schema{keyKinds[kind]: []string{}})
	}
	if r.Beacon {
		list = append(list, schema{"beaconKey": []string{}})
	}
	return list
}

func (r Route) preflight() schema {
	return schema{"operationId": "preflight" + strings.ToUpper(r.Name[:1]) + r.Name[1:], "tags": []string{"ingest"}, "security": []schema{},
		"summary":   "Tell a browser whether a page may send events",
		"responses": schema{"204": schema{"description": "The headers say so"}, "400": schema{"$ref": "#/components/responses/BadRequest"}}}
}

// describe completes the operation of a route that is no question.
func (w operation) describe(op schema, method string) {
	op["tags"], op["summary"] = []string{w.Tag}, w.Summary
	parameters := op["parameters"].([]schema)
	for _, name := range slices.Sorted(maps.Keys(w.Params)) {
		parameters = append(parameters, schema{"name": name, "in": "query", "schema": w.Params[name]})
	}
	op["parameters"] = parameters
	answer := schema{"description": "Done"}
	switch {
	case method == "HEAD":
	case w.Answer != "":
		content := jsonContent(schema{"$ref": refs + w.Answer})
		if w.Media != "" {
			content[w.Media] = schema{"schema": schema{"type": "string"}}
		}
		answer["content"] = content
	default:
		answer["content"] = schema{w.Media: schema{"schema": schema{}}}
	}
	responses := op["responses"].(schema)
	responses[strconv.Itoa(w.Status)] = answer
	if w.Cached {
		responses["304"] = schema{"description": "What the client has still holds"}
	}
	if w.Body != "" {
		op["requestBody"] = schema{"required": true, "content": jsonContent(schema{"$ref": refs + w.Body})}
	}
	if w.MediaIn != "" {
		op["requestBody"] = schema{"required": true, "content": schema{w.MediaIn: schema{"schema": schema{"type": "string"}}}}
	}
	for _, refusal := range Refusals() {
		if w.Keyed && refusal.Keyed {
			responses[refusal.status()] = schema{"$ref": "#/components/responses/" + refusal.Name}
		}
	}
	if w.Agents {
		responses["202"] = schema{"description": "A notification, which has no answer"}
		failed := schema{"description": "The request is wrong", "content": jsonContent(schema{"anyOf": []schema{{"$ref": refs + "RPC"}, {"$ref": refs + "Error"}}})}
		responses["400"], responses["404"] = failed, failed
	}
}

// allComponents are the schemas, the refusals and the kinds of key.
func allComponents() schema {
	schemas := schema{}
	for name, text := range components() {
		schemas[name] = text
	}
	for name, definition := range query.Definitions(refs) {
		schemas[name] = definition
	}
	responses := schema{}
	for _, refusal := range Refusals() {
		responses[refusal.Name] = refusal.response()
	}
	schemes := schema{"beaconKey": schema{"type": "apiKey", "in": "query", "name": "key", "description": "a publishable key, for beacons, which can't send headers"}}
	for kind, name := range keyKinds {
		schemes[name] = schema{"type": "http", "scheme": "bearer", "description": "a key that begins with " + kind + "_"}
	}
	return schema{"schemas": schemas, "responses": responses, "securitySchemes": schemes}
}

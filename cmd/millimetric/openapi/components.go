package openapi

import (
	"bytes"
	_ "embed" // the hand-written schemas
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"millimetric/query"
)

//go:embed components.json
var componentsText []byte

// refs is where the document keeps its schemas.
const refs = "#/components/schemas/"

// components are the hand-written schemas by name.
var components = sync.OnceValue(func() map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(componentsText, &all); err != nil {
		panic(fmt.Sprintf("components.json: %v", err)) // it is compiled in
	}
	return all
})

// answerNames are the schemas of the answers, by question.
var answerNames = map[string]string{
	"stats": "StatsAnswer", "sources": "SourcesAnswer", "query": "QueryAnswer", "paths": "PathsAnswer", "live": "LiveAnswer",
	"attribution": "AttributionAnswer", "sessions": "SessionsAnswer", "funnel": "FunnelAnswer", "retention": "RetentionAnswer",
}

// Answer returns the schema of the answer to a question, but for what stands around every answer, and
// what it refers to: each under its name after prefix.
func Answer(question, prefix string) (schema, definitions query.Schema) {
	name, ok := answerNames[question]
	if !ok {
		panic("no schema for the answer to " + question)
	}
	return Component(name, prefix)
}

// Component returns a hand-written schema, and what it refers to: each under its name after prefix.
func Component(name, prefix string) (schema, definitions query.Schema) {
	definitions = query.Schema{}
	collect(name, prefix, definitions)
	schema = definitions[name].(query.Schema)
	if !refersTo(definitions, prefix+name) {
		delete(definitions, name)
	}
	return schema, definitions
}

// collect adds a schema and all that it refers to.
func collect(name, prefix string, into query.Schema) {
	if into[name] != nil {
		return
	}
	text := bytes.ReplaceAll(components()[name], []byte(refs), []byte(prefix))
	var schema query.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		panic(fmt.Sprintf("schema %s: %v", name, err)) // it is compiled in
	}
	into[name] = schema
	for other := range components() {
		if bytes.Contains(text, []byte(strconv.Quote(prefix+other))) {
			collect(other, prefix, into)
		}
	}
}

func refersTo(schemas query.Schema, reference string) bool {
	text, err := json.Marshal(schemas)
	return err == nil && bytes.Contains(text, []byte(strconv.Quote(reference)))
}

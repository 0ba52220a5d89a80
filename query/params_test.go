package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"millimetric/index/event"
)

// TestTheTableOfParametersIsWhatTheParserReads holds the one description of the questions against
// the code that reads them.
func TestTheTableOfParametersIsWhatTheParserReads(t *testing.T) {
	for _, q := range questions {
		r := newReader(Form{})
		q.parse(r)
		r.known["cursor"] = slices.ContainsFunc(q.Params, func(p Param) bool { return p.Name == "cursor" }) // taken before
		var described []string
		for _, p := range q.Params {
			described = append(described, p.Name)
			if p.Help == "" {
				t.Errorf("%s: %s has no help", q.Name, p.Name)
			}
		}
		slices.Sort(described)
		if !r.known["cursor"] {
			delete(r.known, "cursor")
		}
		if read := slices.Sorted(maps.Keys(r.known)); !slices.Equal(read, described) {
			t.Errorf("%s reads %v\nand describes %v", q.Name, read, described)
		}
	}
}

// least is a body with all that a question requires.
func least(q Description) map[string]any {
	body := map[string]any{}
	for _, p := range q.Params {
		switch {
		case p.Name == "from":
			body[p.Name] = "2026-05-01"
		case p.Name == "to":
			body[p.Name] = "2026-05-02"
		case p.Required:
			body[p.Name] = "signup"
		}
	}
	switch q.Name {
	case "paths":
		body["start"] = "signup"
	case "funnel":
		body["step"] = []string{"a", "b"}
	}
	return body
}

func parseBody(t *testing.T, name string, body map[string]any) (Question, error) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	form, err := FormOfJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(name, form)
}

// properties names so many different ones.
func properties(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("properties.p%d", i))
	}
	return names
}

// refusedField tells whether an error is about a parameter.
func refusedField(err error, name string) bool {
	var e *event.Error
	return errors.As(err, &e) && len(e.Fields[name]) > 0
}

func TestRequiredParametersAreThoseWithoutWhichParsingFails(t *testing.T) {
	for _, d := range Descriptions() {
		body := least(d)
		if _, err := parseBody(t, d.Name, body); err != nil {
			t.Errorf("%s with the least: %v", d.Name, err)
		}
		for _, p := range d.Params {
			if !p.Required {
				continue
			}
			without := maps.Clone(body)
			delete(without, p.Name)
			if _, err := parseBody(t, d.Name, without); !refusedField(err, p.Name) {
				t.Errorf("%s without %s: %v", d.Name, p.Name, err)
			}
		}
	}
}

func TestWordsAndLimitsOfParametersAreThoseOfTheParser(t *testing.T) {
	try := func(d Description, p Param, value any) error {
		body := least(d)
		body[p.Name] = value
		if p.Name == "fill" {
			body["interval"] = "day"
		}
		_, err := parseBody(t, d.Name, body)
		return err
	}
	for _, d := range Descriptions() {
		for _, p := range d.Params {
			var good, bad []any
			switch p.Kind {
			case KindWord, KindFormat:
				for _, word := range p.Words {
					good = append(good, word)
				}
				bad = []any{"no such word", 1}
			case KindWhole:
				good, bad = []any{p.Least, p.Most}, []any{p.Least - 1, p.Most + 1, "x"}
			case KindFlag:
				good, bad = []any{true, false}, []any{"maybe"}
			case KindNames:
				if p.Words != nil {
					good, bad = []any{p.Words}, []any{[]string{"no such word"}}
				}
				bad = append(bad, properties(p.Most+1), properties(20_000)) // however many, at once
				if p.Most == 0 {
					t.Errorf("%s takes any number of %s", d.Name, p.Name)
				}
			}
			for _, value := range good {
				if err := try(d, p, value); refusedField(err, p.Name) {
					t.Errorf("%s %s=%v: %v", d.Name, p.Name, value, err)
				}
			}
			for _, value := range bad {
				if err := try(d, p, value); !refusedField(err, p.Name) {
					t.Errorf("%s %s=%v is taken: %v", d.Name, p.Name, value, err)
				}
			}
		}
	}
}

func TestDefaultsOfParametersAreThoseOfTheParser(t *testing.T) {
	for _, d := range Descriptions() {
		body := least(d)
		bare, err := parseBody(t, d.Name, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Params {
			if p.Default == "" || p.Name == "explain" {
				continue
			}
			with := maps.Clone(body)
			with[p.Name] = p.presetJSON()
			told, err := parseBody(t, d.Name, with)
			if err != nil {
				t.Errorf("%s %s=%v: %v", d.Name, p.Name, p.presetJSON(), err)
				continue
			}
			if a, b := settingsText(bare), settingsText(told); a != b {
				t.Errorf("%s %s=%v differs from leaving it out:\n%s\n%s", d.Name, p.Name, p.presetJSON(), a, b)
			}
		}
	}
}

func settingsText(q Question) string {
	return string(Object(settings(q, 0)...).AppendJSON(nil))
}

func TestSchemasReferOnlyToDefinitions(t *testing.T) {
	defined := Definitions("#/$defs/")
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case Schema:
			if ref, ok := v["$ref"].(string); ok && defined[strings.TrimPrefix(ref, "#/$defs/")] == nil {
				t.Errorf("%s isn't defined", ref)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []Schema:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	for _, s := range defined {
		walk(s)
	}
	for _, d := range Descriptions() {
		for _, p := range d.Params {
			s := p.Schema("#/$defs/")
			walk(s)
			if _, err := json.Marshal(s); err != nil || s["description"] != p.Help {
				t.Error(fmt.Errorf("%s %s: %w", d.Name, p.Name, err))
			}
		}
	}
}

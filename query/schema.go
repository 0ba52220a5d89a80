package query

import (
	"maps"
	"strconv"
	"strings"
)

// Schema is a JSON Schema (2020-12), ready to be written as JSON.
type Schema = map[string]any

// The names of the schemas that parameters refer to.
const (
	schemaFilter     = "Filter"
	schemaStep       = "Step"
	schemaFunnelStep = "FunnelStep"
	schemaExclusion  = "Exclusion"
	schemaDuration   = "Duration"
)

const durationPattern = `^(0|[0-9]+[smhdw])$`

// Schema describes the parameter's value in JSON. What several parameters share is referred to: a
// reference is refs and the name of one of Definitions.
func (p Param) Schema(refs string) Schema {
	s := p.bareSchema(refs)
	s["description"] = p.Help
	if p.Default != "" {
		s["default"] = p.presetJSON()
	}
	return s
}

func (p Param) bareSchema(refs string) Schema {
	switch p.Kind {
	case KindWord, KindFormat:
		return Schema{"type": "string", "enum": p.Words}
	case KindWhole:
		return Schema{"type": "integer", "minimum": p.Least, "maximum": p.Most}
	case KindFlag:
		return Schema{"type": "boolean"}
	case KindPosition:
		return Schema{"type": "string", "pattern": "^[0-9]+$"}
	case KindDuration:
		return Schema{"type": "string", "pattern": durationPattern, "examples": []string{"30m", "7d"}}
	case KindMoment:
		return Schema{"type": "string", "examples": []string{"2026-05-01", "2026-05-01T00:00:00Z"}}
	case KindNames, KindStepNames:
		return p.bounded(p.nameSchema())
	case KindFilters:
		return Schema{"type": "array", "items": reference(refs, schemaFilter), "maxItems": filtersMax}
	case KindStep:
		return Schema{"anyOf": []Schema{{"type": "string", "minLength": 1}, reference(refs, schemaStep)}}
	case KindSteps:
		return p.bounded(reference(refs, schemaFunnelStep))
	case KindExclusions:
		return p.bounded(reference(refs, schemaExclusion))
	case KindActorList:
		return actorListSchema()
	}
	return Schema{"type": "string", "minLength": 1}
}

func (p Param) nameSchema() Schema {
	s := Schema{"type": "string", "minLength": 1}
	if p.Words != nil {
		s["enum"] = p.Words
	}
	return s
}

// bounded is a list of items with as many elements as the parameter allows.
func (p Param) bounded(items Schema) Schema {
	s := Schema{"type": "array", "items": items}
	if p.Least > 0 {
		s["minItems"] = p.Least
	}
	if p.Most > 0 {
		s["maxItems"] = p.Most
	}
	return s
}

// presetJSON is the default as JSON has it.
func (p Param) presetJSON() any {
	switch p.Kind {
	case KindWhole:
		n, err := strconv.Atoi(p.Default)
		if err == nil {
			return n
		}
	case KindFlag:
		return p.Default == "true"
	case KindNames:
		return strings.Split(p.Default, ",")
	}
	return p.Default
}

// Definitions are the schemas that those of parameters refer to, by name.
func Definitions(refs string) map[string]Schema {
	filters := Schema{"type": "array", "items": reference(refs, schemaFilter)}
	name := Schema{"type": "string", "minLength": 1, "description": "the name of an event"}
	duration := reference(refs, schemaDuration)
	member := object(Schema{"event": name, "filters": filters}, "event")
	step := Schema{
		"event": name, "filters": filters,
		"name":   Schema{"type": "string", "minLength": 1, "description": "what the answer calls the step; the event's name without it"},
		"any_of": Schema{"type": "array", "items": member, "minItems": 1, "maxItems": anyOfMax, "description": "several events that are this step, in the place of event and filters"},
	}
	with := func(more Schema) Schema {
		all := maps.Clone(step)
		maps.Copy(all, more)
		return object(all)
	}
	place := func(help string) Schema {
		return Schema{"type": "integer", "minimum": 1, "maximum": stepsMax, "description": help}
	}
	within := Schema{"allOf": []Schema{duration}, "description": "longest time since the step before"}
	return map[string]Schema{
		schemaFilter:     filterSchema(refs, filters),
		schemaStep:       with(nil),
		schemaFunnelStep: with(Schema{"within": within}),
		schemaExclusion:  with(Schema{"after": place("the attempt has taken this step"), "before": place("and not yet this one")}),
		schemaDuration:   {"type": "string", "pattern": durationPattern, "description": "a length of time in s, m, h, d or w, such as 90s or 7d"},
	}
}

func filterSchema(refs string, filters Schema) Schema {
	words := make([]string, len(ops))
	for i, op := range ops {
		words[i] = string(op)
	}
	scalar := Schema{"type": []string{"string", "number", "boolean"}}
	leaf := object(Schema{
		"field": Schema{"type": "string", "minLength": 1, "description": "a column, or properties.<name>"},
		"op":    Schema{"type": "string", "enum": words},
		"value": Schema{"anyOf": []Schema{scalar, {"type": "array", "items": scalar, "maxItems": filterValuesMax}},
			"description": "a list with in and not_in, true or false with exists, else one value"},
	}, "field", "op", "value")
	return Schema{
		"description": "a condition on an event; lists of filters must all hold",
		"anyOf": []Schema{
			leaf, object(Schema{"or": filters}, "or"), object(Schema{"and": filters}, "and"),
			object(Schema{"not": reference(refs, schemaFilter)}, "not"),
		},
	}
}

func actorListSchema() Schema {
	step := Schema{"type": "integer", "minimum": 1, "maximum": stepsMax}
	return Schema{"type": "object", "properties": Schema{"reached": step, "dropped": step},
		"additionalProperties": false, "minProperties": 1, "maxProperties": 1}
}

func object(properties Schema, required ...string) Schema {
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func reference(refs, name string) Schema { return Schema{"$ref": refs + name} }

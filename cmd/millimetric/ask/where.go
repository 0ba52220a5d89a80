package ask

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// operators are those of the API's filters.
var operators = []string{"eq", "ne", "in", "not_in", "contains", "prefix", "exists", "gt", "gte", "lt", "lte"}

// filter is one filter as the API takes it.
type filter struct {
	Field string          `json:"field"`
	Op    string          `json:"op"`
	Value json.RawMessage `json:"value"`
}

// filtersOf joins a JSON list of filters with those spelt 'field op value'; "" where there are none.
func filtersOf(list string, where []string) (string, error) {
	if len(where) == 0 {
		return list, nil
	}
	var all []json.RawMessage
	if list != "" {
		if err := json.Unmarshal([]byte(list), &all); err != nil {
			return "", usage("--filters must be a JSON list: %w", err)
		}
	}
	for _, text := range where {
		f, err := parseWhere(text)
		if err != nil {
			return "", err
		}
		all = append(all, encode(f))
	}
	return string(encode(all)), nil
}

func parseWhere(text string) (filter, error) {
	field, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	op, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	value = strings.TrimSpace(value)
	if op == "exists" && value == "" {
		value = "true"
	}
	if !slices.Contains(operators, op) || value == "" {
		return filter{}, usage("--where %q isn't of the form 'field op value' with one of the ops %s", text, strings.Join(operators, ", "))
	}
	f := filter{Field: field, Op: op}
	switch {
	case op == "exists":
		if value != "true" && value != "false" {
			return filter{}, usage("--where %q: exists takes true or false", text)
		}
		f.Value = json.RawMessage(value)
	case op == "in" || op == "not_in":
		if strings.HasPrefix(value, "[") && json.Valid([]byte(value)) {
			f.Value = json.RawMessage(value)
			break
		}
		var items []json.RawMessage
		for item := range strings.SplitSeq(value, ",") {
			items = append(items, literal(field, strings.TrimSpace(item)))
		}
		f.Value = encode(items)
	default:
		f.Value = literal(field, value)
	}
	return f, nil
}

// literal spells a value in JSON. Columns hold text, so 42 is the text "42" there; a property may be
// a number or true or false, which is what such a value means, and quotes make it text.
func literal(field, value string) json.RawMessage {
	quoted := strings.HasPrefix(value, `"`)
	property := strings.HasPrefix(field, "properties.") && !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") && value != "null"
	if (quoted || property) && json.Valid([]byte(value)) {
		return json.RawMessage(value)
	}
	return encode(value)
}

func encode(value any) json.RawMessage {
	out, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%T has no JSON: %v", value, err))
	}
	return out
}

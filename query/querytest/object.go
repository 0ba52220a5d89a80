package querytest

import (
	"fmt"
	"strings"
)

// raw is text that is JSON already.
type raw string

// object writes a JSON object of names and values, in their order.
func object(namesAndValues ...any) string {
	var members []string
	for i := 0; i < len(namesAndValues); i += 2 {
		name := string(quoted(namesAndValues[i].(string)))
		members = append(members, name+":"+value(namesAndValues[i+1]))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return string(quoted(v))
	case raw:
		return string(v)
	}
	return fmt.Sprint(v)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func list(rows []string) string { return "[" + strings.Join(rows, ",") + "]" }

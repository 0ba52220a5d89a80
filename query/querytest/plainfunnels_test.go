package querytest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// TestModelAndPlainFunnelsAgree asks funnels of which the names of events say all, as most do: they are
// answered from the times and names alone.
func TestModelAndPlainFunnelsAgree(t *testing.T) {
	agree(t, 200, randomPlainFunnel, func(answer string) bool {
		first, _, _ := strings.Cut(answer, `"step_conversion"`)
		return !strings.Contains(first, `"actors":0`)
	})
}

func randomPlainFunnel(r *rand.Rand, events int) string {
	whole, _ := shared(r, events)
	steps := make([]string, 2+r.IntN(3))
	for i := range steps {
		steps[i] = fmt.Sprintf(`{"event":%q`, one(r, []string{"a", "b", "c", "d", "$pageview"}))
		if r.IntN(6) == 0 {
			steps[i] = `{"any_of":[{"event":"a"},{"event":"c"}]`
		}
		if i > 0 && r.IntN(4) == 0 {
			steps[i] += `,"within":"2h"`
		}
		steps[i] += "}"
	}
	params := url.Values{"from": whole["from"], "to": whole["to"], "steps": {"[" + strings.Join(steps, ",") + "]"}}
	for _, name := range []string{"include_bots", "as_of"} {
		if whole.Has(name) && r.IntN(2) == 0 {
			params[name] = whole[name]
		}
	}
	sometimes := func(name string, values ...string) {
		if r.IntN(2) == 0 {
			params.Set(name, one(r, values))
		}
	}
	sometimes("window", "30m", "1h", "1d", "2w", "120d")
	sometimes("breakdown", "first_touch.source", "first_touch.medium", "first_touch.campaign")
	sometimes("maturity", "mature", "all")
	sometimes("compare", "previous_period")
	if r.IntN(4) == 0 {
		params.Set("exclude", `[{"event":"e"}]`)
	}
	return "funnel?" + params.Encode()
}

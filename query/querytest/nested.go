package querytest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// funnelReply is the answer of a funnel.
type funnelReply struct {
	Steps  []funnelStep
	Groups []struct {
		Group json.RawMessage
		Steps []funnelStep
	}
	GroupsTotal int `json:"groups_total"`
	Other       struct{ Steps []funnelStep }
	Actors      []json.RawMessage
	ActorsTotal *int `json:"actors_total"`
}

type funnelStep struct {
	Name           string
	Actors         json.RawMessage
	Conversion     json.RawMessage
	StepConversion json.RawMessage            `json:"step_conversion"`
	DropOff        json.RawMessage            `json:"drop_off"`
	FromPrevious   map[string]json.RawMessage `json:"from_previous"`
	FromStart      map[string]json.RawMessage `json:"from_start"`
	Previous       *funnelStep
}

// flattened makes the rows of a table of an answer that isn't one: of a funnel the steps by group, or
// the list of actors if it has one; of a retention the cells by cohort. ok is false where the answer
// is neither.
func flattened(body string) (rows []json.RawMessage, ok bool, err error) {
	var kind struct{ Steps, Cohorts json.RawMessage }
	if err := json.Unmarshal([]byte(body), &kind); err != nil {
		return nil, false, err
	}
	switch {
	case kind.Steps != nil:
		rows, err = flatFunnel(body)
	case kind.Cohorts != nil:
		rows, err = flatRetention(body)
	default:
		return nil, false, nil
	}
	return rows, true, err
}

func flatFunnel(body string) ([]json.RawMessage, error) {
	var f funnelReply
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		return nil, err
	}
	rows := []json.RawMessage{}
	if f.ActorsTotal != nil {
		for _, actor := range f.Actors {
			text := string(actor)
			rows = append(rows, json.RawMessage(text[:len(text)-1]+`,"of":`+strconv.Itoa(*f.ActorsTotal)+"}"))
		}
		return rows, nil
	}
	if f.Groups == nil {
		return appendSteps(rows, f.Steps), nil
	}
	rows = appendSteps(rows, f.Steps, "group", "(all)")
	for _, g := range f.Groups {
		rows = appendSteps(rows, g.Steps, "group", raw(g.Group))
	}
	if f.Other.Steps != nil {
		rows = appendSteps(rows, f.Other.Steps, "group", fmt.Sprintf("(%d more)", f.GroupsTotal-len(f.Groups)))
	}
	return rows, nil
}

func appendSteps(rows []json.RawMessage, steps []funnelStep, before ...any) []json.RawMessage {
	for _, s := range steps {
		row := append(before[:len(before):len(before)], "step", s.Name, "actors", raw(s.Actors), "conversion", raw(s.Conversion),
			"step_conversion", raw(s.StepConversion), "drop_off", raw(s.DropOff))
		for _, sum := range []struct {
			name string
			of   map[string]json.RawMessage
		}{{"prev", s.FromPrevious}, {"start", s.FromStart}} {
			for _, which := range []string{"median", "p90", "mean"} {
				text := raw(`"-"`) // the first step has no times
				if value, ok := sum.of[which+"_s"]; ok {
					text = raw(value)
				}
				row = append(row, sum.name+"_"+which, text)
			}
		}
		if s.Previous != nil {
			row = append(row, "was", raw(s.Previous.Actors), "was_conversion", raw(s.Previous.Conversion))
		}
		rows = append(rows, json.RawMessage(object(row...)))
	}
	return rows
}

// flatCohort is one cohort of a retention.
type flatCohort struct {
	Cohort  json.RawMessage
	Size    int
	Periods []struct {
		K, Actors int
		Share     json.RawMessage
		Partial   bool
	}
	Previous *flatCohort
}

func flatRetention(body string) ([]json.RawMessage, error) {
	var r struct{ Cohorts []flatCohort }
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return nil, err
	}
	rows := []json.RawMessage{}
	for _, c := range r.Cohorts {
		for _, cell := range c.Periods {
			row := []any{"cohort", raw(c.Cohort), "size", c.Size, "k", cell.K, "actors", cell.Actors, "share", raw(cell.Share), "partial", cell.Partial}
			if c.Previous != nil {
				row = append(row, "was_cohort", raw(c.Previous.Cohort), "was_size", c.Previous.Size, "was_actors", c.Previous.Periods[cell.K].Actors)
			}
			rows = append(rows, json.RawMessage(object(row...)))
		}
	}
	return rows, nil
}

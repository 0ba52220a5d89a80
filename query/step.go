package query

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Step names some events: those of a name that meet filters, or those that any of several steps
// names. Funnels are made of steps; conversions, births, returns and anchors are steps.
type Step struct {
	Name    string // what answers call it; the event's name where none was given
	Event   string
	Filters []Filter // all must hold
	AnyOf   []Step   // in the place of Event and Filters
}

// anyOfMax bounds the steps of one any_of: each event meets all of them.
const anyOfMax = 32

// matcher compiles the step into a test of one event. The test is not safe for concurrent use.
func (s *Step) matcher() predicate {
	if len(s.AnyOf) == 0 {
		return compile(append([]Filter{nameFilter(s.Event)}, s.Filters...))
	}
	of := make([]predicate, len(s.AnyOf))
	for i := range s.AnyOf {
		of[i] = s.AnyOf[i].matcher()
	}
	return func(e *scanRow) bool {
		return slices.ContainsFunc(of, func(p predicate) bool { return p(e) })
	}
}

// nameFilter holds of the events of a name.
func nameFilter(name string) Filter {
	return Filter{Column: event.ColumnName, Op: OpEq, Values: []Literal{{Kind: LiteralText, Text: name}}}
}

// namesFilter holds of all events that the step may name, and is told by their names alone.
func (s *Step) namesFilter() Filter {
	f := Filter{Column: event.ColumnName, Op: OpIn, Values: []Literal{{Kind: LiteralText, Text: s.Event}}}
	if len(s.AnyOf) > 0 {
		f.Values = f.Values[:0]
		for i := range s.AnyOf {
			f.Values = append(f.Values, s.AnyOf[i].namesFilter().Values...)
		}
	}
	return f
}

// names tells whether some events of a name may be what the step names.
func (s *Step) names(name string) bool {
	if len(s.AnyOf) == 0 {
		return s.Event == name
	}
	return slices.ContainsFunc(s.AnyOf, func(one Step) bool { return one.Event == name })
}

// setting shows the step as it was understood, with what a kind of step has beside.
func (s *Step) setting(beside ...Member) Value {
	members := []Member{{"name", Text(s.Name)}}
	if len(s.AnyOf) == 0 {
		members = append(members, Member{"event", Text(s.Event)}, Member{"filters", filtersSetting(s.Filters)})
	} else {
		of := make([]Value, len(s.AnyOf))
		for i, one := range s.AnyOf {
			of[i] = Object(Member{"event", Text(one.Event)}, Member{"filters", filtersSetting(one.Filters)})
		}
		members = append(members, Member{"any_of", List(of)})
	}
	return Object(append(members, beside...)...)
}

// step reads the fields of a step; those that a kind of step has beside them are the caller's.
func (r *reader) step(c *Common) Step {
	var s Step
	s.Name, _ = r.text("name")
	_, several := r.take("any_of")
	if several {
		s.AnyOf = r.anyOf(c)
		for _, name := range []string{"event", "filters"} {
			if _, sent := r.take(name); sent {
				r.errs.Add(name, "Must not stand beside any_of")
			}
		}
		if s.Name == "" && len(s.AnyOf) > 0 {
			s.Name = s.AnyOf[0].Event
		}
		return s
	}
	var sent bool
	if s.Event, sent = r.text("event"); !sent && len(r.errs["event"]) == 0 {
		r.errs.Add("event", "Required")
	}
	if s.Name == "" {
		s.Name = s.Event
	}
	s.Filters, _ = r.filters("filters", c.Zone)
	return s
}

func (r *reader) anyOf(c *Common) []Step {
	var steps []Step
	r.each("any_of", 1, anyOfMax, func(n *reader) {
		var s Step
		var sent bool
		if s.Event, sent = n.text("event"); !sent && len(n.errs["event"]) == 0 {
			n.errs.Add("event", "Required")
		}
		s.Filters, _ = n.filters("filters", c.Zone)
		s.Name = s.Event
		steps = append(steps, s)
	})
	return steps
}

// each reads a list of least to most objects, field by field. In a URL the list is written as JSON.
func (r *reader) each(name string, least, most int, read func(*reader)) {
	value, sent := r.json(name)
	if !sent && least == 0 {
		return
	}
	elements, isList := elementsOf(value)
	switch {
	case !sent && len(r.errs[name]) == 0:
		r.errs.Add(name, "Required")
	case !sent: // what was sent is no JSON
	case !isList:
		r.errs.Add(name, "Expected a list")
	case len(elements) < least || len(elements) > most:
		r.errs.Add(name, "Must have "+strconv.Itoa(least)+" to "+strconv.Itoa(most)+" elements")
	default:
		for i, element := range elements {
			r.nested(name+"."+strconv.Itoa(i), element, read)
		}
	}
}

// object reads a field that is an object. It reports whether the field was sent.
func (r *reader) object(name string, read func(*reader)) bool {
	value, sent := r.json(name)
	if sent {
		r.nested(name, value, read)
	}
	return sent
}

// json takes a field as JSON; sent is false also where a parameter of a URL is no JSON.
func (r *reader) json(name string) (value jsontext.Value, sent bool) {
	f, ok := r.take(name)
	if !ok || f.json != nil {
		return f.json, ok
	}
	if value = jsontext.Value(f.text); !value.IsValid() {
		r.errs.Add(name, "Expected JSON")
		return nil, false
	}
	return value, true
}

// nested reads an object inside the form; what is wrong in it is reported under path.
func (r *reader) nested(path string, value jsontext.Value, read func(*reader)) {
	members, ok := membersOf(value)
	if !ok {
		r.errs.Add(path, "Expected an object")
		return
	}
	n := newReader(Form{fields: map[string]field{}})
	n.filtered = r.filtered
	for _, m := range members {
		if m.value.Kind() != jsontext.KindNull {
			n.form.fields[m.name] = field{json: m.value}
		}
	}
	read(n)
	n.addUnknown()
	for name, messages := range n.errs {
		r.errs[path+"."+name] = append(r.errs[path+"."+name], messages...)
	}
}

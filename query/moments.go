package query

import "millimetric/index/event"

// Moments lists the events, bots' included, of some milliseconds: what a project has already of what is
// carried into it.
type Moments struct {
	Common
	times map[event.Time]bool
}

// NewMoments asks for the events of these times; there must be one at least.
func NewMoments(times []event.Time) *Moments {
	m := &Moments{times: map[event.Time]bool{}}
	m.From, m.To, m.IncludeBots = times[0], times[0]+1, true
	for _, t := range times {
		m.From, m.To = min(m.From, t), max(m.To, t+1)
		m.times[t] = true
	}
	return m
}

func (m *Moments) after() event.Seq { return 0 }

func (m *Moments) looks(*run) ([]look, error) {
	return []look{{wants: conditionsOf(nil, nil), holds: func(e *scanRow) bool { return m.times[e.time] }}}, nil
}

package query

import "millimetric/index/event"

// Loss is why a replay may see less than what was there at its position.
type Loss string

// The losses.
const (
	LossErasure          Loss = "erasure"
	LossRetention        Loss = "retention"
	LossReclassification Loss = "reclassification"
)

// Losses is what a Source may offer beside: what has taken away, or changed, events with from <= Time < to
// since a position was committed, that were shown then. Where a source has none, replays are exact.
type Losses interface {
	Lost(position event.Seq, from, to event.Time) ([]Loss, error)
}

// reads notes that the answer depends on the events of a range, if there are any.
func (r *run) reads(from, to event.Time) {
	if from >= to {
		return
	}
	if r.readFrom >= r.readTo {
		r.readFrom, r.readTo = from, to
		return
	}
	r.readFrom, r.readTo = min(r.readFrom, from), max(r.readTo, to)
}

// losses says why a replay isn't exact; nil where it is.
func (r *run) losses() ([]Loss, error) {
	source, ok := r.source.(Losses)
	if !ok || !r.common.Replay || r.readFrom >= r.readTo {
		return nil, nil
	}
	return source.Lost(r.asOf, r.readFrom, r.readTo)
}

// appendReplay says that a replay isn't exact, and why.
func appendReplay(dst []byte, because []Loss) []byte {
	words := make([]string, len(because))
	for i, loss := range because {
		words[i] = string(loss)
	}
	return append(Texts(words).AppendJSON(append(dst, `,"replay":{"exact":false,"because":`...)), '}')
}

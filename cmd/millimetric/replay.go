package main

import (
	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/query"
)

// snapshot is a project as questions see it. Beside what the engine knows, it tells why a replay may see
// less than was there.
type snapshot struct {
	*engine.Snapshot
	past   engine.PastWindows
	retold event.Time // when the sources were last told anew
}

func (f *folder) snapshot(project event.Project) *snapshot {
	// A change is noted before it is made, so whoever sees the window that was set after the snapshot was
	// taken sees that, too: at worst a replay looks less exact than it is.
	taken := f.engine.Snapshot(project)
	ended, reach := f.book.PastWindows(project)
	return &snapshot{taken, engine.PastWindows{Ended: ended, Reach: reach}, f.book.Reclassified(project)}
}

// Lost is part of query.Losses.
func (s *snapshot) Lost(position event.Seq, from, to event.Time) ([]query.Loss, error) {
	erased, err := s.ErasureTook(position)
	if err != nil {
		return nil, err
	}
	took, err := s.RetentionTook(position, from, to, s.past)
	if err != nil {
		return nil, err
	}
	var losses []query.Loss
	if erased {
		losses = append(losses, query.LossErasure)
	}
	if took {
		losses = append(losses, query.LossRetention)
	}
	if s.retold != 0 && position > 0 {
		at, known, err := s.CommittedAt(position)
		if err != nil {
			return nil, err
		}
		if !known || at <= s.retold {
			losses = append(losses, query.LossReclassification)
		}
	}
	return losses, nil
}

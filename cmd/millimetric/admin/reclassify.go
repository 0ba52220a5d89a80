package admin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index"
	"millimetric/index/event"
	"millimetric/ingest"
)

// Reclassified says what telling the sources of a history anew changes.
type Reclassified struct {
	DryRun       bool        `json:"dry_run"`
	RulesVersion int         `json:"rules_version"`
	Before       int         `json:"rules_version_before"` // of the rules by which it was last told anew; 0 for never
	Events       int         `json:"events"`
	Changed      int         `json:"events_changed"` // confidence, rule and campaign included
	Changes      []Retelling `json:"changes"`        // by source and medium, the most frequent first
	ChangesTotal int         `json:"changes_total"`
}

// Retelling is how many events go from one source to another.
type Retelling struct {
	From   SourceMedium `json:"from"`
	To     SourceMedium `json:"to"`
	Events int          `json:"events"`
}

// SourceMedium is a source and its medium.
type SourceMedium struct {
	Source string `json:"source"`
	Medium string `json:"medium"`
}

// changesMax bounds the answer.
const changesMax = 1000

// ReclassifyProject tells the sources of a project's history anew, by today's rules and settings, or with dry_run
// says what that would change.
func (d *Door) ReclassifyProject(r *Request) error {
	p, f, err := d.projectAndBody(r)
	if err != nil {
		return err
	}
	dry := take[bool](f, "dry_run")
	if err := f.end(); err != nil {
		return err
	}
	if !d.working.TryLock() {
		return busy()
	}
	defer d.working.Unlock()
	report, err := d.retellings(p)
	if err != nil {
		return err
	}
	report.DryRun = dry != nil && *dry
	r.detail(map[string]any{"dry_run": report.DryRun, "rules_version": report.RulesVersion, "events_changed": report.Changed})
	if !report.DryRun {
		if err := d.reclassify(d.Running, p, report.Changed > 0); err != nil {
			return err
		}
	}
	return r.answer(fasthttp.StatusOK, report)
}

// retouchOf tells the sources of a project by its settings.
func retouchOf(p *auth.Project) index.Retouch {
	hosts := p.Settings.InternalHosts
	return func(url, referrer string, now index.Touch) index.Touch {
		return index.Touch(ingest.Reclassify(hosts, url, referrer, ingest.Touch(now)))
	}
}

// retellings counts what would change, of all events that there are now.
func (d *Door) retellings(p *auth.Project) (*Reclassified, error) {
	report := &Reclassified{RulesVersion: ingest.RulesVersion, Before: p.Settings.RulesVersion, Changes: []Retelling{}}
	counts := map[[2]SourceMedium]int{}
	count := func(now, then index.Touch) {
		report.Events++
		if now == then {
			return
		}
		report.Changed++
		counts[[2]SourceMedium{{now.Source, now.Medium}, {then.Source, then.Medium}}]++
	}
	snapshot, retouch := d.Engine.Snapshot(p.Number), retouchOf(p)
	defer snapshot.Release()
	for _, s := range snapshot.Segments(event.TimeMin, event.TimeMax+1) {
		if err := s.EachTouch(retouch, count); err != nil {
			return nil, err
		}
		if err := d.Running.Err(); err != nil {
			return nil, err
		}
	}
	err := snapshot.Live(event.TimeMin, event.TimeMax+1, func(e *event.Event, _ uint32) bool {
		now := index.Touch{Source: e.Source, Medium: e.Medium, Campaign: e.Campaign, Confidence: e.SourceConfidence, Rule: e.SourceRule}
		count(now, retouch(e.URL, e.Referrer, now))
		return true
	})
	for pair, n := range counts {
		if pair[0] != pair[1] {
			report.Changes = append(report.Changes, Retelling{pair[0], pair[1], n})
		}
	}
	slices.SortFunc(report.Changes, func(a, b Retelling) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.From.Source+"\x00"+a.From.Medium+"\x00"+a.To.Source+"\x00"+a.To.Medium, b.From.Source+"\x00"+b.From.Medium+"\x00"+b.To.Source+"\x00"+b.To.Medium))
	})
	report.ChangesTotal = len(report.Changes)
	report.Changes = report.Changes[:min(changesMax, len(report.Changes))]
	return report, err
}

// reclassify does the work. That it has begun is noted before it, and that it is done behind it: where the process
// ends in between, the next one does it all again, which changes nothing twice. Replays from before either
// moment aren't exact.
func (d *Door) reclassify(ctx context.Context, p *auth.Project, changes bool) error {
	note := func(under bool) error {
		fresh := d.Book.ProjectNamed(p.Account, p.ID, "")
		if fresh == nil {
			return notFound("No such project")
		}
		next := fresh.Settings
		next.RulesVersion, next.Reclassifying = ingest.RulesVersion, under
		if changes {
			next.Reclassified = event.TimeOf(d.Now())
		}
		ctx, cancel := context.WithTimeout(ctx, writeWait)
		defer cancel()
		_, err := d.Book.ChangeProject(ctx, p.Account, p.ID, auth.ProjectChange{Settings: &next})
		return err
	}
	if !changes {
		return note(false)
	}
	if err := note(true); err != nil {
		return err
	}
	if err := d.Engine.Reclassify(ctx, p.Number, retouchOf(p)); err != nil {
		return err
	}
	return note(false)
}

// ResumeReclassifying does what a process that ended left undone. It tries again until ctx ends.
func (d *Door) ResumeReclassifying(ctx context.Context, wait time.Duration, failed func(project string, err error)) {
	for {
		left := false
		for _, p := range d.Book.AllProjects() {
			if !p.Settings.Reclassifying {
				continue
			}
			d.working.Lock()
			err := d.reclassify(ctx, &p, true)
			d.working.Unlock()
			if err != nil && ctx.Err() == nil {
				failed(p.ID, err)
				left = true
			}
		}
		if !left {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

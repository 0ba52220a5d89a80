package admin

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/engine/backup"
)

// Backups are the backups of the store, as the door needs them.
type Backups interface {
	// Ship has the target take all that was done by now.
	Ship(ctx context.Context) error
	List(ctx context.Context) (BackupList, error)
	Make(ctx context.Context) (backup.Listed, error)
	// Verify reads a base and what it needs, or all where base is empty.
	Verify(ctx context.Context, base string) (*backup.Report, error)
	// Drill restores the newest position into a scratch folder and compares it with the store.
	Drill(ctx context.Context) (Drill, error)
}

// BackupList is what there is at the target, and how the backup is going.
type BackupList struct {
	Status backup.Status   `json:"status"`
	Rows   []backup.Listed `json:"rows"`
	Drill  *Drill          `json:"drill"` // the last one since the server was started
}

// Drill is what came of restoring a backup to see whether that can be done.
type Drill struct {
	OK       bool      `json:"ok"`
	At       time.Time `json:"at"`
	Took     float64   `json:"took_s"`
	Base     string    `json:"base"`
	Group    uint64    `json:"group"` // up to which it was restored
	Projects int       `json:"projects"`
	Events   uint64    `json:"events"` // that were compared
	Bytes    int64     `json:"bytes"`  // that were read
	Problems []string  `json:"problems"`
}

// BackupVerdict is what came of verifying a backup.
type BackupVerdict struct {
	OK bool `json:"ok"`
	*backup.Report
	Drill *Drill `json:"drill,omitempty"`
}

// allBackups stands for all that is at the target, where a base is named.
const allBackups = "all"

func (d *Door) backups() (Backups, error) {
	if d.Backups == nil {
		return nil, notFound("No backup is set up; see backup-to among the settings of the server")
	}
	return d.Backups, nil
}

// ListBackups lists the bases and says how the backup is going.
func (d *Door) ListBackups(r *Request) error {
	if err := params(r.HTTP).end(); err != nil {
		return err
	}
	b, err := d.backups()
	if err != nil {
		return err
	}
	ctx, cancel := d.writing()
	defer cancel()
	list, err := b.List(ctx)
	if err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, list)
}

// MakeBackup makes a base now, and answers once it is at the target.
func (d *Door) MakeBackup(r *Request) error {
	f, err := body(r.HTTP)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return err
	}
	b, err := d.backups()
	if err != nil {
		return err
	}
	made, err := b.Make(d.Running)
	if err != nil {
		return err
	}
	r.Note.Target = made.ID
	return r.answer(fasthttp.StatusCreated, made)
}

// VerifyBackup reads a base and what it needs, and restores it where a drill is asked for.
func (d *Door) VerifyBackup(r *Request) error {
	f, err := body(r.HTTP)
	if err != nil {
		return err
	}
	drill := take[bool](f, "drill")
	if err := f.end(); err != nil {
		return err
	}
	b, err := d.backups()
	if err != nil {
		return err
	}
	base := r.named("id")
	r.Note.Target = base
	if base == allBackups {
		base = ""
	}
	report, err := b.Verify(d.Running, base)
	if err != nil {
		return err
	}
	verdict := BackupVerdict{OK: report.OK(), Report: report}
	if drill != nil && *drill {
		done, err := b.Drill(d.Running)
		if err != nil {
			return err
		}
		verdict.Drill, verdict.OK = &done, verdict.OK && done.OK
	}
	r.detail(map[string]any{"ok": verdict.OK, "drill": verdict.Drill != nil, "problems": len(report.Problems)})
	return r.answer(fasthttp.StatusOK, verdict)
}

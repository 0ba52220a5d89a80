package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/record"
	"millimetric/engine"
	"millimetric/engine/backup"
	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// The settings of backups. Credentials for a bucket are in the environment, as other programs have them.
var (
	settingBackupTo       = setting{flag: "backup-to", help: "where backups go: a folder on another disk, or s3://BUCKET/PREFIX with credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; no backups are made where it is empty"}
	settingBackupEndpoint = setting{flag: "backup-endpoint", help: "address of the S3-compatible service, such as https://s3.example.com; that of AWS where it is empty"}
	settingBackupRegion   = setting{flag: "backup-region", help: "region of the bucket, where the service needs to be told"}
	settingBackupKeep     = setting{flag: "backup-keep-days", value: "35", help: "how many days back the store can be restored to"}
	settingBackupDrill    = setting{flag: "backup-drill-days", value: "7", help: "after how many days the newest backup is restored into a scratch folder and compared with the store; 0 for never"}

	targetSettings = []setting{settingBackupTo, settingBackupEndpoint, settingBackupRegion}
)

// backupTarget finds the target that the settings name; nil where they name none.
func backupTarget(values settings) (backup.Target, error) {
	to := values.one("backup-to")
	if to == "" {
		return nil, nil
	}
	place, isBucket := strings.CutPrefix(to, "s3://")
	if !isBucket {
		return backup.NewFolder(to)
	}
	bucket, prefix, _ := strings.Cut(place, "/")
	if _, err := url.Parse(values.one("backup-endpoint")); err != nil {
		return nil, usageError{fmt.Errorf("--backup-endpoint: %w", err)}
	}
	return backup.NewS3(backup.S3Options{
		Endpoint: values.one("backup-endpoint"), Region: values.one("backup-region"), Bucket: bucket, Prefix: prefix,
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	})
}

// backups are those of a running server, or of an offline command; nil where none are set up.
type backups struct {
	target   backup.Target
	queue    *backup.Queue
	keep     time.Duration
	every    time.Duration // between drills; 0 for none
	settings engine.Options
	folder   *folder
	log      *slog.Logger
	files    unchanged
	*backup.Backup

	drilling sync.Mutex // one drill at a time
	mu       sync.Mutex // guards last
	last     *admin.Drill
}

// newBackups reads the settings, and has the store tell of its commits.
func newBackups(values settings, store *engine.Options) (*backups, error) {
	target, err := backupTarget(values)
	if err != nil || target == nil {
		return nil, err
	}
	b := &backups{target: target, queue: backup.NewQueue(backup.QueueBytes, time.Now), settings: *store, files: unchanged{last: map[string]readFile{}}}
	keep, err := days(values, "backup-keep-days", 1)
	if err == nil {
		b.every, err = days(values, "backup-drill-days", 0)
	}
	b.keep = keep
	store.Committed = b.queue.Committed
	return b, err
}

// daysMax bounds settings that are given in days: more is as good as for ever.
const daysMax = 36_500

func days(values settings, name string, least int) (time.Duration, error) {
	n, err := strconv.Atoi(values.one(name))
	if err != nil || n < least || n > daysMax {
		return 0, usageError{fmt.Errorf("--%s: expected a number of days from %d to %d, not %q", name, least, daysMax, values.one(name))}
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

// attach joins backups and the folder that they are of. s, the server that tells of them, may be nil.
func (b *backups) attach(f *folder, s *server, log *slog.Logger) error {
	if b == nil {
		return nil
	}
	key, err := f.ring.BackupKey()
	if err != nil {
		return err
	}
	wrapped, err := backup.Wrap(f.root.key, key)
	if err != nil {
		return err
	}
	b.folder, b.log = f, log
	b.Backup, err = backup.New(backup.Options{
		Target: b.target, Engine: f.engine, Queue: b.queue, Key: key, Wrapped: wrapped, Kept: b.kept, Now: time.Now,
		Dir: f.dir, KeepFor: b.keep, Notify: func(n backup.Notice) {
			if n.Urgent {
				log.Warn(n.Text)
			} else {
				log.Info(n.Text)
			}
		},
	})
	if err != nil {
		return err
	}
	f.figures.WatchBackup(b.Status, b.lastDrill)
	if s != nil {
		s.admin.Backups, s.admin.Privacy.LastDrill = b, b.drilled
		s.forget.OldestBackup, s.forget.Ship = b.oldestBefore, b.Ship
	}
	return nil
}

// drilled is the last drill as the record of processing has it.
func (b *backups) drilled() *record.Drill {
	last := b.lastDrill()
	if last == nil {
		return nil
	}
	return &record.Drill{At: last.At, OK: last.OK}
}

// oldestBefore returns when the oldest base was made, nil where that wasn't before a time.
func (b *backups) oldestBefore(t time.Time) *time.Time {
	since := b.Status().Since
	if since.IsZero() || !since.Before(t) {
		return nil
	}
	return &since
}

// What is kept of a folder only as it is now.
const (
	keptKeyring = "keyring"
	keptWindows = "windows" // the retention windows of projects, in days, by their numbers
	keptLedger  = "ledger"  // of who was erased
)

// unchanged reads files anew only where they were replaced: a backup asks for them every second.
type unchanged struct {
	mu   sync.Mutex // guards what follows; files are read inside, which are small and seldom replaced
	last map[string]readFile
}

type readFile struct {
	facts os.FileInfo
	text  []byte
}

// read returns what a file holds. Files are replaced by others, never written in place.
func (u *unchanged) read(name string) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	facts, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	known, ok := u.last[name]
	if ok && os.SameFile(known.facts, facts) && known.facts.Size() == facts.Size() && known.facts.ModTime().Equal(facts.ModTime()) {
		return known.text, nil
	}
	text, err := os.ReadFile(name) // it may be newer than facts, and is then read once more
	if err == nil {
		u.last[name] = readFile{facts, text}
	}
	return text, err
}

// kept reads what a backup keeps only as it is now.
func (b *backups) kept() (map[string][]byte, error) {
	f := b.folder
	ring, err := b.files.read(filepath.Join(f.dir, keptKeyring))
	if err != nil {
		return nil, err
	}
	windows := map[event.Project]int{}
	for _, p := range f.book.AllProjects() {
		windows[p.Number] = f.engine.Retention(p.Number)
	}
	text, err := json.Marshal(windows)
	if err != nil {
		return nil, err
	}
	kept := map[string][]byte{keptKeyring: ring, keptWindows: text}
	erased, err := b.files.read(filepath.Join(f.dir, storeName, ledger.FileName))
	if err == nil {
		kept[keptLedger] = erased
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil // nobody was ever erased
	}
	return kept, err
}

// run copies, and drills when it is due, until ctx ends.
func (b *backups) run(ctx context.Context) {
	if b == nil {
		return
	}
	var drills sync.WaitGroup
	drills.Go(func() { b.drillDue(ctx) })
	b.Run(ctx)
	drills.Wait()
}

// drillLook is how often it is looked whether a drill is due.
const drillLook = time.Hour

// drillDue drills whenever the last drill in the audit log is older than it should be.
func (b *backups) drillDue(ctx context.Context) {
	if b.every == 0 {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(drillLook):
		}
		if b.Status().Base.IsZero() || !b.drillIsDue() {
			continue
		}
		if _, err := b.Drill(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("the newest backup could not be restored for a test; trying again in an hour", "cause", err)
		}
	}
}

func (b *backups) drillIsDue() bool {
	rows, _, err := b.folder.audit.Read(audit.Question{From: time.Now().Add(-b.every), Action: auditDrill, Limit: drillsLooked})
	return err == nil && !slices.ContainsFunc(rows, func(r audit.Row) bool {
		var e audit.Entry
		return json.Unmarshal(r.Entry, &e) == nil && e.Result == audit.ResultOK
	})
}

// drillsLooked is in how many drills one that went well is looked for: those that fail are tried again each hour.
const drillsLooked = 200

// auditDrill is the action under which the audit log has drills.
const auditDrill = "backup.drill"

func (b *backups) lastDrill() *admin.Drill {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// List is part of admin.Backups.
func (b *backups) List(ctx context.Context) (admin.BackupList, error) {
	list := admin.BackupList{Status: b.Status(), Rows: []backup.Listed{}, Drill: b.lastDrill()}
	if list.Status.Problem != "" {
		return list, nil // the target would be waited for
	}
	a, err := b.Archive(ctx)
	if err == nil {
		list.Rows = a.List()
	}
	list.Status = b.Status()
	return list, err
}

// Make is part of admin.Backups.
func (b *backups) Make(ctx context.Context) (backup.Listed, error) {
	made, err := b.Base(ctx)
	if err != nil {
		return backup.Listed{}, err
	}
	a, err := b.Archive(ctx)
	if err != nil {
		return backup.Listed{}, err
	}
	for _, l := range a.List() {
		if l.ID == made.ID {
			return l, nil
		}
	}
	return backup.Listed{}, fmt.Errorf("base %s was made and is gone", made.ID)
}

// Verify is part of admin.Backups.
func (b *backups) Verify(ctx context.Context, base string) (*backup.Report, error) {
	a, err := b.Archive(ctx)
	if err != nil {
		return nil, err
	}
	if base == newestBase {
		if list := a.List(); len(list) > 0 {
			base = list[0].ID
		}
	}
	return a.Verify(ctx, base)
}

// newestBase stands for the newest base, where one is named.
const newestBase = "newest"

// Drill is part of admin.Backups. A store from which somebody was erased during the drill differs from the
// backup of before: it is compared once more.
func (b *backups) Drill(ctx context.Context) (d admin.Drill, err error) {
	if !b.drilling.TryLock() {
		return d, &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, RetryIn: time.Minute, Notes: []string{"A backup is being restored for a test already"}}
	}
	defer b.drilling.Unlock()
	for range 2 {
		if d, err = b.drillOnce(ctx); err != nil || d.OK {
			break
		}
	}
	result := audit.ResultOK
	if err != nil {
		d = admin.Drill{At: time.Now().UTC(), Problems: []string{err.Error()}}
	}
	if !d.OK {
		result = "failed"
	}
	b.mu.Lock()
	b.last = &d
	b.mu.Unlock()
	detail, _ := json.Marshal(map[string]any{"ok": d.OK, "group": d.Group, "events": d.Events, "problems": len(d.Problems)})
	note := audit.Entry{Action: auditDrill, Actor: audit.ActorOffline, Target: d.Base, Detail: detail, Result: result}
	if accounts := b.folder.book.Accounts(); len(accounts) > 0 {
		note.Account = accounts[0].ID
	}
	return d, errors.Join(err, b.folder.audit.Append(context.WithoutCancel(ctx), note))
}

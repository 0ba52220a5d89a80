package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/engine"
	"millimetric/index/event"
)

// Footprint is what a store takes, as the door and the command line show it.
type Footprint struct {
	Events        uint64  `json:"events"` // that are kept
	Live          Part    `json:"live"`   // events that are in no segment yet, and the memory that they take
	Sealed        uint64  `json:"sealed"` // events in segments
	Segments      Part    `json:"segments"`
	Bytes         uint64  `json:"bytes"` // on disk: log and parts
	BytesPerEvent float64 `json:"bytes_per_event"`
	Parts         []Part  `json:"parts"`
	Disk          uint64  `json:"disk"` // of all files of the store; what isn't deleted yet included
	Memory        struct {
		Limit    uint64 `json:"limit"`    // what the store was given
		Resident uint64 `json:"resident"` // of the process
		Parts    []Part `json:"parts"`
	} `json:"memory"`
}

// Part is one part of a footprint.
type Part struct {
	Name          string   `json:"part,omitempty"`
	Count         *uint64  `json:"count,omitempty"`
	Bytes         uint64   `json:"bytes"`
	BytesPerEvent *float64 `json:"bytes_per_event,omitempty"` // only on disk
}

// processMemory is the engine's name for all that the process has.
const processMemory = "process"

// FootprintOf puts what the engine says in order: the largest part first.
func FootprintOf(f engine.Footprint) Footprint {
	groups := f.Log.Count
	out := Footprint{Events: f.Events, Sealed: f.Sealed, Bytes: f.Bytes(), Disk: f.Disk, BytesPerEvent: per(f.Bytes(), f.Events),
		Live: Part{Count: &f.Live.Count, Bytes: f.Live.Bytes}, Segments: Part{Count: &f.Segments.Count, Bytes: f.Segments.Bytes}}
	for _, name := range slices.Sorted(maps.Keys(f.Parts)) {
		share := per(f.Parts[name], f.Events)
		out.Parts = append(out.Parts, Part{Name: name, Bytes: f.Parts[name], BytesPerEvent: &share})
	}
	share := per(f.Log.Bytes, f.Events)
	out.Parts = append(out.Parts, Part{Name: "log", Count: &groups, Bytes: f.Log.Bytes, BytesPerEvent: &share})
	out.Memory.Limit, out.Memory.Resident = f.MemoryMost, f.Memory[processMemory]
	for _, name := range slices.Sorted(maps.Keys(f.Memory)) {
		if name != processMemory {
			out.Memory.Parts = append(out.Memory.Parts, Part{Name: name, Bytes: f.Memory[name]})
		}
	}
	for _, parts := range [][]Part{out.Parts, out.Memory.Parts} {
		slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	return out
}

func per(bytes, events uint64) float64 {
	if events == 0 {
		return 0
	}
	return float64(int64(float64(bytes)/float64(events)*1000+0.5)) / 1000
}

// ReadFootprint says what the account's projects take, or one of them. Log, disk and memory are those of
// the whole server in any case.
func (d *Door) ReadFootprint(r *Request) error {
	f := params(r.HTTP)
	id, slug := f.text("project_id"), f.text("project_slug")
	if err := f.end(); err != nil {
		return err
	}
	if id != "" || slug != "" {
		p := d.Book.ProjectNamed(r.Grant.Account, id, slug)
		if p == nil {
			return d.Book.NoProject(cmp.Or(id, slug))
		}
		return r.answer(fasthttp.StatusOK, FootprintOf(d.Engine.Footprint(p.Number)))
	}
	if len(d.Book.Accounts()) == 1 && len(d.Book.Lost()) == 0 {
		return r.answer(fasthttp.StatusOK, FootprintOf(d.Engine.Footprint(0)))
	}
	return r.answer(fasthttp.StatusOK, FootprintOf(d.sum(r.Grant.Account)))
}

// sum adds up the projects of an account, where there are others that it may not know of.
func (d *Door) sum(account string) engine.Footprint {
	const none = ^event.Project(0) // nobody's number: all that is no project's own
	total := d.Engine.Footprint(none)
	for _, p := range d.Book.Projects(account) {
		f := d.Engine.Footprint(p.Number)
		total.Events += f.Events
		total.Sealed += f.Sealed
		total.Live.Count += f.Live.Count
		total.Segments.Count += f.Segments.Count
		total.Segments.Bytes += f.Segments.Bytes
		for part, bytes := range f.Parts {
			total.Parts[part] += bytes
		}
	}
	return total
}

// Compact seals all live events and merges all that can be merged, and answers once that is done.
func (d *Door) Compact(r *Request) error {
	if err := d.alone(r); err != nil {
		return err
	}
	defer d.working.Unlock()
	began := d.Now()
	if err := d.Engine.Compact(d.Running); err != nil {
		return err
	}
	return r.answer(fasthttp.StatusOK, map[string]any{"ok": true, "took_s": d.Now().Sub(began).Seconds()})
}

// alone begins work on the whole store, of which there may be one at a time.
func (d *Door) alone(r *Request) error {
	f, err := body(r.HTTP)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return err
	}
	if !d.working.TryLock() {
		return busy()
	}
	return nil
}

func busy() error {
	return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, RetryIn: 10 * time.Second,
		Notes: []string{"The store is being compacted or checked, or a project destroyed"}}
}

// Checked is what a check found.
type Checked struct {
	OK       bool     `json:"ok"`
	Groups   uint64   `json:"groups"` // of the log
	Events   uint64   `json:"events"`
	Segments int      `json:"segments"`
	Runs     int      `json:"runs"` // of ids, visitors and commit times
	Projects int      `json:"projects"`
	Records  uint64   `json:"records"`
	Bytes    uint64   `json:"bytes"`           // that were read and decrypted
	Audit    uint64   `json:"audit,omitempty"` // entries of the audit log, where it was read, too
	Problems []string `json:"problems"`
}

// CheckedOf joins what the engine and the audit log say.
func CheckedOf(report engine.Report, log audit.Verdict) Checked {
	problems := append([]string{}, report.Problems...)
	for _, problem := range log.Problems {
		problems = append(problems, "audit log: "+problem)
	}
	return Checked{OK: len(problems) == 0, Groups: report.Groups, Events: report.Events, Segments: report.Segments, Runs: report.Runs,
		Projects: report.Projects, Records: report.Records, Bytes: report.Bytes, Audit: log.Entries, Problems: problems}
}

// Check reads and verifies the whole store beside requests.
func (d *Door) Check(r *Request) error {
	if err := d.alone(r); err != nil {
		return err
	}
	defer d.working.Unlock()
	report, err := d.Engine.Verify()
	if err != nil {
		return err
	}
	log, err := d.Audit.Verify(nil)
	if err != nil {
		return err
	}
	checked := CheckedOf(report, log)
	r.detail(map[string]any{"ok": checked.OK, "problems": len(checked.Problems)})
	return r.answer(fasthttp.StatusOK, checked)
}

package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"millimetric/index/event"
	"millimetric/query"
)

// An export into a folder lies there as
//
//	_export.json                                       what is exported, and up to which position
//	dt=2026-05-01/part-000000000001-000000000420.parquet
//
// with a part for each UTC day that has events. The numbers are positions of the project's log: the part
// has what came between them. Running the same export again adds parts with what came since, so no event
// is in two of them; a run that was interrupted goes on up to the position that it began with, and makes
// the same parts.
type folder struct {
	dir   string
	state folderState
	day   string // of the part that is written
	file  *replacement
	rows  encoder
	parts int
	held  []*event.Event
}

// folderState is what _export.json says.
type folderState struct {
	Format  int               `json:"format"`
	What    map[string]string `json:"what"` // the parameters of the export, and the server
	Since   event.Seq         `json:"since,string"`
	AsOf    event.Seq         `json:"as_of,string"`
	Whole   bool              `json:"whole"` // all of (since, as_of] is there
	Version string            `json:"written_by"`
}

const (
	stateName   = "_export.json"
	stateFormat = 1
)

// openFolder opens a folder for an export of what, and says from which position it goes on and up to which;
// asOf is 0 where that is open.
func openFolder(dir string, what map[string]string) (f *folder, since, asOf event.Seq, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, 0, err
	}
	f = &folder{dir: dir, state: folderState{Format: stateFormat, What: what, Version: "millimetric"}}
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return f, 0, 0, nil
	}
	var known folderState
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	switch {
	case err != nil:
		return nil, 0, 0, fmt.Errorf("read %s: %w", filepath.Join(dir, stateName), err)
	case known.Format != stateFormat:
		return nil, 0, 0, fmt.Errorf("%s has format %d, this program knows %d", filepath.Join(dir, stateName), known.Format, stateFormat)
	case fmt.Sprint(known.What) != fmt.Sprint(what):
		return nil, 0, 0, usage("%s holds an export of something else (%v); name another folder", dir, known.What)
	case known.Whole:
		return f, known.AsOf, 0, nil
	}
	return f, known.Since, known.AsOf, nil
}

// begin notes what is about to be written, so that an interrupted run goes on the same way.
func (f *folder) begin(since, asOf event.Seq) error {
	if f.state.AsOf == asOf && asOf != 0 {
		return nil // the connection was cut, and the same answer goes on
	}
	f.state.Since, f.state.AsOf = since, asOf
	return f.note()
}

func (f *folder) note() error {
	text, err := json.MarshalIndent(f.state, "", " ")
	if err != nil {
		return err
	}
	out, err := replace(filepath.Join(f.dir, stateName))
	if err != nil {
		return err
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return errors.Join(err, out.discard())
	}
	return out.commit()
}

// add adds the next row. Rows come in the order of their times, so that one day is written at a time.
func (f *folder) add(r *Row) error {
	e := r.event()
	if day := e.Time.Std().Format("2006-01-02"); day != f.day {
		if err := f.finishDay(); err != nil {
			return err
		}
		if err := f.beginDay(day); err != nil {
			return err
		}
	}
	f.held = append(f.held, &e)
	if len(f.held) < batchEvents {
		return nil
	}
	return f.flush()
}

func (f *folder) flush() error {
	err := f.rows.write(f.held)
	clear(f.held)
	f.held = f.held[:0]
	return err
}

func (f *folder) beginDay(day string) error {
	dir := filepath.Join(f.dir, "dt="+day)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("part-%012d-%012d.parquet", f.state.Since+1, f.state.AsOf)
	file, err := replace(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	f.day, f.file, f.rows = day, file, newEncoder(query.FormatParquet, file)
	return nil
}

func (f *folder) finishDay() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	if err := errors.Join(f.flush(), f.rows.end()); err != nil {
		return errors.Join(err, file.discard())
	}
	f.parts++
	return file.commit()
}

// finish completes the last part, and notes that all is there.
func (f *folder) finish() error {
	if err := f.finishDay(); err != nil {
		return err
	}
	f.state.Whole = true
	return f.note()
}

// abandon drops the part that isn't whole.
func (f *folder) abandon() error {
	if f.file == nil {
		return nil
	}
	return f.file.discard()
}

// replacement is a file that takes its name only when it is whole and on disk.
type replacement struct {
	*os.File
	name string
}

// replace begins to write a file. Nobody but its owner may read it: it is about people.
func replace(name string) (*replacement, error) {
	file, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &replacement{file, name}, nil
}

func (r *replacement) commit() error {
	if err := errors.Join(r.Sync(), r.Close()); err != nil {
		return errors.Join(err, os.Remove(r.name+".tmp"))
	}
	if err := os.Rename(r.name+".tmp", r.name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.name))
}

func (r *replacement) discard() error { return errors.Join(r.Close(), os.Remove(r.name+".tmp")) }

// syncDir makes a new name in a folder durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

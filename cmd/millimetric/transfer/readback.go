package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// rowReader gives the rows of an exported file in their order.
type rowReader interface {
	// next sets row to the next one; io.EOF after the last.
	next(row *Row) error
	close() error
}

// partsMax bounds how many files of one day are merged: each is open, with a page of every column.
const partsMax = 256

// filesOf lists the exported files at some paths: groups of files that are to be merged, in the order in
// which they are read. Files below a folder dt=… belong together, as an export by day writes them.
func filesOf(paths []string) (groups [][]string, err error) {
	for _, path := range paths {
		facts, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !facts.IsDir() {
			groups = append(groups, []string{path})
			continue
		}
		byDay := map[string][]string{}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".parquet") {
				byDay[filepath.Dir(name)] = append(byDay[filepath.Dir(name)], name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		days := make([]string, 0, len(byDay))
		for day := range byDay {
			days = append(days, day)
		}
		slices.Sort(days)
		for _, day := range days {
			if len(byDay[day]) > partsMax {
				return nil, fmt.Errorf("%s has %d parts; at most %d can be read side by side: export into a new folder", day, len(byDay[day]), partsMax)
			}
			groups = append(groups, byDay[day])
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("there is no exported file")
	}
	return groups, nil
}

// sizeOf is the length of all files of some groups.
func sizeOf(groups [][]string) (bytes int64, err error) {
	for _, names := range groups {
		for _, name := range names {
			facts, err := os.Stat(name)
			if err != nil {
				return 0, err
			}
			bytes += facts.Size()
		}
	}
	return bytes, nil
}

// openRows opens a file by its content: Parquet, or lines of JSON, gzipped or not. done is told how many bytes of
// the file are done with, as reading goes on.
func openRows(name string, done func(int64)) (rowReader, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	n, err := file.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, file.Close())
	}
	var rows rowReader
	switch {
	case string(magic[:n]) == "PAR1":
		rows, err = openParquet(file, done)
	case n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(toldReader{file, done}); err == nil {
			rows = newLineRows(file, unpacked)
		}
	default:
		rows, err = newLineRows(file, toldReader{file, done}), nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), file.Close())
	}
	return rows, nil
}

// toldReader tells what is read of a file.
type toldReader struct {
	in   io.Reader
	done func(int64)
}

func (r toldReader) Read(buf []byte) (int, error) {
	n, err := r.in.Read(buf)
	r.done(int64(n))
	return n, err
}

// lineRows reads lines of JSON.
type lineRows struct {
	file   *os.File
	lines  *bufio.Scanner
	number int
}

func newLineRows(file *os.File, text io.Reader) *lineRows {
	l := &lineRows{file: file, lines: bufio.NewScanner(text)}
	l.lines.Buffer(nil, lineMax)
	return l
}

func (l *lineRows) next(row *Row) error {
	for l.lines.Scan() {
		l.number++
		if len(bytes.TrimSpace(l.lines.Bytes())) == 0 {
			continue
		}
		if _, err := parseLine(l.lines.Bytes(), row); err != nil {
			return fmt.Errorf("%s, line %d: %w", l.file.Name(), l.number, err)
		}
		return nil
	}
	if err := l.lines.Err(); err != nil {
		return fmt.Errorf("%s, after line %d: %w", l.file.Name(), l.number, err)
	}
	return io.EOF
}

func (l *lineRows) close() error { return l.file.Close() }

// parquetRows reads a Parquet file.
type parquetRows struct {
	file *os.File
	rows *parquet.GenericReader[Row]
	held []Row
	at   int
	end  bool

	size, told int64 // bytes of the file, and those that done was told of
	read       int64 // rows
	done       func(int64)
}

const parquetRowsHeld = 512

func openParquet(file *os.File, done func(int64)) (rows *parquetRows, err error) {
	// The library panics over some damage, of files that anybody may have made.
	defer recovered(&err)
	facts, err := file.Stat()
	if err != nil {
		return nil, err
	}
	opened, err := parquet.OpenFile(file, facts.Size())
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if _, ok := opened.Schema().Lookup(c.name); !ok {
			return nil, fmt.Errorf("no column %s: that is no export of a project", c.name)
		}
	}
	return &parquetRows{file: file, rows: parquet.NewGenericReader[Row](opened), size: facts.Size(), done: done}, nil
}

func (p *parquetRows) next(row *Row) (err error) {
	defer recovered(&err)
	if p.at == len(p.held) {
		if p.end {
			return io.EOF
		}
		p.held = make([]Row, parquetRowsHeld) // a new one: texts of earlier rows may still be in use
		n, err := p.rows.Read(p.held)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", p.file.Name(), err)
		}
		p.held, p.at, p.end = p.held[:n], 0, err != nil
		p.tell(n)
		if n == 0 {
			p.end = true
			return io.EOF
		}
	}
	*row = p.held[p.at]
	p.at++
	return nil
}

// tell tells of rows that were read: as if all of them took the same room in the file.
func (p *parquetRows) tell(rows int) {
	p.read += int64(rows)
	share := float64(p.read) / float64(max(p.rows.NumRows(), 1))
	so := int64(share * float64(p.size))
	p.done(so - p.told)
	p.told = so
}

func (p *parquetRows) close() (err error) {
	defer recovered(&err)
	return errors.Join(p.rows.Close(), p.file.Close())
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = errors.Join(*err, fmt.Errorf("the file is damaged: %v", r))
	}
}

// merged reads several files side by side.
type merged struct {
	from []rowReader
	rows []Row // the next of each
	more []bool
}

func openMerged(names []string, done func(int64)) (*merged, error) {
	m := &merged{}
	for _, name := range names {
		rows, err := openRows(name, done)
		if err != nil {
			return nil, errors.Join(err, m.close())
		}
		m.from, m.rows, m.more = append(m.from, rows), append(m.rows, Row{}), append(m.more, false)
		if err := m.advance(len(m.from) - 1); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

// advance reads the next row of a file.
func (m *merged) advance(i int) error {
	err := m.from[i].next(&m.rows[i])
	m.more[i] = err == nil
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (m *merged) next(row *Row) error {
	first := -1
	for i := range m.rows {
		if m.more[i] && (first < 0 || m.rows[i].before(&m.rows[first])) {
			first = i
		}
	}
	if first < 0 {
		return io.EOF
	}
	*row = m.rows[first]
	return m.advance(first)
}

func (r *Row) before(o *Row) bool {
	return r.Timestamp < o.Timestamp || r.Timestamp == o.Timestamp && r.Seq < o.Seq
}

func (m *merged) close() (err error) {
	for _, rows := range m.from {
		err = errors.Join(err, rows.close())
	}
	return err
}

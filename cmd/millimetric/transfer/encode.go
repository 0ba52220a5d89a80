package transfer

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"millimetric/index/event"
	"millimetric/query"
)

// encoder writes events in one form.
type encoder interface {
	write(events []*event.Event) error
	// end completes what was written; nothing can be written after.
	end() error
}

// newEncoder returns an encoder that writes to w, for one of the forms of an export.
func newEncoder(format query.Format, w io.Writer) encoder {
	switch format {
	case query.FormatCSV:
		return &csvEncoder{w: csv.NewWriter(w)}
	case query.FormatParquet:
		return newParquetEncoder(w)
	}
	return &lineEncoder{w: w}
}

// lineEncoder writes an object of JSON a line.
type lineEncoder struct {
	w    io.Writer
	line []byte
}

func (l *lineEncoder) write(events []*event.Event) error {
	l.line = l.line[:0]
	for _, e := range events {
		r := rowOf(e)
		l.line = append(appendRow(append(l.line, '{'), &r), "}\n"...)
	}
	_, err := l.w.Write(l.line)
	return err
}

func (l *lineEncoder) end() error { return nil }

// appendRow appends the members of a row.
func appendRow(dst []byte, r *Row) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), c.name...), `":`...)
		switch c.kind {
		case kindText:
			dst = query.Text(*c.field(r)).AppendJSON(dst)
		case kindMaybe:
			dst = query.TextOrNull(*c.field(r)).AppendJSON(dst)
		case kindTime:
			dst = append(append(append(dst, '"'), timeText(event.Time(r.Timestamp))...), '"')
		case kindFlag:
			dst = strconv.AppendBool(dst, r.SessionDerived)
		case kindSeq:
			dst = strconv.AppendUint(dst, r.Seq, 10)
		}
	}
	return dst
}

// csvEncoder writes CSV below a line of names.
type csvEncoder struct {
	w     *csv.Writer
	begun bool
}

func (c *csvEncoder) write(events []*event.Event) error {
	if err := c.begin(nil); err != nil {
		return err
	}
	for _, e := range events {
		if err := c.w.Write(cellsOf(e)); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	c.w.Flush()
	return c.w.Error()
}

// begin writes the names, those of a few columns more in front.
func (c *csvEncoder) begin(before []string) error {
	if c.begun {
		return nil
	}
	c.begun = true
	for _, column := range columns {
		before = append(before, column.name)
	}
	return c.w.Write(before)
}

func cellsOf(e *event.Event) []string {
	r := rowOf(e)
	cells := make([]string, len(columns))
	for i, column := range columns {
		switch column.kind {
		case kindTime:
			cells[i] = timeText(e.Time)
		case kindFlag:
			cells[i] = strconv.FormatBool(e.SessionDerived)
		case kindSeq:
			cells[i] = strconv.FormatUint(uint64(e.Seq), 10)
		default:
			cells[i] = harmless(*column.field(&r))
		}
	}
	return cells
}

func (c *csvEncoder) end() error {
	if err := c.begin(nil); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// harmless keeps spreadsheets from taking text that strangers sent for a formula.
func harmless(text string) string {
	if text != "" && bytes.IndexByte([]byte("=+-@\t\r\n"), text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// parquetEncoder writes a Parquet file, a row group for each batch: no more than one is held.
type parquetEncoder struct {
	w    *parquet.GenericWriter[Row]
	rows []Row
}

// pageBytes is how much of a column one page holds. Readers unpack whole pages.
const pageBytes = 256 << 10

func newParquetEncoder(w io.Writer) *parquetEncoder {
	return &parquetEncoder{w: parquet.NewGenericWriter[Row](w,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault, Concurrency: 1}),
		parquet.PageBufferSize(pageBytes), parquet.CreatedBy("millimetric", "", ""))}
}

func (p *parquetEncoder) write(events []*event.Event) error {
	p.rows = p.rows[:0]
	for _, e := range events {
		p.rows = append(p.rows, rowOf(e))
	}
	if _, err := p.w.Write(p.rows); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	clear(p.rows)
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (p *parquetEncoder) end() error {
	if err := p.w.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

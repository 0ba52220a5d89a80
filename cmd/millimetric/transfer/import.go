package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"millimetric/cmd/millimetric/progress"
)

// Import is what an import of exported files is told.
type Import struct {
	Server, Project string
	Paths           []string // files, and folders of Parquet files
	JSON            bool     // print the summary as JSON
	// Progress is where the import shows how far it is, where that is a terminal; nil shows nothing.
	Progress io.Writer
}

// Sum is what an import came to.
type Sum struct {
	Rows     int  `json:"rows"`
	Taken    int  `json:"taken"`
	Known    int  `json:"known"`
	TooOld   int  `json:"too_old"`
	Complete bool `json:"complete"`
}

// bodyBytes is about how large a request is.
const bodyBytes = 2 << 20

// Run sends the rows of the files, and prints what became of them, of an import that was stopped too.
func (i Import) Run(ctx context.Context, out io.Writer) error {
	c, err := newClient(i.Server)
	if err != nil {
		return err
	}
	groups, err := filesOf(i.Paths)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	size, err := sizeOf(groups)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	s := &sender{client: c, project: i.Project, bar: progress.New(i.Progress, size)}
	for _, names := range groups {
		if err = s.group(ctx, names); err != nil {
			break
		}
	}
	if err == nil {
		err = s.flush(ctx)
	}
	s.bar.Finish(err == nil)
	s.sum.Complete = err == nil
	if ctx.Err() != nil {
		err = errors.New("interrupted; the same command goes on where this one stopped")
	}
	if failed := s.sum.print(out, i.JSON); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

func (s *Sum) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	_, err := fmt.Fprintf(out, "%d rows: %d taken, %d the project had, %d older than it keeps\n", s.Rows, s.Taken, s.Known, s.TooOld)
	return err
}

// sender sends rows in requests of a good size. What it holds of the rows is those of one request, and a
// hash of each of the millisecond at hand.
type sender struct {
	client  *client
	project string
	bar     *progress.Bar // of the bytes of the files
	body    []byte
	rows    int // in body
	sum     Sum
	now     int64 // the millisecond at hand
	equal   map[[16]byte]int
	met     map[[16]byte]bool // with their positions
}

// group sends the rows of files that are read side by side.
func (s *sender) group(ctx context.Context, names []string) (err error) {
	rows, err := openMerged(names, s.bar.Add)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	s.now = -1
	for {
		var row Row
		err := rows.next(&row)
		if errors.Is(err, io.EOF) {
			return s.flush(ctx) // rows of the next files may lie before these
		}
		if err == nil {
			err = s.add(ctx, &row)
		}
		if err != nil {
			return err
		}
	}
}

func (s *sender) add(ctx context.Context, row *Row) error {
	if row.Timestamp < s.now {
		return fmt.Errorf("row %d lies before the one before it: rows must stand in the order in which they were exported", s.sum.Rows+1)
	}
	s.sum.Rows++
	if row.Timestamp > s.now {
		s.now, s.equal, s.met = row.Timestamp, map[[16]byte]int{}, map[[16]byte]bool{}
	}
	if whole := row.hash(); s.met[whole] {
		s.sum.Known++ // two exports overlap
		return nil
	} else {
		s.met[whole] = true
	}
	bare := placeless(*row)
	same := bare.hash()
	start := len(s.body)
	s.body = appendRow(append(s.body, '{'), row)
	if copies := s.equal[same]; copies > 0 {
		s.body = strconv.AppendInt(append(s.body, `,"`+memberCopy+`":`...), int64(copies), 10)
	}
	s.equal[same]++
	s.body = append(s.body, "}\n"...)
	s.rows++
	if s.rows == importRowsMax || len(s.body) >= bodyBytes && start > 0 {
		return s.flush(ctx)
	}
	return nil
}

// hash is of all columns of a row.
func (r *Row) hash() (key [16]byte) {
	digest := sha256.Sum256(appendRow(nil, r))
	return [16]byte(digest[:16])
}

func (s *sender) flush(ctx context.Context) error {
	if s.rows == 0 {
		return nil
	}
	sum, err := s.client.send(ctx, s.project, s.body)
	if err != nil {
		return err
	}
	s.sum.Taken += sum.Taken
	s.sum.Known += sum.Known
	s.sum.TooOld += sum.TooOld
	s.body, s.rows = s.body[:0], 0
	if s.bar.Shows() {
		s.bar.Note(fmt.Sprintf("%d rows, %d taken", s.sum.Rows, s.sum.Taken))
	}
	return nil
}

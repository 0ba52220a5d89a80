package query

import "millimetric/index"

// sealed is a segment as one question reads it. What it has opened once it keeps until the question is
// answered: its visitors and dictionaries, not its columns.
type sealed struct {
	run       *run
	number    int // in the order in which they were met
	original  *index.Segment
	segment   *index.Segment // the same, watched
	used      bool           // rows of it were looked at
	runs      *index.Runs
	texts     *[columnCount]texts               // nil before one is opened: most questions open none of most segments
	tables    [columnCount - colSource][]uint32 // of the columns that say where a visit came from: their codes by touch
	visitors  *index.Dict
	sessions  *index.SessionIDs
	ids       *index.EventIDs
	reader    *index.Reader
	restPiece int                        // that was read last; -1 before
	sections  []int32                    // the bytes of those that were read, by id
	fetched   map[index.SectionID][]byte // ahead of those who ask for them
}

// openedBy returns the segment as a worker reads it: to a helper, with what doesn't change of what was opened here.
func (s *sealed) openedBy(r *run) *sealed {
	own := r.open(s.original)
	if own == s {
		return s
	}
	own.runs, own.tables = s.runs, s.tables
	return own
}

// texts are the texts of a column by code, as far as they were asked for.
type texts struct {
	dict  *index.Dict
	known []bool
	list  []string
}

func (t *texts) at(code uint32) (string, error) {
	if int(code) < len(t.known) && t.known[code] {
		return t.list[code], nil
	}
	text, err := t.dict.At(code)
	if err != nil {
		return "", err
	}
	if t.list == nil {
		t.list, t.known = make([]string, t.dict.Len()), make([]bool, t.dict.Len())
	}
	t.list[code], t.known[code] = text, true
	return text, nil
}

func (s *sealed) column(c column) *texts {
	if s.texts == nil {
		s.texts = &[columnCount]texts{}
	}
	t := &s.texts[c]
	if t.dict == nil {
		t.dict = s.segment.Dict(columnNames[c])
	}
	return t
}

// events returns the reader of whole events.
func (s *sealed) events() (*index.Reader, error) {
	if s.reader != nil {
		return s.reader, nil
	}
	reader, err := s.segment.Reader()
	if err == nil {
		s.reader = reader
	}
	return reader, err
}

// openRuns reads the visitors of the segment.
func (s *sealed) openRuns() (err error) {
	if s.runs != nil {
		return nil
	}
	if s.runs, err = s.segment.Runs(); err == nil {
		s.run.viewRoom().lend(4 * int64(len(s.runs.Ordinals)+len(s.runs.Starts)))
	}
	return err
}

// table returns the codes that a column from colSource on has, by touch.
func (s *sealed) table(c column) ([]uint32, error) {
	known := &s.tables[c-colSource]
	if *known == nil {
		table, err := s.segment.TouchTable(columnNames[c])
		if err != nil {
			return nil, err
		}
		*known = table
	}
	return *known, nil
}

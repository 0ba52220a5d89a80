package index

import (
	"slices"

	"millimetric/index/event"
)

// Where a visit came from is five columns that hang together: source, medium, campaign, confidence
// and rule. The rows have one code for all five; a table says what it stands for.
//
//	a code column: the touch of each row
//	for each of touchNames: a text store, then pieces with its code for each touch
var touchNames = [...]event.Column{
	event.ColumnSource, event.ColumnMedium, event.ColumnCampaign, event.ColumnSourceConfidence, event.ColumnSourceRule,
}

type touch [len(touchNames)]string

func touchOf(e *event.Event) touch {
	return touch{e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule}
}

type touchColumns struct {
	codes  codeColumn
	stores [len(touchNames)]textStore
	tables [len(touchNames)]span
}

func touchIndex(c event.Column) int { return slices.Index(touchNames[:], c) }

// writeTouches returns the codes of each of the five columns.
func (b *builder) writeTouches() (codes [len(touchNames)][]uint32, limits [len(touchNames)]uint32) {
	known := map[touch]uint32{}
	var touches []touch
	ofRow := make([]uint32, len(b.rows))
	for i := range b.rows {
		t := touchOf(b.rows[i].Event)
		if i > 0 && t == touches[ofRow[i-1]] {
			ofRow[i] = ofRow[i-1]
			continue
		}
		code, ok := known[t]
		if !ok {
			code = uint32(len(touches))
			known[t] = code
			touches = append(touches, t)
		}
		ofRow[i] = code
	}
	b.writeCodes("touch", ofRow, uint32(len(touches)), false)
	for i := range touchNames {
		values := make([]string, len(touches))
		for j := range touches {
			values[j] = touches[j][i]
		}
		table, texts := sortedCodes(values)
		b.writeSorted("touch", texts)
		b.head.add(chunked("touch", table, false)...)
		limits[i] = uint32(len(texts))
		codes[i] = make([]uint32, len(ofRow))
		for row, t := range ofRow {
			codes[i][row] = table[t]
		}
	}
	return codes, limits
}

// sortedCodes returns the distinct values, rising, and for each value its place among them.
func sortedCodes(values []string) (codes []uint32, texts []string) {
	texts = slices.Compact(slices.Sorted(slices.Values(values)))
	codes = make([]uint32, len(values))
	for i, v := range values {
		at, _ := slices.BinarySearch(texts, v)
		codes[i] = uint32(at)
	}
	return codes, texts
}

func (s *Segment) readTouches(r *headReader) {
	s.touches.codes = s.readCodeColumn(r)
	for i := range touchNames {
		s.touches.stores[i], s.touches.tables[i] = readTextStore(r), r.span()
		if s.touches.tables[i].count != chunksOf(int(s.touches.codes.limit)) {
			r.fail()
		}
	}
}

// touchCodes turns codes of touches into those of column i of the five.
func (s *Segment) touchCodes(i int, codes []uint32) error {
	table, err := s.touchTable(i)
	if err != nil {
		return err
	}
	for row, t := range codes {
		codes[row] = table[t]
	}
	return nil
}

func (s *Segment) touchTable(i int) ([]uint32, error) {
	return s.all32(s.touches.tables[i], int(s.touches.codes.limit), uint32(s.touches.stores[i].count))
}

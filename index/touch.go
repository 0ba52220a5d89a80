package index

import (
	"encoding/binary"
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

// touchNumbers numbers the touches of rows.
type touchNumbers struct {
	known   numberer // by their five texts as bytes
	touches []touch
	last    touch
	codes   []uint32 // by row
	key     []byte
}

func (n *touchNumbers) add(i int, e *event.Event) {
	t := touchOf(e)
	if i > 0 && t == n.last {
		n.codes[i] = n.codes[i-1]
		return
	}
	n.last, n.codes[i] = t, n.number(t)
}

// number returns the number of a touch.
func (n *touchNumbers) number(t touch) uint32 {
	n.key = n.key[:0]
	for _, text := range t {
		n.key = append(binary.AppendUvarint(n.key, uint64(len(text))), text...)
	}
	number := n.known.numberBytes(n.key)
	if int(number) == len(n.touches) {
		n.touches = append(n.touches, t)
	}
	return number
}

func (d *draft) writeTouches(n *touchNumbers) {
	d.writeCodes(&d.head, "touch", n.codes, uint32(len(n.touches)), false)
	codes := make([]uint32, len(n.codes))
	for i, name := range touchNames {
		values := make([]string, len(n.touches))
		for j := range n.touches {
			values[j] = n.touches[j][i]
		}
		table, texts := ranks(values)
		d.head.sorted("touch", texts)
		d.head.add(chunked(d.head.packer, "touch", table, false)...)
		if !slices.Contains(setColumns[:], name) {
			continue
		}
		for row, t := range n.codes {
			codes[row] = table[t]
		}
		d.noteSets(name, codes, uint32(len(texts)))
	}
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
	return s.list(s.touches.tables[i], ChunkRows, int(s.touches.codes.limit), uint32(s.touches.stores[i].count))
}

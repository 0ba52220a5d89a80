package query

import (
	"slices"
	"strings"
	"weak"

	"millimetric/index"
)

// sharedCodes are, of several segments, numbers of the texts of a column: a text has the same one whatever code it has
// in a segment. So a question that groups by the column looks at each text once, not once in each segment. The memo
// keeps them from the second question about the same segments on.
type sharedCodes struct {
	segments []weak.Pointer[index.Segment]
	numbers  [][]uint32 // by segment, by code; nil before the second question
	count    int        // of numbers
	texts    []string   // by number; none where all together are too long
	length   int        // of these
}

// sharedCodesMost is how many codes of all segments are numbered at most: four megabytes of the memo, and what takes
// a tenth of a second. Columns of more have mostly texts that come in one segment.
const sharedCodesMost = 1 << 20

// sharedTextsMost is how long the texts may be that are kept beside: to take them from their segments again and again
// takes longer than to number them.
const sharedTextsMost = 4 << 20

func (c *sharedCodes) bytes() int64 {
	bytes := int64(8*cap(c.segments)+16*cap(c.texts)) + int64(c.length)
	for _, numbers := range c.numbers {
		bytes += 24 + 4*int64(cap(numbers))
	}
	return bytes
}

func (c *sharedCodes) about() []weak.Pointer[index.Segment] { return c.segments }

// sharedCodesOf returns the numbers of a column's texts in segments, nil where they aren't kept yet.
func (r *run) sharedCodesOf(p *pass, segments []*sealed, of column) (*sharedCodes, error) {
	memo := r.common.Memo
	if memo == nil || len(segments) < 2 || slices.ContainsFunc(segments, func(s *sealed) bool { return s.segment.Hides() }) {
		return nil, nil
	}
	own, codes := &sharedCodes{}, 0
	for _, s := range segments {
		own.segments = append(own.segments, weak.Make(s.original))
		codes += s.column(of).dict.Len()
	}
	key := r.memoKey(segments[0], memoCodes, string(columnNames[of]))
	key.number = len(segments)
	if kept, ok := memo.get(key); ok && slices.Equal(kept.(*sharedCodes).segments, own.segments) {
		if known := kept.(*sharedCodes); known.numbers != nil {
			return known, nil
		}
		if codes > sharedCodesMost || !memo.hasRoom(int64(4*codes)) {
			return nil, nil
		}
		if err := own.number(r, p, segments, of); err != nil {
			return nil, err
		}
	}
	memo.replace(key, own)
	if own.numbers == nil {
		return nil, nil
	}
	return own, nil
}

// number numbers the texts.
func (c *sharedCodes) number(r *run, p *pass, segments []*sealed, of column) error {
	met := map[string]uint32{}
	for _, s := range segments {
		dict := s.column(of).dict
		numbers := make([]uint32, dict.Len())
		for code := range numbers {
			text, err := dict.At(uint32(code))
			if err != nil {
				return err
			}
			number, known := met[text]
			if !known {
				number = uint32(len(met))
				met[text] = number
				c.keep(text)
			}
			numbers[code] = number
		}
		c.numbers = append(c.numbers, numbers)
		if err := r.overBudget(p.size() + len(met) + int(c.bytes()/entryBytes)); err != nil {
			return err
		}
	}
	c.end(len(met))
	return nil
}

// end is called once all texts are numbered.
func (c *sharedCodes) end(count int) {
	if c.count = count; len(c.texts) < count {
		c.texts, c.length = nil, 0
	}
}

// keep keeps the text of the next number, as long as all before are kept and there is room.
func (c *sharedCodes) keep(text string) {
	if c.length += len(text); c.length <= sharedTextsMost {
		c.texts = append(c.texts, strings.Clone(text))
	}
}

// textOf returns the text of a number, which is that of a code of a segment.
func (c *sharedCodes) textOf(number uint32, dict *index.Dict, code uint32) (string, error) {
	if len(c.texts) > 0 {
		return c.texts[number], nil
	}
	return dict.At(code)
}

// openCodes finds the numbers of texts, where groups are told by codes of one column.
func (c *counter) openCodes(r *run, p *pass, segments []*sealed) (err error) {
	if !c.groups.byTouches() {
		c.groups.values[0].index() // from now on, byNumber knows what comes again
		c.codes, err = r.sharedCodesOf(p, segments, c.groups.columns[0].coded)
	}
	return err
}

// groupOfCode returns the group of a code of the one column that there is, in one of the segments that the pass is
// about.
func (c *counter) groupOfCode(place int, s *sealed, code uint32) (uint32, error) {
	if c.codes == nil {
		return c.groups.numberOfCode(s, code)
	}
	c.rememberNumbers()
	number := c.codes.numbers[place][code]
	slot := &c.byNumber[number]
	if *slot == 0 {
		text, err := c.codes.textOf(number, s.column(c.groups.columns[0].coded).dict, code)
		if err != nil {
			return 0, err
		}
		*slot = c.groups.numberOnce(text) + 1
	}
	return *slot - 1, nil
}

func (c *counter) rememberNumbers() {
	if c.byNumber == nil {
		c.byNumber = make([]uint32, c.codes.count)
	}
}

// joinCodes numbers the groups that a helper met by codes. It returns our numbers by its own; those that it began with
// are the same.
func (c *counter) joinCodes(o *counter) []uint32 {
	c.rememberNumbers()
	texts := o.groups.values[0].list
	numbers := make([]uint32, len(texts))
	for own := range numbers {
		numbers[own] = uint32(own)
	}
	for number, own := range o.byNumber {
		if own == 0 {
			continue
		}
		slot := &c.byNumber[number]
		if *slot == 0 {
			*slot = c.groups.numberOnce(texts[own-1]) + 1
		}
		numbers[own-1] = *slot - 1
	}
	return numbers
}

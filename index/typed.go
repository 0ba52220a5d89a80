package index

import (
	"slices"
	"strconv"
	"strings"
)

// typed is a property on its way to becoming a column. It takes numbers until it meets what is none;
// from then on, values of any kind, which it numbers as they are written.
type typed struct {
	name  string
	rows  []uint32
	turn  turn
	count int  // of the rows that have it, where these are counted before they are taken
	mixed bool // there are values that are no numbers
	many  bool // there are too many values: it becomes no column

	numbers []int64
	marks   []byte         // by number: its places, and how it is written
	odd     map[int]string // numbers that are written as nobody would

	written numberer // mixed only
	codes   []uint32

	// What settle finds:
	cut     []bool // by member: a reader can make its text from the column, so the rest needn't hold it
	wholly  bool   // all members are cut
	scale   int
	trimmed bool
	texts   []string
}

// turn says what a column does with values that are added. A merge counts them first, then takes some
// columns at a time, so that their values are never all in memory.
type turn byte

const (
	turnTakes  turn = iota
	turnCounts      // and takes none
	turnPasses      // and neither counts nor takes
)

// The marks of a number.
const (
	markPlaces  = 0x0f
	markZeroEnd = 0x10 // the last of its places is a zero
	markOdd     = 0x20 // it has zeros in front, or is a negative zero
)

// member is a value of one row, as it stands in the JSON.
type member struct {
	row   uint32
	value string
}

// add takes the value of a row, which comes behind all those taken before.
func (t *typed) add(row uint32, value string) {
	if !t.takes() {
		return
	}
	t.rows = append(t.rows, row)
	if !t.mixed {
		if n, places, ok := parseNumber(value); ok {
			t.addNumber(n, places, value)
			return
		}
		t.mix()
	}
	t.addValue(value)
}

// takes reports whether a value is wanted, and counts it if that is all.
func (t *typed) takes() bool {
	if t.turn == turnCounts {
		t.count++
	}
	return t.turn == turnTakes && !t.many
}

// rowCount returns how many rows have it, as far as they were counted or taken.
func (t *typed) rowCount() int { return max(t.count, len(t.rows)) }

// begin makes a column that was counted take values.
func (t *typed) begin() {
	t.turn, t.rows = turnTakes, make([]uint32, 0, t.count)
}

// end lets go of all but what says which members are cut. The rows are counted: there may be fewer
// than before, where the column gave up.
func (t *typed) end() {
	t.turn, t.count = turnPasses, len(t.rows)
	t.rows, t.numbers, t.marks, t.codes, t.texts = nil, nil, nil, nil, nil
	t.written, t.odd = numberer{}, nil
	if t.wholly {
		t.cut = nil
	}
}

func (t *typed) addNumber(n int64, places int, value string) {
	mark := byte(places)
	whole := strings.TrimPrefix(value, "-")
	if whole[0] == '0' && len(whole) > 1 && whole[1] != '.' || n == 0 && value[0] == '-' {
		mark |= markOdd
		if t.odd == nil {
			t.odd = map[int]string{}
		}
		t.odd[len(t.numbers)] = strings.Clone(value)
	}
	if places > 0 && value[len(value)-1] == '0' {
		mark |= markZeroEnd
	}
	t.addMarked(n, mark)
}

func (t *typed) addMarked(n int64, mark byte) {
	if t.numbers == nil {
		t.numbers, t.marks = make([]int64, 0, t.count), make([]byte, 0, t.count)
	}
	t.numbers, t.marks = append(t.numbers, n), append(t.marks, mark)
}

func (t *typed) addValue(value string) {
	if len(t.written.texts) == typedValuesMax {
		t.many = true
		return
	}
	t.codes = append(t.codes, t.written.number(value))
}

// mix turns numbers into values.
func (t *typed) mix() {
	t.mixed = true
	var text []byte
	for i, n := range t.numbers {
		if t.marks[i]&markOdd != 0 {
			t.addValue(t.odd[i])
			continue
		}
		text = appendNumber(text[:0], n, int(t.marks[i]&markPlaces), false)
		if len(t.written.texts) == typedValuesMax {
			t.many = true
			return
		}
		t.codes = append(t.codes, t.written.numberBytes(text))
	}
	t.numbers, t.marks, t.odd = nil, nil, nil
}

// settle decides how a column keeps its values. It reports false where there are too many.
func (t *typed) settle() bool {
	if !t.mixed && !t.rescale() {
		t.mix()
	}
	if t.many {
		return false
	}
	if t.mixed {
		return t.settleValues()
	}
	t.settleText(false)
	if 2*countTrue(t.cut) < len(t.cut) {
		t.trimmed = true
		t.settleText(true)
	}
	t.wholly = !slices.Contains(t.cut, false)
	return true
}

func (t *typed) kind() PropertyKind {
	if t.mixed {
		return PropertyValues
	}
	return PropertyNumbers
}

// rescale gives all numbers the places of the one with most, if they fit then.
func (t *typed) rescale() bool {
	for _, mark := range t.marks {
		t.scale = max(t.scale, int(mark&markPlaces))
	}
	for i, mark := range t.marks {
		power := powerOfTen(t.scale - int(mark&markPlaces))
		if n := t.numbers[i]; n > numberMax/power || n < -numberMax/power {
			t.unscale(i)
			return false
		}
		t.numbers[i] *= power
	}
	return true
}

// unscale undoes rescale for the first numbers.
func (t *typed) unscale(count int) {
	for i, mark := range t.marks[:count] {
		t.numbers[i] /= powerOfTen(t.scale - int(mark&markPlaces))
	}
}

func powerOfTen(n int) int64 {
	power := int64(1)
	for range n {
		power *= 10
	}
	return power
}

// settleText finds out which numbers are written as appendNumber writes them.
func (t *typed) settleText(trimmed bool) {
	t.cut = slices.Grow(t.cut[:0], len(t.marks))[:len(t.marks)]
	for i, mark := range t.marks {
		as := int(mark&markPlaces) == t.scale
		if trimmed {
			as = mark&markZeroEnd == 0
		}
		t.cut[i] = as && mark&markOdd == 0
	}
}

// settleValues numbers what the values mean instead of how they are written.
func (t *typed) settleValues() bool {
	written := t.written.texts
	values, cut := make([]string, len(written)), make([]bool, len(written))
	for i, w := range written {
		values[i] = valueOf(w)
		cut[i] = jsonOf(values[i]) == w
	}
	t.wholly = !slices.Contains(cut, false)
	var places []uint32
	places, t.texts = ranks(values)
	if !t.wholly {
		t.cut = make([]bool, len(t.codes))
	}
	for i, c := range t.codes {
		if t.codes[i] = places[c]; !t.wholly {
			t.cut[i] = cut[c]
		}
	}
	return len(t.texts) <= listedMin || len(t.texts) <= len(t.codes)/listedShare
}

func countTrue(flags []bool) int {
	n := 0
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// integersOf returns all values as integers of one scale, if they are such: the slow twin of
// addNumber and rescale, for Check.
func integersOf(members []member) (numbers []int64, scale int, ok bool) {
	for _, m := range members {
		_, places, ok := parseNumber(m.value)
		if !ok {
			return nil, 0, false
		}
		scale = max(scale, places)
	}
	numbers = make([]int64, len(members))
	for i, m := range members {
		n, places, _ := parseNumber(m.value)
		for ; places < scale; places++ {
			if n > numberMax/10 || n < -numberMax/10 {
				return nil, 0, false
			}
			n *= 10
		}
		numbers[i] = n
	}
	return numbers, scale, true
}

// numberMax keeps the difference of any two numbers inside an int64.
const numberMax = 1 << 61

// parseNumber returns a JSON number as an integer and how many decimal places that has, as many as
// are written. ok is false for what is no number, has an exponent, or doesn't fit.
func parseNumber(text string) (n int64, places int, ok bool) {
	at := 0
	if text != "" && text[0] == '-' {
		at++
	}
	point := len(text)
	start := at
	for ; at < len(text); at++ {
		c := text[at]
		if c == '.' && point == len(text) && at > start {
			point = at
			continue
		}
		if c < '0' || c > '9' || n > (numberMax-9)/10 {
			return 0, 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if at == start || point == len(text)-1 || len(text)-point-1 > scaleMax {
		return 0, 0, false
	}
	if start == 1 {
		n = -n
	}
	return n, max(0, len(text)-point-1), true
}

// appendNumber writes a number with as many places as its column has, or, trimmed, without zeros at
// the end.
func appendNumber(dst []byte, n int64, scale int, trimmed bool) []byte {
	if scale == 0 {
		return strconv.AppendInt(dst, n, 10)
	}
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	power := powerOfTen(scale)
	dst = append(strconv.AppendInt(dst, n/power, 10), '.')
	for fraction := n % power; scale > 0; scale-- {
		if trimmed && fraction == 0 {
			break
		}
		power /= 10
		dst = append(dst, byte('0'+fraction/power))
		fraction %= power
	}
	if dst[len(dst)-1] == '.' {
		return dst[:len(dst)-1]
	}
	return dst
}

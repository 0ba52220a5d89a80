package transfer

import (
	"bytes"
	"testing"

	"millimetric/index/event"
)

func TestARowIsReadAsItWasWritten(t *testing.T) {
	const seed = 11
	now := event.Time(4102444800000) // later than all of them
	for _, e := range someEvents(seed, 500) {
		want := rowOf(&e)
		line := append(appendRow([]byte{'{'}, &want), '}')
		var got Row
		if copies, err := parseLine(line, &got); err != nil || copies != 0 || got != want {
			t.Fatalf("%s: %v\n%+v", line, err, got)
		}
		if column, problem := got.check(now); problem != "" {
			t.Fatalf("%s: %s: %s", line, column, problem)
		}
	}
}

// FuzzLine: no line makes the reader panic, and what it takes it also writes and reads again.
func FuzzLine(f *testing.F) {
	e := someEvents(1, 1)[0]
	row := rowOf(&e)
	line := append(appendRow([]byte{'{'}, &row), '}')
	f.Add(line)
	f.Add(append(line[:len(line)-1:len(line)-1], `,"copy":2}`...))
	f.Add(bytes.Replace(line, []byte(`"seq"`), []byte(`"sequence"`), 1))
	f.Fuzz(func(t *testing.T, line []byte) {
		var first, second Row
		if _, err := parseLine(line, &first); err != nil {
			return
		}
		_, _ = first.check(event.TimeMax / 2)
		again := append(appendRow([]byte{'{'}, &first), '}')
		if _, err := parseLine(again, &second); err != nil || first != second {
			t.Errorf("%q was read as %+v, and as %+v after it was written: %v", line, first, second, err)
		}
	})
}

// Package progress shows on a terminal how far long work is. Elsewhere it shows nothing: a log would fill with
// bars.
//
// It does none of the work and prints no result. On a terminal, a bar has goroutines that draw it, which end
// with Finish. Nothing is written to disk.
package progress

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Bar shows how many bytes are done. A nil one, and one that isn't on a terminal, shows nothing. It is safe
// for concurrent use.
type Bar struct {
	out  io.Writer
	bars *mpb.Progress // nil elsewhere
	bar  *mpb.Bar
	note atomic.Pointer[string]
}

const (
	barWidth   = 40 // columns
	bytesWidth = 12
)

// New begins to show work of so many bytes; 0 where nobody knows how many there will be.
func New(out io.Writer, bytes int64) *Bar {
	if !isTerminal(out) {
		return &Bar{out: out}
	}
	bars := mpb.New(mpb.WithOutput(out), mpb.WithWidth(barWidth))
	b := &Bar{out: bars, bars: bars}
	done := mpb.PrependDecorators(decor.CurrentKibiByte("% .1f ", decor.WC{W: bytesWidth}))
	note := decor.Any(func(decor.Statistics) string {
		if text := b.note.Load(); text != nil {
			return " " + *text
		}
		return ""
	})
	if bytes > 0 {
		// Given at once, the total would end the bar when all bytes are read, though what they say may not be done.
		b.bar = bars.AddBar(0, done, mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), note))
		b.bar.SetTotal(bytes, false)
	} else {
		b.bar = bars.AddSpinner(0, done, mpb.AppendDecorators(note))
	}
	return b
}

// Beside begins to show, on out, work whose result goes to result: where that is a terminal, too, the
// result would be drawn over, so nothing is shown.
func Beside(out, result io.Writer, bytes int64) *Bar {
	if isTerminal(result) {
		return &Bar{out: out}
	}
	return New(out, bytes)
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Shows reports whether there is anybody to see it: else there is no use in preparing what Note is told.
func (b *Bar) Shows() bool { return b != nil && b.bar != nil }

// Add says that so many bytes more are done.
func (b *Bar) Add(bytes int64) {
	if b.Shows() {
		b.bar.IncrInt64(bytes)
	}
}

// Note puts a short text behind the bar, in the place of the one before.
func (b *Bar) Note(text string) {
	if b.Shows() {
		b.note.Store(&text)
	}
}

// Write writes a message above the bar.
func (b *Bar) Write(text []byte) (int, error) { return b.out.Write(text) }

// Reader counts what is read from in.
func (b *Bar) Reader(in io.Reader) io.Reader {
	if !b.Shows() {
		return in
	}
	return countingReader{in, b}
}

type countingReader struct {
	in  io.Reader
	bar *Bar
}

func (r countingReader) Read(buf []byte) (int, error) {
	n, err := r.in.Read(buf)
	r.bar.Add(int64(n))
	return n, err
}

// Finish ends the bar: full where all was done. Nothing may be added after.
func (b *Bar) Finish(whole bool) {
	if !b.Shows() {
		return
	}
	if whole {
		b.bar.SetTotal(-1, true)
	} else {
		b.bar.Abort(false)
	}
	b.bars.Wait()
}

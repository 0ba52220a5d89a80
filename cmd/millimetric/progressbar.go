package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// bar shows how far long work is, on a terminal. Elsewhere it shows nothing: a log would fill with it.
type bar struct {
	bars *mpb.Progress // nil elsewhere
	bar  *mpb.Bar
}

// newBar begins a bar of so many bytes.
func newBar(out io.Writer, size int64) *bar {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &bar{}
	}
	bars := mpb.New(mpb.WithOutput(file), mpb.WithWidth(40))
	return &bar{bars, bars.AddBar(size, mpb.PrependDecorators(decor.CurrentKibiByte("% .1f ", decor.WC{W: 12})),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5})))}
}

// add says that so many bytes more are done.
func (b *bar) add(bytes int64) {
	if b.bar != nil {
		b.bar.IncrInt64(bytes)
	}
}

// finish ends the bar: full where all was done.
func (b *bar) finish(whole bool) {
	if b.bar == nil {
		return
	}
	if whole {
		b.bar.SetTotal(-1, true)
	} else {
		b.bar.Abort(false)
	}
	b.bars.Wait()
}

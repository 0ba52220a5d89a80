package importer

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress shows how far the file is read, on a terminal. Elsewhere it shows nothing: a log file
// would fill with bars.
type progress struct {
	out  io.Writer
	bars *mpb.Progress // nil elsewhere
	bar  *mpb.Bar
}

// newProgress begins to show the reading of size bytes, 0 where that isn't known.
func newProgress(out io.Writer, size int64) *progress {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{out: out}
	}
	bars := mpb.New(mpb.WithOutput(file), mpb.WithWidth(40))
	after := decor.Name("")
	if size > 0 {
		after = decor.Percentage(decor.WC{W: 5})
	}
	bar := bars.AddBar(size,
		mpb.PrependDecorators(decor.CurrentKibiByte("% .1f ", decor.WC{W: 12})),
		mpb.AppendDecorators(after))
	return &progress{out: bars, bars: bars, bar: bar}
}

// Write shows a message above the bar.
func (p *progress) Write(text []byte) (int, error) { return p.out.Write(text) }

// reader counts what is read from in.
func (p *progress) reader(in io.Reader) io.Reader {
	if p.bar == nil {
		return in
	}
	return countingReader{in, p.bar}
}

// finish ends the bar: full where all was read.
func (p *progress) finish(whole bool) {
	if p.bar == nil {
		return
	}
	if whole {
		p.bar.SetTotal(-1, true)
	} else {
		p.bar.Abort(false)
	}
	p.bars.Wait()
}

type countingReader struct {
	in  io.Reader
	bar *mpb.Bar
}

func (r countingReader) Read(buf []byte) (int, error) {
	n, err := r.in.Read(buf)
	r.bar.IncrBy(n)
	return n, err
}

package raster

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"git.sr.ht/~sbinet/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

func (p *painter) rect(e element) error {
	n, err := e.numbers("x", "y", "width", "height", "rx")
	if err != nil {
		return err
	}
	if n[2] <= 0 || n[3] <= 0 {
		return nil // as SVG has it, where nothing is to be seen
	}
	round := min(n[4], n[2]/2, n[3]/2)
	if round > 0 {
		p.page.DrawRoundedRectangle(n[0], n[1], n[2], n[3], round)
	} else {
		p.page.DrawRectangle(n[0], n[1], n[2], n[3])
	}
	return p.finish(e)
}

func (p *painter) line(e element) error {
	n, err := e.numbers("x1", "y1", "x2", "y2")
	if err != nil {
		return err
	}
	p.page.DrawLine(n[0], n[1], n[2], n[3])
	return p.finish(e)
}

func (p *painter) circle(e element) error {
	n, err := e.numbers("cx", "cy", "r")
	if err != nil {
		return err
	}
	p.page.DrawCircle(n[0], n[1], n[2])
	return p.finish(e)
}

// path draws moves, lines and cubic curves between absolute places.
func (p *painter) path(e element) error {
	const commands = "MLCZ"
	for d := e["d"]; d != ""; {
		command := d[0]
		end := strings.IndexAny(d[1:], commands) + 1
		if end == 0 {
			end = len(d)
		}
		n, err := fields(d[1:end])
		if err != nil {
			return err
		}
		switch {
		case command == 'M' && len(n) == 2:
			p.page.MoveTo(n[0], n[1])
		case command == 'L' && len(n) == 2:
			p.page.LineTo(n[0], n[1])
		case command == 'C' && len(n) == 6:
			p.page.CubicTo(n[0], n[1], n[2], n[3], n[4], n[5])
		case command == 'Z' && len(n) == 0:
			p.page.ClosePath()
		default:
			return fmt.Errorf("%q is no part of a path", d[:end])
		}
		d = d[end:]
	}
	return p.finish(e)
}

// finish fills and strokes the shape that was drawn.
func (p *painter) finish(e element) error {
	defer p.page.ClearPath()
	s, err := p.styleOf(e)
	if err != nil {
		return err
	}
	fill, err := s.paint("fill")
	if err != nil {
		return err
	}
	if fill.A > 0 {
		p.page.SetColor(fill)
		p.page.FillPreserve()
	}
	stroke, err := s.paint("stroke")
	if err != nil || stroke.A == 0 {
		return err
	}
	if err := p.pen(s); err != nil {
		return err
	}
	p.page.SetColor(stroke)
	p.page.StrokePreserve()
	return nil
}

// pen takes the width, the dashes and the ends of a stroke. Widths are in dots.
func (p *painter) pen(s style) error {
	wide := 1.0
	if text, ok := s["stroke-width"]; ok {
		var err error
		if wide, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("a stroke as wide as %q", text)
		}
	}
	p.page.SetLineWidth(wide * scale)
	dashes, err := fields(s["stroke-dasharray"])
	if err != nil {
		return err
	}
	for i := range dashes {
		dashes[i] *= scale
	}
	p.page.SetDash(dashes...)
	p.page.SetLineCap(gg.LineCapButt)
	if s["stroke-linecap"] == "round" {
		p.page.SetLineCap(gg.LineCapRound)
	}
	p.page.SetLineJoin(gg.LineJoinBevel)
	if s["stroke-linejoin"] == "round" {
		p.page.SetLineJoin(gg.LineJoinRound)
	}
	return nil
}

// write draws a text, with a seam in the colour of the page where its style has one.
func (p *painter) write(e element, text string) error {
	n, err := e.numbers("x", "y", "font-size")
	if err != nil {
		return err
	}
	s, err := p.styleOf(e)
	if err != nil {
		return err
	}
	ink, err := s.paint("fill")
	if err != nil {
		return err
	}
	seam, err := s.paint("stroke")
	if err != nil {
		return err
	}
	f, err := faceOf(e["font-weight"] != "", n[2])
	if err != nil {
		return err
	}
	defer f.Close()
	// Letters are drawn at their size in dots: larger ones of a scaled page would be blurred.
	p.page.Push()
	defer p.page.Pop()
	p.page.Identity()
	p.page.SetFontFace(f)
	wide, _ := p.page.MeasureString(text)
	x, y := n[0]*scale, n[1]*scale
	switch e["text-anchor"] {
	case "middle":
		x -= wide / 2
	case "end":
		x -= wide
	}
	if seam.A > 0 {
		p.page.SetColor(seam)
		for _, by := range [][2]float64{{-1, -1}, {0, -1.5}, {1, -1}, {1.5, 0}, {1, 1}, {0, 1.5}, {-1, 1}, {-1.5, 0}} {
			p.page.DrawString(text, x+by[0]*scale, y+by[1]*scale)
		}
	}
	p.page.SetColor(ink)
	p.page.DrawString(text, x, y)
	return nil
}

var (
	regular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })
	heavy   = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gobold.TTF) })
)

// narrower makes letters of the Go fonts about as wide as those that pictures are laid out for.
const narrower = 0.93

func faceOf(bold bool, size float64) (font.Face, error) {
	of := regular
	if bold {
		of = heavy
	}
	f, err := of()
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size * scale * narrower, DPI: 72, Hinting: font.HintingNone})
}

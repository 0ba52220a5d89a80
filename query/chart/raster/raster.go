// Package raster turns the pictures of package chart into PNG, for readers that take no SVG, as most agents.
// It knows the few elements and attributes that such pictures are made of, and refuses all others: it is no
// renderer of SVG at large. Pictures are drawn as on a light page. Their titles and descriptions, which only
// SVG can carry, are lost; so are characters that the Go fonts don't have, which are drawn as boxes.
//
// The package starts no goroutines and writes nothing to disk.
package raster

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strconv"
	"strings"

	"git.sr.ht/~sbinet/gg"
)

const (
	// scale is how many dots a pixel of the picture gets: small labels are sharp, and a picture that is
	// 960 pixels wide stays within what models look at without making it smaller.
	scale = 1.5
	// sideMax bounds a side, in pixels of the picture. Drawing one takes four bytes a dot.
	sideMax = 8192
)

// PNG draws a picture that package chart made. The image is 1.5 times as wide and high as the picture.
func PNG(svg []byte) ([]byte, error) {
	p := painter{styles: map[string]style{}}
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.take(token)
		}
		if err != nil {
			return nil, fmt.Errorf("raster: %w", err)
		}
	}
	if p.page == nil {
		return nil, errors.New("raster: there is no picture")
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p.page.Image()); err != nil {
		return nil, fmt.Errorf("raster: %w", err)
	}
	return out.Bytes(), nil
}

// painter draws elements as they come.
type painter struct {
	page   *gg.Context
	styles map[string]style
	inside string  // the element whose characters come next
	text   element // the text element that is open
}

// element is an element's attributes.
type element map[string]string

func (p *painter) take(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		e := element{}
		for _, a := range token.Attr {
			e[a.Name.Local] = a.Value
		}
		p.inside = token.Name.Local
		return p.open(e)
	case xml.CharData:
		switch p.inside {
		case "style":
			return p.learn(string(token))
		case "text":
			return p.write(p.text, string(token))
		}
	case xml.EndElement:
		p.inside = ""
	}
	return nil
}

func (p *painter) open(e element) error {
	if p.page == nil && p.inside != "svg" {
		return fmt.Errorf("%q stands where the picture should begin", p.inside)
	}
	switch p.inside {
	case "svg":
		return p.begin(e)
	case "rect":
		return p.rect(e)
	case "line":
		return p.line(e)
	case "circle":
		return p.circle(e)
	case "path":
		return p.path(e)
	case "text":
		p.text = e
		return nil
	case "g", "title", "desc", "style":
		return nil
	}
	return fmt.Errorf("no picture has %q", p.inside)
}

func (p *painter) begin(e element) error {
	n, err := e.numbers("width", "height")
	if err != nil {
		return err
	}
	if n[0] < 1 || n[1] < 1 || n[0] > sideMax || n[1] > sideMax {
		return fmt.Errorf("a picture of %g × %g pixels", n[0], n[1])
	}
	p.page = gg.NewContext(int(n[0]*scale+0.5), int(n[1]*scale+0.5))
	p.page.Scale(scale, scale)
	return nil
}

// numbers reads attributes that are numbers; one that is missing is 0.
func (e element) numbers(names ...string) ([]float64, error) {
	all := make([]float64, len(names))
	for i, name := range names {
		text, ok := e[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s=%q is no number", name, text)
		}
		all[i] = n
	}
	return all, nil
}

// fields parts a list of numbers, which spaces, commas or letters of a path part.
func fields(text string) ([]float64, error) {
	var all []float64
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", field)
		}
		all = append(all, n)
	}
	return all, nil
}

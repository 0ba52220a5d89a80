package raster

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"
)

// style says how an element is drawn: attributes of the names that SVG and CSS share, such as fill and
// stroke-width.
type style map[string]string

// learn reads a style sheet of rules for single classes. Rules for other media than a light page, and those
// for elements, which only name fonts, are passed over.
func (p *painter) learn(sheet string) error {
	sheet, _, _ = strings.Cut(sheet, "@media")
	for rule := range strings.SplitAfterSeq(sheet, "}") {
		name, body, found := strings.Cut(strings.TrimSuffix(rule, "}"), "{")
		class, isClass := strings.CutPrefix(strings.TrimSpace(name), ".")
		if !found || !isClass {
			continue
		}
		of := style{}
		for declared := range strings.SplitSeq(body, ";") {
			property, value, found := strings.Cut(declared, ":")
			if !found {
				return fmt.Errorf("%q declares nothing", declared)
			}
			of[strings.TrimSpace(property)] = strings.TrimSuffix(strings.TrimSpace(value), "px")
		}
		p.styles[class] = of
	}
	return nil
}

// styleOf is how an element is drawn: by its own attributes, and over these by its classes, as CSS has it.
func (p *painter) styleOf(e element) (style, error) {
	of := style{}
	for name, value := range e {
		of[name] = value
	}
	for class := range strings.FieldsSeq(e["class"]) {
		known, ok := p.styles[class]
		if !ok {
			return nil, fmt.Errorf("nothing says how %q looks", class)
		}
		for name, value := range known {
			of[name] = value
		}
	}
	return of, nil
}

// paint is the colour of a fill or a stroke; it is invisible where there is none.
func (s style) paint(name string) (color.NRGBA, error) {
	text, ok := s[name]
	switch {
	case !ok && name == "fill":
		text = "#000"
	case !ok || text == "none":
		return color.NRGBA{}, nil
	}
	c, err := colour(text)
	if err != nil {
		return c, err
	}
	if opacity, ok := s[name+"-opacity"]; ok {
		share, err := strconv.ParseFloat(opacity, 64)
		if err != nil || share < 0 || share > 1 {
			return c, fmt.Errorf("an opacity of %q", opacity)
		}
		c.A = uint8(share*255 + 0.5)
	}
	return c, nil
}

// colour reads #rgb and #rrggbb.
func colour(text string) (color.NRGBA, error) {
	digits, found := strings.CutPrefix(text, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if !found || err != nil || len(digits) != 6 {
		return color.NRGBA{}, fmt.Errorf("%q is no colour", text)
	}
	return color.NRGBA{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), A: 255}, nil
}

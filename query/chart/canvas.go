package chart

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Sizes of text, in pixels.
const (
	sizeTitle = 18
	sizeNote  = 12
	sizeLabel = 13
	sizeSmall = 11
)

// The frame of every picture.
const (
	pageWidth = 960
	margin    = 24
	headRoom  = 74 // title and what it is about
	footRoom  = 22
)

// style colours everything by class, so that one picture suits light and dark pages. Nothing in it needs
// more than presentation attributes and one media query: viewers that know no scheme show the light one.
const style = `text{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}` +
	`.mm-page{fill:#fff}.mm-ink{fill:#1c2230}.mm-soft{fill:#5b6475}.mm-on{fill:#fff}.mm-up{fill:#16703c}.mm-down{fill:#b3261e}` +
	`.mm-rule{stroke:#e1e5ec;fill:none}.mm-base{stroke:#9aa3b2;fill:none}.mm-track{fill:#eef1f6}.mm-heat{fill:#1f57c9}` +
	`.mm-then{fill:#a9b6cc}.mm-then-line{stroke:#8b98af;fill:none}.mm-dot{stroke:#fff}.mm-open{stroke:#5b6475;fill:none}.mm-halo{stroke:#fff;stroke-width:3px;stroke-linejoin:round;paint-order:stroke}` +
	`.mm-0{fill:#2f6fed}.mm-1{fill:#d9662b}.mm-2{fill:#1e8f6e}.mm-3{fill:#9b4fd1}.mm-4{fill:#b98500}.mm-5{fill:#d13b7b}.mm-6{fill:#178aa8}.mm-7{fill:#6b7486}` +
	`.mm-l0{stroke:#2f6fed}.mm-l1{stroke:#d9662b}.mm-l2{stroke:#1e8f6e}.mm-l3{stroke:#9b4fd1}.mm-l4{stroke:#b98500}.mm-l5{stroke:#d13b7b}.mm-l6{stroke:#178aa8}.mm-l7{stroke:#6b7486}` +
	`@media (prefers-color-scheme:dark){` +
	`.mm-page{fill:#12151c}.mm-ink{fill:#e8ebf2}.mm-soft{fill:#a0aabb}.mm-up{fill:#5fd08d}.mm-down{fill:#ff8a80}` +
	`.mm-rule{stroke:#2a303c}.mm-base{stroke:#5d6778}.mm-track{fill:#1d222c}.mm-heat{fill:#3569d4}` +
	`.mm-then{fill:#566279}.mm-then-line{stroke:#7c889e}.mm-dot{stroke:#12151c}.mm-open{stroke:#a0aabb}.mm-halo{stroke:#12151c}` +
	`.mm-0{fill:#6b9dff}.mm-1{fill:#f2915c}.mm-2{fill:#4cc79f}.mm-3{fill:#c38bef}.mm-4{fill:#e0b13a}.mm-5{fill:#f277a8}.mm-6{fill:#56c2dd}.mm-7{fill:#9aa4b5}` +
	`.mm-l0{stroke:#6b9dff}.mm-l1{stroke:#f2915c}.mm-l2{stroke:#4cc79f}.mm-l3{stroke:#c38bef}.mm-l4{stroke:#e0b13a}.mm-l5{stroke:#f277a8}.mm-l6{stroke:#56c2dd}.mm-l7{stroke:#9aa4b5}}`

// colours is how many colours there are for what stands side by side.
const colours = 8

// canvas is a picture being drawn. Places are in pixels from its upper left corner.
type canvas struct {
	title, about string
	words        []string // what the picture shows, for those who don't see it
	foot         string
	body         strings.Builder
	width        float64
	height       float64 // of what was drawn so far
}

func newCanvas(title, about string) *canvas {
	return &canvas{title: title, about: about, width: pageWidth, height: headRoom}
}

// wordsMax bounds the text alternative: nobody listens to more, and the table has it all.
const wordsMax = 60

// say adds a sentence to the text alternative.
func (c *canvas) say(format string, args ...any) {
	if len(c.words) < wordsMax {
		c.words = append(c.words, fmt.Sprintf(format, args...))
	}
}

// grow makes room down to y.
func (c *canvas) grow(y float64) { c.height = max(c.height, y) }

// begin and end put what is drawn between them under a title, which viewers show at the pointer.
func (c *canvas) begin(title string) {
	fmt.Fprintf(&c.body, "<g><title>%s</title>", escape(title))
}

func (c *canvas) end() { c.body.WriteString("</g>\n") }

// anchors of text.
const (
	atStart  = "start"
	atMiddle = "middle"
	atEnd    = "end"
)

// text writes a line, its base line at y. It is not cut: see fit.
func (c *canvas) text(x, y float64, class, anchor string, size float64, text string) {
	fmt.Fprintf(&c.body, `<text x="%s" y="%s" class="%s" font-size="%s"`, px(x), px(y), class, px(size))
	if anchor != atStart {
		fmt.Fprintf(&c.body, ` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(&c.body, ">%s</text>\n", escape(text))
}

// bold writes a line like text, in bold.
func (c *canvas) bold(x, y float64, class string, size float64, text string) {
	fmt.Fprintf(&c.body, `<text x="%s" y="%s" class="%s" font-size="%s" font-weight="600">%s</text>`+"\n", px(x), px(y), class, px(size), escape(text))
}

// rect fills a rectangle; more are further attributes.
func (c *canvas) rect(x, y, w, h, round float64, class, more string) {
	fmt.Fprintf(&c.body, `<rect x="%s" y="%s" width="%s" height="%s" rx="%s" class="%s"%s/>`+"\n", px(x), px(y), px(max(w, 0)), px(h), px(round), class, more)
}

func (c *canvas) line(x1, y1, x2, y2 float64, class, more string) {
	fmt.Fprintf(&c.body, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"%s/>`+"\n", px(x1), px(y1), px(x2), px(y2), class, more)
}

func (c *canvas) path(d, class, more string) {
	fmt.Fprintf(&c.body, `<path d="%s" class="%s"%s/>`+"\n", d, class, more)
}

// px writes a number of pixels with at most one decimal.
func px(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}

// nothing says that there is nothing to draw.
func (c *canvas) nothing() {
	c.rect(margin, headRoom, c.width-2*margin, 120, 8, "mm-track", "")
	c.text(c.width/2, headRoom+65, "mm-soft", atMiddle, sizeLabel, "No events match this question")
	c.say("No events match this question.")
	c.grow(headRoom + 120)
}

// legend explains colours in one or more lines, and returns where what follows may begin.
func (c *canvas) legend(y float64, names []string, mark func(i int, x, y float64)) float64 {
	x := float64(margin)
	for i, name := range names {
		label := fit(name, sizeNote, 260)
		need := 18 + width(label, sizeNote) + 18
		if x+need > c.width-margin && x > margin {
			x, y = margin, y+20
		}
		mark(i, x, y)
		c.begin(name)
		c.text(x+18, y, "mm-ink", atStart, sizeNote, label)
		c.end()
		x += need
	}
	return y + 24
}

// before explains the pale marks of a comparison, and returns where what follows may begin.
func (c *canvas) before(y float64, what string) float64 {
	return c.legend(y+8, []string{what}, c.swatch("mm-then"))
}

// swatch is the mark of a filled colour.
func (c *canvas) swatch(class string) func(i int, x, y float64) {
	return func(i int, x, y float64) {
		of := class
		if of == "" {
			of = colour(i)
		}
		c.rect(x, y-10, 12, 12, 3, of, "")
	}
}

func colour(i int) string     { return fmt.Sprintf("mm-%d", i%colours) }
func colourLine(i int) string { return fmt.Sprintf("mm-l%d", i%colours) }

// svg is the whole picture. Its title and description are bound to it by ids made of its content, so that
// several pictures can stand in one page.
func (c *canvas) svg() []byte {
	h := fnv.New64a()
	h.Write([]byte(c.title + c.about + c.body.String()))
	id := fmt.Sprintf("mm%x", h.Sum64())
	height := c.height + footRoom + margin/2
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-labelledby="%s-t %s-d">`+"\n",
		px(c.width), px(height), px(c.width), px(height), id, id)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title>`+"\n", id, escape(c.title))
	fmt.Fprintf(&b, `<desc id="%s-d">%s</desc>`+"\n", id, escape(strings.Join(append([]string{c.about + "."}, c.words...), " ")))
	fmt.Fprintf(&b, "<style>%s</style>\n", style)
	fmt.Fprintf(&b, `<rect width="%s" height="%s" class="mm-page"/>`+"\n", px(c.width), px(height))
	// All of the title is in the title element; what is drawn of it must fit into one line.
	fmt.Fprintf(&b, `<text x="%d" y="36" class="mm-ink" font-size="%d" font-weight="600">%s</text>`+"\n", margin, sizeTitle, escape(fit(c.title, sizeTitle*1.06, c.width-2*margin)))
	fmt.Fprintf(&b, `<text x="%d" y="56" class="mm-soft" font-size="%d">%s</text>`+"\n", margin, sizeNote, escape(fit(c.about, sizeNote, c.width-2*margin)))
	b.WriteString(c.body.String())
	fmt.Fprintf(&b, `<text x="%d" y="%s" class="mm-soft" font-size="%d">%s</text>`+"\n", margin, px(height-margin/2), sizeSmall, escape(fit(c.foot, sizeSmall, c.width-2*margin)))
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

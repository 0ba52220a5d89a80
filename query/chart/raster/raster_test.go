package raster

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func page(body string) []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><style>text{font-family:x}.page{fill:#fff}.red{fill:#e00000}` +
		`.edge{stroke:#0000e0;fill:none}.halo{stroke:#fff;stroke-width:3px}@media (prefers-color-scheme:dark){.page{fill:#000}}</style>` +
		`<rect width="40" height="20" class="page"/>` + body + `</svg>`)
}

// TestShapesAreWhereTheyShouldBe looks at single dots; places are in pixels of the picture.
func TestShapesAreWhereTheyShouldBe(t *testing.T) {
	white, red, blue, black := color.NRGBA{255, 255, 255, 255}, color.NRGBA{0xe0, 0, 0, 255}, color.NRGBA{0, 0, 0xe0, 255}, color.NRGBA{0, 0, 0, 255}
	for _, c := range []struct {
		body  string
		dots  [][2]int
		wants color.NRGBA
	}{
		{``, [][2]int{{0, 0}, {39, 19}}, white},
		{`<rect x="10" y="4" width="20" height="8" rx="2" class="red"/>`, [][2]int{{20, 8}, {12, 6}, {27, 9}}, red},
		{`<rect x="10" y="4" width="20" height="8" class="red"/>`, [][2]int{{8, 8}, {32, 8}, {20, 2}, {20, 14}}, white},
		{`<rect x="10" y="4" width="20" height="8" class="red" fill-opacity="0"/>`, [][2]int{{20, 8}}, white},
		{`<rect x="10" y="4" width="0" height="8" class="red"/>`, [][2]int{{10, 8}}, white},
		{`<line x1="0" y1="10" x2="40" y2="10" class="edge" stroke-width="6"/>`, [][2]int{{2, 10}, {38, 10}}, blue},
		{`<line x1="0" y1="10" x2="40" y2="10" class="edge" stroke-width="6" stroke-dasharray="10 20"/>`, [][2]int{{5, 10}, {35, 10}}, blue},
		{`<line x1="0" y1="10" x2="40" y2="10" class="edge" stroke-width="6" stroke-dasharray="10 20"/>`, [][2]int{{20, 10}}, white},
		{`<circle cx="20" cy="10" r="6" class="red"/>`, [][2]int{{20, 10}, {16, 10}, {20, 14}}, red},
		{`<path d="M10 4L30 4L30 16L10 16Z" class="red"/>`, [][2]int{{20, 10}, {12, 14}}, red},
		{`<path d="M0 2C20 2 20 18 40 18" class="edge" fill="none" stroke-width="6"/>`, [][2]int{{20, 10}, {1, 2}}, blue},
		{`<path d="M0 2C20 2 20 18 40 18" class="edge" fill="none" stroke-width="6"/>`, [][2]int{{5, 15}, {35, 5}}, white},
		{`<text x="10" y="18" class="red" font-size="24">▮I</text>`, nil, red},
		{`<g><title>said</title><rect x="10" y="4" width="20" height="8"/></g>`, [][2]int{{20, 8}}, black},
	} {
		out, err := PNG(page(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if b := img.Bounds(); b.Dx() != 60 || b.Dy() != 30 {
			t.Fatalf("an image of %v", b)
		}
		for _, dot := range c.dots {
			got := color.NRGBAModel.Convert(img.At(int(float64(dot[0])*scale), int(float64(dot[1])*scale)))
			if got != c.wants {
				t.Errorf("%s: at %v is %v, not %v", c.body, dot, got, c.wants)
			}
		}
	}
}

// TestTextTakesItsAnchor finds the columns of dots that a text blackens.
func TestTextTakesItsAnchor(t *testing.T) {
	span := func(anchor string) (first, last int) {
		out, err := PNG(page(`<text x="20" y="15" font-size="12" text-anchor="` + anchor + `">ABC</text>`))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		first = -1
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				if r, _, _, _ := img.At(x, y).RGBA(); r < 0x4000 {
					if last = x; first < 0 {
						first = x
					}
				}
			}
		}
		return first, last
	}
	middle := int(20 * scale)
	if first, _ := span("start"); first < middle || first > middle+3 {
		t.Errorf("a text begins at %d, not after %d", first, middle)
	}
	if _, last := span("end"); last > middle || last < middle-3 {
		t.Errorf("a text ends at %d, not before %d", last, middle)
	}
	if first, last := span("middle"); first+last < 2*middle-4 || first+last > 2*middle+4 {
		t.Errorf("a text reaches from %d to %d around %d", first, last, middle)
	}
}

func TestEveryPictureOfTheChartsIsDrawn(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.svg")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pictures, %v", len(files), err)
	}
	for _, file := range files {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := PNG(svg)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Dx() != 1440 {
			t.Errorf("%s: %d dots wide", file, img.Bounds().Dx())
		}
		seen := map[color.Color]bool{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				seen[img.At(x, y)] = true
			}
		}
		if len(seen) < 20 {
			t.Errorf("%s: %d colours", file, len(seen))
		}
	}
}

func TestWhatNoPictureHoldsIsRefused(t *testing.T) {
	for _, svg := range []string{
		``, `<g/>`, `<svg width="10" height="0"/>`, `<svg width="1000000" height="10"/>`, `<svg width="x" height="10"/>`,
		string(page(`<image href="x"/>`)), string(page(`<path d="A1 2" class="red"/>`)), string(page(`<path d="M1" class="red"/>`)),
		string(page(`<rect width="1" height="1" class="other"/>`)), string(page(`<rect width="1" height="1" fill="url(#x)"/>`)),
		string(page(`<rect width="1" height="1" fill-opacity="2"/>`)), strings.TrimSuffix(string(page(``)), `</svg>`),
	} {
		if _, err := PNG([]byte(svg)); err == nil {
			t.Errorf("drawn: %.60s", svg)
		}
	}
}

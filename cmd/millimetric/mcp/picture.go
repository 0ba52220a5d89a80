package mcp

import (
	"html"
	"regexp"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/chart"
	"millimetric/query/chart/raster"
)

// draw makes a picture of an answer, with clean texts, as PNG: few agents take any but images of dots.
func draw(question query.Question, reply *query.Answer) ([]byte, error) {
	svg, ok, err := chart.Draw(question, reply)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, event.InvalidField(event.CodeInvalidParams, paramChart, "There is no picture of this answer: ask without it")
	}
	return raster.PNG(cleanPicture(svg))
}

// pictureTexts finds the style sheet of a picture, which is our own, and the texts between its tags. All
// that visitors sent is text: attributes hold places and sizes.
var pictureTexts = regexp.MustCompile(`(?s)<style>.*?</style>|>[^<]+`)

// cleanPicture cleans the texts of a picture as those of an answer are: whoever reads a picture reads
// them, too.
func cleanPicture(svg []byte) []byte {
	var c cleaner
	return pictureTexts.ReplaceAllFunc(svg, func(found []byte) []byte {
		if found[0] == '<' {
			return found
		}
		text := html.UnescapeString(string(found[1:]))
		return []byte(">" + html.EscapeString(c.text(text)))
	})
}

func pictureContent(png []byte) *mcp.ImageContent {
	return &mcp.ImageContent{Data: png, MIMEType: "image/png", Meta: untrusted()}
}

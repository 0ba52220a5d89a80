package openapi

import (
	_ "embed" // the text
	"fmt"
	"strings"

	"millimetric/query"
)

//go:embed llms.txt
var llmsText string

// LLMs is what /llms.txt says: what the server is, and which questions it answers.
func LLMs() []byte {
	var b strings.Builder
	b.WriteString(llmsText)
	for _, d := range query.Descriptions() {
		fmt.Fprintf(&b, "- `%s`: %s.", d.Name, d.Short)
		for i, p := range d.Params {
			switch p.Name {
			case "from", "to", "tz", "filters", "actor", "include_bots", "explain", "as_of", "format", "project_id", "project_slug", "limit":
				continue // of all questions
			}
			if i == 0 {
				b.WriteString(" Takes")
			}
			fmt.Fprintf(&b, " `%s`", p.Name)
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

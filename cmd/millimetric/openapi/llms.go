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
	for _, d := range append(query.Descriptions(), query.DescribeExport(), query.DescribeSubject()) {
		fmt.Fprintf(&b, "- `%s`: %s.", d.Name, d.Short)
		takes := " Takes"
		for _, p := range d.Params {
			switch p.Name {
			case "from", "to", "tz", "filters", "actor", "include_bots", "explain", "as_of", "format", "project_id", "project_slug", "limit":
				continue // of all questions
			}
			fmt.Fprintf(&b, "%s `%s`", takes, p.Name)
			takes = ""
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

package ask

import (
	"strings"

	"millimetric/query"
)

// flagOf is the flag that gives a parameter: of the same name, with "-" for "_".
func flagOf(p query.Param) string { return strings.ReplaceAll(p.Name, "_", "-") }

// rangeHelp says what a command line does about the range where the API requires it.
var rangeHelp = map[string]string{
	"from": " (default: 29 days before today)",
	"to":   " (default: the end of today)",
}

// helpOf describes a flag in a line.
func helpOf(p query.Param) string {
	help := p.Help
	switch p.Kind {
	case query.KindFilters, query.KindSteps, query.KindExclusions:
		help = "JSON: " + help
	case query.KindStep:
		help += " as JSON"
	}
	if len(p.Words) > 0 {
		help += ": " + strings.Join(p.Words, ", ")
	}
	if p.Default != "" && p.Default != "false" {
		help += " (default " + p.Default + ")"
	}
	return help + rangeHelp[p.Name]
}

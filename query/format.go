package query

import "strings"

// Format is how an answer is written.
type Format string

// The formats. FormatAny leaves it to whoever writes the answer.
const (
	FormatAny  Format = ""
	FormatJSON Format = "json"
	FormatCSV  Format = "csv"
	FormatSVG  Format = "svg"

	// Listings are written as these, or as CSV.
	FormatNDJSON  Format = "ndjson"
	FormatParquet Format = "parquet"
)

// format reads a format, one of some.
func (r *reader) format(formats ...Format) Format {
	text, ok := r.text("format")
	if !ok {
		return FormatAny
	}
	words := make([]string, len(formats))
	for i, f := range formats {
		if words[i] = string(f); words[i] == text {
			return f
		}
	}
	r.errs.Add("format", "Must be one of: "+strings.Join(words, ", "))
	return FormatAny
}

// noPicture refuses pictures of what has none.
func (r *reader) noPicture(c *Common) {
	if c.Format == FormatSVG {
		r.errs.Add("format", "Must be one of: json, csv; single rows have no picture")
	}
}

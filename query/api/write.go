package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millimetric/query"
	"millimetric/query/chart"
	"millimetric/query/table"
)

// A table and a picture hold no more than rows, so what a client needs to go on, or to ask the same again,
// stands in headers beside them.
const (
	headerAsOf = "Millimetric-As-Of"
	headerNext = "Millimetric-Next"
)

// mediaTypes are those of the formats, as Accept asks for them.
var mediaTypes = map[query.Format]string{
	query.FormatJSON: "application/json",
	query.FormatCSV:  "text/csv",
	query.FormatSVG:  "image/svg+xml",

	query.FormatNDJSON:  "application/x-ndjson",
	query.FormatParquet: "application/vnd.apache.parquet",
}

// MediaType is the content type of what is written in a format.
func MediaType(format query.Format) string {
	if format == query.FormatCSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return mediaTypes[format]
}

// write writes an answer as it was asked for.
func write(ctx *fasthttp.RequestCtx, name string, question query.Question, a *query.Answer) error {
	ctx.Response.Header.Add("Vary", "Accept")
	switch formatOf(ctx, question) {
	case query.FormatCSV:
		t, err := table.Of(question, a)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		body, err := t.AppendCSV(nil)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		beside(ctx, a)
		ctx.Response.Header.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
		ctx.SetContentType(MediaType(query.FormatCSV))
		ctx.SetBody(body)
	case query.FormatSVG:
		svg, drawn, err := chart.Draw(question, a)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		if !drawn {
			return writeJSON(ctx, a)
		}
		beside(ctx, a)
		// Should a browser open the picture as a page, it must load and run nothing all the same.
		ctx.Response.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		ctx.SetContentType(mediaTypes[query.FormatSVG])
		ctx.SetBody(svg)
	default:
		return writeJSON(ctx, a)
	}
	ctx.SetStatusCode(fasthttp.StatusOK)
	return nil
}

func writeJSON(ctx *fasthttp.RequestCtx, a *query.Answer) error {
	ctx.SetContentType(mediaTypes[query.FormatJSON])
	ctx.SetStatusCode(fasthttp.StatusOK)
	ctx.SetBody(a.AppendJSON(nil))
	return nil
}

func beside(ctx *fasthttp.RequestCtx, a *query.Answer) {
	ctx.Response.Header.Set(headerAsOf, strconv.FormatUint(uint64(a.AsOf), 10))
	if next := a.Next(); next != "" {
		ctx.Response.Header.Set(headerNext, next)
	}
}

// formatOf is the format of an answer.
func formatOf(ctx *fasthttp.RequestCtx, question query.Question) query.Format {
	return Choose(ctx, question.Settings().Format, query.FormatJSON, query.FormatCSV, query.FormatSVG)
}

// Choose returns the format that a request names, else the one of those offered that Accept likes best, else
// the first of them.
func Choose(ctx *fasthttp.RequestCtx, named query.Format, offered ...query.Format) query.Format {
	if named != query.FormatAny {
		return named
	}
	best, quality := offered[0], 0.0
	for part := range strings.SplitSeq(string(ctx.Request.Header.Peek("Accept")), ",") {
		kind, q := mediaRange(part)
		for _, format := range offered {
			whole, _, _ := strings.Cut(mediaTypes[format], "/")
			named := kind == mediaTypes[format] || kind == whole+"/*" || kind == "*/*" && format == offered[0]
			if named && q > quality {
				best, quality = format, q
			}
		}
	}
	return best
}

// mediaRange reads one part of an Accept header. What can't be read is liked least.
func mediaRange(part string) (kind string, quality float64) {
	kind, params, _ := strings.Cut(part, ";")
	quality = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
			quality = q
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), quality
}

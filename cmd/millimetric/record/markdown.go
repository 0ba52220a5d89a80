package record

import (
	"fmt"
	"strings"
	"time"
)

// Markdown writes the record for readers.
func (r *Record) Markdown() []byte {
	w := &writer{}
	w.line("# Record of processing")
	w.line("")
	w.line("Account %s, as of %s, written by millimetric %s from its running configuration.", clean(r.Account), r.At.Format(time.RFC3339), clean(r.Version))
	w.line("")
	w.line("## What is collected, and why")
	w.table("Field|What it is|Why it is kept|Personal", len(r.Fields), func(i int) []string {
		f := r.Fields[i]
		return []string{f.Name, f.What, f.Why, yes(f.Personal)}
	})
	w.line("Not kept:")
	w.line("")
	for _, what := range r.Dropped {
		w.line("- %s", what)
	}
	w.line("")
	w.line("## Measures in force")
	w.measures(r.Measures)
	w.line("Last restore of a backup for trial: %s.", r.LastDrill.text())
	w.line("")
	w.line("## Who holds account keys")
	w.keys(r.Admins)
	for i := range r.Projects {
		w.project(&r.Projects[i])
	}
	return []byte(w.String())
}

// writer writes Markdown.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.Builder, format+"\n", args...)
}

// table writes a table, with an empty line before and after.
func (w *writer) table(head string, n int, row func(i int) []string) {
	columns := strings.Split(head, "|")
	w.line("")
	w.line("| %s |", strings.Join(columns, " | "))
	w.line("|%s", strings.Repeat(" --- |", len(columns)))
	for i := range n {
		cells := row(i)
		for j := range cells {
			cells[j] = clean(cells[j])
		}
		w.line("| %s |", strings.Join(cells, " | "))
	}
	w.line("")
}

func (w *writer) measures(list []Measure) {
	w.table("Measure|In force|How", len(list), func(i int) []string { return []string{list[i].Name, yes(list[i].On), list[i].Note} })
}

func (w *writer) keys(list []Key) {
	w.table("Prefix|Kind|For|May|Made|Last used|Expires", len(list), func(i int) []string {
		k := list[i]
		return []string{k.Prefix, k.Kind, k.Name, strings.Join(k.May, ", "), day(&k.Created), day(k.LastUsed), day(k.Expires)}
	})
}

func (w *writer) project(p *Project) {
	w.line("## Project %s (%s)", clean(p.Name), clean(p.Slug))
	w.line("")
	kept := "for ever"
	if p.KeptDays > 0 {
		kept = fmt.Sprintf("for %d days", p.KeptDays)
	}
	w.line("Events are kept %s. Pages of these origins may send them: %s.", kept, orNone(p.Origins))
	if p.Archived != nil {
		w.line("It takes no events since %s.", day(p.Archived))
	}
	w.line("Erasures that aren't physically done: %d.", p.OpenErasures)
	w.measures(p.Measures)
	w.line("Keys:")
	w.keys(p.Keys)
}

func (d *Drill) text() string {
	switch {
	case d == nil:
		return "none is known"
	case d.OK:
		return d.At.Format(time.RFC3339) + ", it succeeded"
	}
	return d.At.Format(time.RFC3339) + ", it failed"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func day(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.DateOnly)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return clean(strings.Join(list, ", "))
}

// clean keeps what somebody named from ending a cell or beginning something else.
func clean(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "`", "'", "<", "&lt;", "[", `\[`).Replace(text)
}

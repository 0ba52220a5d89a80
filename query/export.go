package query

import (
	"strconv"
	"strings"
	"time"

	"millimetric/index/event"
)

// Export asks for all events of a range, oldest first.
type Export struct {
	Common
	Matches []Match
	Since   event.Seq // only events with later positions
	Limit   int       // of events; 0 for none
}

// NameExport is the export's name: that of its path in the API, and in its cursors.
const NameExport = "export"

// ParseExport reads an export as Parse reads a question.
func ParseExport(form Form) (*Export, error) {
	form, page, err := form.resume(NameExport)
	if err != nil {
		return nil, err
	}
	r := newReader(form)
	zone := r.zone("tz")
	from, to := r.time("from", zone), r.time("to", zone)
	if len(r.errs) == 0 && from >= to {
		r.errs.Add("to", "Must be later than from")
	}
	q := &Export{Common: r.listed(zone, FormatNDJSON, FormatCSV, FormatParquet)}
	q.name, q.form, q.From, q.To = NameExport, form, from, to
	q.IncludeBots = r.flag("include_bots")
	q.Filters, q.filtersText = r.filters("filters", zone)
	q.Matches = r.match(q.Matches, "event", event.ColumnName)
	for _, column := range exportColumns {
		q.Matches = r.match(q.Matches, string(column), column)
	}
	q.Since, _ = r.position("since")
	if _, sent := r.form.fields["limit"]; sent {
		q.Limit = r.limit("limit", 0, exportLimitMax)
	}
	q.Page = page
	if at, ok := r.place("after", zone); ok && page.Seq == 0 {
		q.Page = at
	}
	return q, r.finish()
}

// NewAll asks for all events there are, bots' included.
func NewAll() *Export {
	q := &Export{}
	q.From, q.To, q.IncludeBots, q.Zone = event.TimeMin, event.TimeMax+1, true, time.UTC
	return q
}

// exportColumns are those of which a parameter may ask for one value.
var exportColumns = []event.Column{event.ColumnSource, event.ColumnMedium, event.ColumnUserID, event.ColumnCountry, event.ColumnAnonymousID}

// exportLimitMax is no more than the largest number that all clients read exactly.
const exportLimitMax = 1 << 31

// listed reads what every listing has.
func (r *reader) listed(zone *time.Location, formats ...Format) Common {
	c := Common{Zone: zone}
	c.AsOf, c.Replay = r.position("as_of")
	c.Format = r.format(formats...)
	r.take("project_id") // who is asked was settled before
	r.take("project_slug")
	return c
}

// place reads where an earlier answer ended: the time and the position of an event, with a comma between.
func (r *reader) place(name string, zone *time.Location) (Page, bool) {
	text, ok := r.text(name)
	if !ok {
		return Page{}, false
	}
	moment, number, _ := strings.Cut(text, ",")
	at, err := event.ParseTime(moment, zone)
	seq, notNumber := strconv.ParseUint(number, 10, 64)
	if err != nil || notNumber != nil || seq == 0 {
		r.errs.Add(name, "Must be the timestamp and the seq of an event, as in 2026-05-01T10:00:00.000Z,17")
		return Page{}, false
	}
	return Page{Time: at, Seq: event.Seq(seq)}, true
}

func (q *Export) after() event.Seq { return q.Since }

func (q *Export) looks(*run) ([]look, error) {
	return []look{{wants: conditionsOf(q.Matches, q.Filters), one: oneOf(q.Matches, q.Filters)}}, nil
}

// DescribeExport says what an export takes.
func DescribeExport() Description {
	params := []Param{
		{Name: "from", Kind: KindMoment, Required: true, Help: "first moment of the range, ISO 8601; a date alone is its midnight"},
		{Name: "to", Kind: KindMoment, Required: true, Help: "first moment after the range"},
		{Name: "tz", Kind: KindZone, Help: "time zone of from and to (default: the project's, or UTC)"},
		{Name: "format", Kind: KindFormat, Words: []string{string(FormatNDJSON), string(FormatCSV), string(FormatParquet)},
			Default: string(FormatNDJSON), Help: "how the events are written"},
		{Name: "include_bots", Kind: KindFlag, Default: "false", Help: "bots' events, too"},
		{Name: "filters", Kind: KindFilters, Help: "list of filters that must all hold"},
		{Name: "event", Kind: KindText, Help: "only events of this name"},
	}
	for _, column := range exportColumns {
		params = append(params, Param{Name: string(column), Kind: KindText, Help: "only events with this value"})
	}
	return Description{Name: NameExport, Short: "Stream the events of a range, oldest first", Paged: true, Params: append(params,
		Param{Name: "as_of", Kind: KindPosition, Help: "events up to this position; the header Millimetric-As-Of says which it was"},
		Param{Name: "since", Kind: KindPosition, Help: "only events after this position: what came since an earlier export"},
		Param{Name: "after", Kind: KindText, Help: "go on after an event that was received: its timestamp and seq, with a comma between; goes with as_of"},
		Param{Name: "limit", Kind: KindWhole, Least: 1, Most: exportLimitMax, Help: "end after so many events; the trailer Millimetric-Next is the cursor then"},
		cursorParam(),
		Param{Name: "project_id", Kind: KindProject, Help: "project that is asked about; an account key (ak_…) must name one"},
		Param{Name: "project_slug", Kind: KindProject, Help: "the same, by its slug"},
	)}
}

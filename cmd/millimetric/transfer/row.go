// Package transfer carries events out of a project and back into one: as lines of JSON, as CSV, as
// Parquet; over HTTP and on the command line.
//
// It answers no questions and decides no access: which events are asked for, the questions' door says, and
// who may ask was settled before. What goes out is held a batch at a time, whatever there is of it. The
// package starts no goroutines. On the server it writes nothing to disk but the events that it takes in,
// through the engine; on the command line it writes the files that it is asked for, each under another
// name until it is whole.
package transfer

import (
	"fmt"

	"millimetric/index/event"
)

// Row is an event as it is carried: with the names and values of /v1/query, and what makes the event
// the same again elsewhere. Empty text is a missing value, in Parquet too.
type Row struct {
	Timestamp        int64  `parquet:"timestamp,timestamp(millisecond),delta"`
	Name             string `parquet:"event_name,dict"`
	ID               string `parquet:"event_id,optional"`
	AnonymousID      string `parquet:"anonymous_id"`
	UserID           string `parquet:"user_id,optional"`
	SessionID        string `parquet:"session_id"`
	Source           string `parquet:"source,dict"`
	Medium           string `parquet:"medium,dict"`
	Campaign         string `parquet:"campaign,optional,dict"`
	SourceConfidence string `parquet:"source_confidence,dict"`
	SourceRule       string `parquet:"source_rule_id,dict"`
	Referrer         string `parquet:"referrer,optional"`
	URL              string `parquet:"url,optional"`
	Path             string `parquet:"path,optional"`
	Country          string `parquet:"country,dict"`
	Device           string `parquet:"device_type,dict"`
	Browser          string `parquet:"browser,dict"`
	OS               string `parquet:"os,dict"`
	Properties       string `parquet:"properties,json"`
	Bot              string `parquet:"bot,optional,dict"`
	IPHash           string `parquet:"ip_hash,optional"`
	SessionDerived   bool   `parquet:"session_derived"`
	Seq              uint64 `parquet:"seq,delta"`
}

// rowOf makes a row of an event.
func rowOf(e *event.Event) Row {
	return Row{
		Timestamp: int64(e.Time), Name: e.Name, ID: e.ID, AnonymousID: e.AnonymousID, UserID: e.UserID, SessionID: e.SessionID,
		Source: e.Source, Medium: e.Medium, Campaign: e.Campaign, SourceConfidence: e.SourceConfidence, SourceRule: e.SourceRule,
		Referrer: e.Referrer, URL: e.URL, Path: e.Path, Country: e.Country, Device: e.Device, Browser: e.Browser, OS: e.OS,
		Properties: e.Properties, Bot: e.Bot, IPHash: e.IPHash, SessionDerived: e.SessionDerived, Seq: uint64(e.Seq),
	}
}

// event makes the event of a row. Its position is that of the store that it comes from.
func (r *Row) event() event.Event {
	return event.Event{
		Time: event.Time(r.Timestamp), Name: r.Name, ID: r.ID, AnonymousID: r.AnonymousID, UserID: r.UserID, SessionID: r.SessionID,
		Source: r.Source, Medium: r.Medium, Campaign: r.Campaign, SourceConfidence: r.SourceConfidence, SourceRule: r.SourceRule,
		Referrer: r.Referrer, URL: r.URL, Path: r.Path, Country: r.Country, Device: r.Device, Browser: r.Browser, OS: r.OS,
		Properties: r.Properties, Bot: r.Bot, IPHash: r.IPHash, SessionDerived: r.SessionDerived, Seq: event.Seq(r.Seq),
	}
}

// column is one value of a row, as lines of JSON and CSV have it.
type column struct {
	name  string
	kind  kind
	field func(*Row) *string // of text
}

type kind int

const (
	kindText  kind = iota // never missing; may be empty
	kindMaybe             // text, null where it is empty
	kindTime
	kindFlag
	kindSeq
)

// columns are all values of a row, in the order of Row.
var columns = []column{
	{"timestamp", kindTime, nil},
	{"event_name", kindText, func(r *Row) *string { return &r.Name }},
	{"event_id", kindMaybe, func(r *Row) *string { return &r.ID }},
	{"anonymous_id", kindText, func(r *Row) *string { return &r.AnonymousID }},
	{"user_id", kindMaybe, func(r *Row) *string { return &r.UserID }},
	{"session_id", kindText, func(r *Row) *string { return &r.SessionID }},
	{"source", kindText, func(r *Row) *string { return &r.Source }},
	{"medium", kindText, func(r *Row) *string { return &r.Medium }},
	{"campaign", kindMaybe, func(r *Row) *string { return &r.Campaign }},
	{"source_confidence", kindText, func(r *Row) *string { return &r.SourceConfidence }},
	{"source_rule_id", kindText, func(r *Row) *string { return &r.SourceRule }},
	{"referrer", kindMaybe, func(r *Row) *string { return &r.Referrer }},
	{"url", kindMaybe, func(r *Row) *string { return &r.URL }},
	{"path", kindMaybe, func(r *Row) *string { return &r.Path }},
	{"country", kindText, func(r *Row) *string { return &r.Country }},
	{"device_type", kindText, func(r *Row) *string { return &r.Device }},
	{"browser", kindText, func(r *Row) *string { return &r.Browser }},
	{"os", kindText, func(r *Row) *string { return &r.OS }},
	{"properties", kindText, func(r *Row) *string { return &r.Properties }},
	{"bot", kindMaybe, func(r *Row) *string { return &r.Bot }},
	{"ip_hash", kindMaybe, func(r *Row) *string { return &r.IPHash }},
	{"session_derived", kindFlag, nil},
	{"seq", kindSeq, nil},
}

const timeLayout = "2006-01-02T15:04:05.000Z"

func timeText(t event.Time) string { return t.Std().Format(timeLayout) }

// columnNamed finds a column.
func columnNamed(name string) (column, error) {
	for _, c := range columns {
		if c.name == name {
			return c, nil
		}
	}
	return column{}, fmt.Errorf("no column is named %q", name)
}

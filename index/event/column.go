package event

// Column names one column of an event as clients spell it. The columns are those of /v1/query.
type Column string

// The columns, in the order in which /v1/query gives them.
const (
	ColumnTimestamp        Column = "timestamp"
	ColumnName             Column = "event_name"
	ColumnID               Column = "event_id"
	ColumnAnonymousID      Column = "anonymous_id"
	ColumnUserID           Column = "user_id"
	ColumnSessionID        Column = "session_id"
	ColumnSource           Column = "source"
	ColumnMedium           Column = "medium"
	ColumnCampaign         Column = "campaign"
	ColumnSourceConfidence Column = "source_confidence"
	ColumnSourceRule       Column = "source_rule_id"
	ColumnReferrer         Column = "referrer"
	ColumnURL              Column = "url"
	ColumnPath             Column = "path"
	ColumnCountry          Column = "country"
	ColumnDevice           Column = "device_type"
	ColumnBrowser          Column = "browser"
	ColumnOS               Column = "os"
)

// Text returns the value of a text column, "" where it is missing. ok is false for an unknown
// column and for the timestamp, which is no text.
func (e *Event) Text(c Column) (value string, ok bool) {
	switch c {
	case ColumnName:
		return e.Name, true
	case ColumnID:
		return e.ID, true
	case ColumnAnonymousID:
		return e.AnonymousID, true
	case ColumnUserID:
		return e.UserID, true
	case ColumnSessionID:
		return e.SessionID, true
	case ColumnSource:
		return e.Source, true
	case ColumnMedium:
		return e.Medium, true
	case ColumnCampaign:
		return e.Campaign, true
	case ColumnSourceConfidence:
		return e.SourceConfidence, true
	case ColumnSourceRule:
		return e.SourceRule, true
	}
	return e.textOfPlace(c)
}

// textOfPlace reads the columns that say where: in the site, in the world, on which device.
func (e *Event) textOfPlace(c Column) (value string, ok bool) {
	switch c {
	case ColumnReferrer:
		return e.Referrer, true
	case ColumnURL:
		return e.URL, true
	case ColumnPath:
		return e.Path, true
	case ColumnCountry:
		return e.Country, true
	case ColumnDevice:
		return e.Device, true
	case ColumnBrowser:
		return e.Browser, true
	case ColumnOS:
		return e.OS, true
	}
	return "", false
}

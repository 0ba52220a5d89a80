// Package record is the controller's record of processing: what is collected about visitors, why and for how
// long, who can get at it, and which measures are in force.
//
// It gathers nothing by itself: the server fills it in from what it really does. It starts no goroutines
// and touches no disk. What is collected is told of the type of an event itself, so that nothing that is kept
// can be left out.
package record

import (
	"reflect"
	"time"

	"millimetric/index/event"
)

// Record is the whole record.
type Record struct {
	At       time.Time `json:"at"`
	Version  string    `json:"version"` // of the program
	Account  string    `json:"account"`
	Fields   []Field   `json:"collected"`
	Dropped  []string  `json:"not_kept"`
	Projects []Project `json:"projects"`
	Admins   []Key     `json:"account_keys"`
	Measures []Measure `json:"measures"`
	// LastDrill is when a backup was last restored for trial; nil where that is not known.
	LastDrill *Drill `json:"last_drill"`
}

// Field is one thing that is kept of an event.
type Field struct {
	Name     string `json:"name"`
	What     string `json:"what"`
	Why      string `json:"why"`
	Personal bool   `json:"personal"` // it may tell one visitor from others, or hold what the site sends about one
}

// Project is what is kept of one site, and for how long.
type Project struct {
	ID       string     `json:"id"`
	Slug     string     `json:"slug"`
	Name     string     `json:"name"`
	Since    time.Time  `json:"created_at"`
	Archived *time.Time `json:"archived_at"`
	// KeptDays is for how many days events are kept; 0 is for ever.
	KeptDays int       `json:"kept_days"`
	Origins  []string  `json:"origins"`
	Measures []Measure `json:"measures"`
	Keys     []Key     `json:"keys"`
	// OpenErasures are those that were asked for and aren't physically done.
	OpenErasures int `json:"open_erasures"`
}

// Key is who can get at the data.
type Key struct {
	Prefix   string     `json:"prefix"`
	Kind     string     `json:"kind"`
	Name     string     `json:"name"`
	May      []string   `json:"may"` // names of routes
	Created  time.Time  `json:"created_at"`
	LastUsed *time.Time `json:"last_used_at"`
	Expires  *time.Time `json:"expires_at"`
}

// Measure is one measure, and how it stands.
type Measure struct {
	Name string `json:"name"`
	On   bool   `json:"on"`
	Note string `json:"note"`
}

// Drill is a restore for trial.
type Drill struct {
	At time.Time `json:"at"`
	OK bool      `json:"ok"`
}

// fields says of each field of an event what it is and why it is kept. A test holds it against the type.
var fields = map[string]Field{
	"Seq":              {What: "position in the project's log", Why: "to order events and to ask again what was answered before"},
	"Time":             {What: "when it happened", Why: "every question is about a range of time"},
	"Name":             {What: "what happened", Why: "to count it"},
	"ID":               {What: "the client's id of the event", Why: "a retry must count once"},
	"AnonymousID":      {What: "a visitor: an id that the site keeps, or one made for a day or for once", Why: "to count visitors", Personal: true},
	"UserID":           {What: "the site's own id of a user, where it sends one", Why: "to count users over several devices", Personal: true},
	"SessionID":        {What: "a visit: an id that the site sends, or one made of visitor and half-hour", Why: "to count visits", Personal: true},
	"SessionDerived":   {What: "whether the visit's id was made", Why: "attribution must not take its end for that of the visit"},
	"URL":              {What: "address of the page, without what looks like personal data", Why: "pages, campaigns", Personal: true},
	"Path":             {What: "path of the page, without what looks like personal data", Why: "pages", Personal: true},
	"Referrer":         {What: "page before, without what looks like personal data", Why: "where visits come from", Personal: true},
	"Source":           {What: "site or network that the visit came from", Why: "attribution"},
	"Medium":           {What: "kind of way: paid, social, e-mail, …", Why: "attribution"},
	"Campaign":         {What: "campaign that the address names", Why: "attribution"},
	"SourceConfidence": {What: "how sure the source is", Why: "attribution can be checked"},
	"SourceRule":       {What: "rule that told the source", Why: "attribution can be checked"},
	"Country":          {What: "country of the address, never finer", Why: "numbers by country"},
	"Device":           {What: "desktop, mobile or tablet", Why: "numbers by device"},
	"Browser":          {What: "family of the browser", Why: "numbers by browser"},
	"OS":               {What: "family of the system", Why: "numbers by system"},
	"IPHash":           {What: "the address, hashed under a salt that is destroyed with its day", Why: "to find floods within a day", Personal: true},
	"Bot":              {What: "why the event is held to be a machine's", Why: "machines are left out of answers"},
	"Properties":       {What: "what the site sends beside, without what looks like personal data", Why: "the site's own questions", Personal: true},
}

// Collected lists what is kept of an event, in the order in which its type has it.
func Collected() (list []Field) {
	for f := range reflect.TypeFor[event.Event]().Fields() {
		is := fields[f.Name]
		is.Name = f.Name
		list = append(list, is)
	}
	return list
}

// NotKept lists what is used while a request is read and is kept nowhere.
func NotKept() []string {
	return []string{
		"the address (IP) of a visitor: it becomes a country and a hash of the day",
		"the user agent: it becomes the families of browser and system, and the kind of device",
		"cookies: none is set and none is read",
		"personal data in addresses and properties: it is looked for and taken out before anything is stored",
	}
}

package event

import "time"

// Every limit on what a client may send, with the reason for its value. Lengths are in Unicode
// code points unless the name says bytes. The values are the API's contract.
const (
	NameMax        = 128 // an event's name is a word for a chart, not a message
	IDMax          = 128 // fits any UUID, ULID or hash in text
	AnonymousIDMax = 128
	SessionIDMax   = 128
	UserIDMax      = 256 // some systems use e-mail addresses or URNs
	URLMax         = 2048
	PathMax        = 2048
	ReferrerMax    = 2048

	// PropertiesBytesMax bounds the properties of one event, white space aside: beyond it, a page
	// of raw events would no longer fit a reasonable answer.
	PropertiesBytesMax = 8 << 10
	// PropertiesDepthMax bounds recursion over properties that strangers wrote.
	PropertiesDepthMax = 64

	// BatchEventsMax bounds what one all-or-nothing request can hold up.
	BatchEventsMax = 1000
	// BodyBytesMax bounds a request's body, before and after decompression.
	BodyBytesMax = 16 << 20

	// AheadMax is how far a client's clock may be ahead of the server's.
	AheadMax = 24 * time.Hour
)

// TimeMin and TimeMax bound the times that an event or a range may name: from 1970 on, and four
// digits for the year, which keeps ISO 8601 text sortable.
const (
	TimeMin Time = 0
	TimeMax Time = 253402300799999 // 9999-12-31T23:59:59.999Z
)

package event

import (
	"errors"
	"strings"
	"syscall"
	"time"
)

// The six kinds of error. Callers branch on these, through errors.Is, and on nothing else.
var (
	ErrInput    = errors.New("bad input")      // the request is wrong; sending it again won't help
	ErrDenied   = errors.New("denied")         // the caller may not do this
	ErrMissing  = errors.New("not found")      // what was named isn't there
	ErrLimit    = errors.New("over a limit")   // not now, or not this much; often worth a retry
	ErrDamaged  = errors.New("damaged")        // stored bytes aren't what was written
	ErrInternal = errors.New("internal error") // our fault
)

// FieldErrors says what is wrong with which field: a path such as "events.3.url", then messages.
type FieldErrors map[string][]string

// Add notes one more message for a field.
func (f FieldErrors) Add(field, message string) { f[field] = append(f[field], message) }

// Error is an error that a client gets to see. Code is one of the stable codes of the API; Fields
// and Notes become its details; Cause is for the log only and is never sent.
type Error struct {
	Kind    error
	Code    string
	Fields  FieldErrors
	Notes   []string       // what is wrong with the request as a whole
	Extra   map[string]any // more members of the answer's top level, such as "allowed"
	RetryIn time.Duration  // when a retry may help; 0 where it won't
	Cause   error
}

// Error gives the code and all that is known, for logs and tests.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	for _, note := range e.Notes {
		b.WriteString(": " + note)
	}
	for field, messages := range e.Fields {
		b.WriteString(": " + field + ": " + strings.Join(messages, "; "))
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Is makes errors.Is(err, ErrInput) and its kin true.
func (e *Error) Is(target error) bool { return e.Kind == target }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// RetryFull is what callers are told to wait where the disk is full: space comes back slowly.
const RetryFull = 10 * time.Second

// AsError finds what a client may see of an error. A disk without room is said to be one, wherever the write was
// that met it: that is for the operator to repair, and then for the caller to try again. All else that isn't
// meant for clients becomes an internal error: its text could hold what they must not see.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Kind: ErrLimit, Code: CodeDiskLow, RetryIn: RetryFull, Cause: err}
	}
	return &Error{Kind: ErrInternal, Code: CodeInternal, Cause: err}
}

// The codes that more than one package answers with; the rest stand where they are made.
const (
	CodeInvalidPayload = "invalid_payload"
	CodeInvalidParams  = "invalid_params"
	CodeNotFound       = "not_found"
	CodeTooLarge       = "payload_too_large"
	CodeOverloaded     = "overloaded"
	CodeDiskLow        = "disk_low"
	CodeOutcomeUnknown = "outcome_unknown"
	CodeDamaged        = "damaged"
	CodeInternal       = "internal_error"
)

// InvalidField is the error for one bad field of a body (code invalid_payload) or of a question
// (code invalid_params).
func InvalidField(code, field, message string) *Error {
	return &Error{Kind: ErrInput, Code: code, Fields: FieldErrors{field: {message}}}
}

// Invalid is the error for a request that is wrong as a whole.
func Invalid(code, note string) *Error {
	return &Error{Kind: ErrInput, Code: code, Notes: []string{note}}
}

package backup

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"millimetric/index/event"
)

// Target is where a backup lies: objects with names. It is safe for concurrent use. An object that isn't
// there is an error of kind event.ErrMissing.
type Target interface {
	// Put writes an object, in place of one that has the name. After an error there is the old one or the new
	// one, or none where there was none; never a part of one. Size is -1 where it isn't known.
	Put(ctx context.Context, name string, r io.Reader, size int64) error
	// Get reads an object. Who reads sees its end where it ends, and an error where it can't be read on.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List visits all objects whose names begin with prefix, in any order.
	List(ctx context.Context, prefix string, visit func(Object) error) error
	// Remove deletes an object. One that isn't there is no error.
	Remove(ctx context.Context, name string) error
	// String names the target for operators, without secrets.
	String() string
}

// Object is what a target says of one.
type Object struct {
	Name     string
	Bytes    int64
	Modified time.Time
}

// names are what objects may be named: what every file system and every service takes as it is.
var names = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*$`)

func checkName(name string) error {
	if !names.MatchString(name) || len(name) > 200 {
		return fmt.Errorf("%w: %q can't be the name of an object", event.ErrInput, name)
	}
	return nil
}

func missing(name string) error {
	return fmt.Errorf("%w: the target has no object %s", event.ErrMissing, name)
}

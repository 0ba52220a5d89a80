package api

import (
	"context"
	"errors"
)

// errGone is why a context ends whose client has hung up.
var errGone = errors.New("the client is gone")

// goneEvery is how many looks at a context make one look at the connection. A question looks at its budgets
// every few thousand rows, that is some ten thousand times a second; the system needn't be asked as often.
const goneEvery = 64

// attended is a context that also ends when the client hangs up. It is for one goroutine, and for those who
// ask Err from time to time, as questions do: Done doesn't tell.
type attended struct {
	context.Context
	gone  func() bool
	looks int
	ended bool
}

// Err is nil while somebody waits for the answer.
func (a *attended) Err() error {
	if err := a.Context.Err(); err != nil {
		return err
	}
	if a.looks++; !a.ended && a.looks%goneEvery == 0 {
		a.ended = a.gone()
	}
	if a.ended {
		return errGone
	}
	return nil
}

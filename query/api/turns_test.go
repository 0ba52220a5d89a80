package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"millimetric/index/event"
)

// work takes so long, and looks at its context every millisecond.
func work(t *testing.T, turns *Turns, length time.Duration, running *int, most *int) {
	turn, err := turns.begin(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	defer turn.end()
	for done := time.Duration(0); done < length; done += time.Millisecond {
		if *running++; *running > *most {
			*most = *running
		}
		time.Sleep(time.Millisecond)
		*running--
		if err := turn.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestLongQuestionsLetShortOnesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1, time.Now)
		running, most := 0, 0
		long := make(chan time.Time, 2)
		for range 2 {
			go func() {
				work(t, turns, 5*time.Second, &running, &most)
				long <- time.Now()
			}()
		}
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		for range 3 {
			work(t, turns, 5*time.Millisecond, &running, &most)
		}
		if waited := time.Since(began); waited > 3*3*turnLength {
			t.Errorf("three short questions took %v beside two long ones", waited)
		}
		if first, second := <-long, <-long; second.Sub(first) > 3*turnLength {
			t.Errorf("of two long questions, one ended %v before the other", second.Sub(first))
		}
		if most != 1 {
			t.Errorf("%d questions worked at a time", most)
		}
	})
}

func TestAQuestionThatNeverHasATurnIsToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1, time.Now)
		holder, err := turns.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bounded, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var refused *event.Error
		if _, err := turns.begin(bounded); !errors.As(err, &refused) || refused.Code != event.CodeOverloaded || refused.RetryIn == 0 {
			t.Errorf("refused with %v", err)
		}
		holder.end()
		next, err := turns.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next.end()
	})
}

// A turn that was lost while its question waited for the next one is nobody's to give away.
func TestAQuestionThatEndsWhileItWaitsHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1, time.Now)
		bounded, cancel := context.WithCancel(t.Context())
		first, err := turns.begin(bounded)
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan *turn)
		go func() {
			own, err := turns.begin(t.Context())
			if err != nil {
				t.Error(err)
			}
			second <- own
		}()
		time.Sleep(2 * turnLength)
		ended := make(chan error)
		go func() { ended <- first.Err() }()
		own := <-second
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		first.end()
		if len(turns.slots) != 1 {
			t.Errorf("%d turns are held", len(turns.slots))
		}
		own.end()
	})
}

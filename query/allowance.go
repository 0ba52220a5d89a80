package query

import (
	"sync"
	"sync/atomic"
	"time"

	"millimetric/index/event"
)

// Allowance is the memory that all questions may use together. It is safe for concurrent use.
//
// What a question uses is reckoned from the entries of its tables, not measured: measuring would tell of
// the whole process, and too late. An entry is counted for what the commoner kinds take with their share of
// a half-empty map or a list that has just grown.
type Allowance struct {
	most int64 // bytes of all questions
	each int64 // bytes of one question

	taken atomic.Int64 // what is used, and what is lent beside

	mu   sync.Mutex // guards what follows
	used int64
}

const (
	// entryBytes is what an entry is counted for. Over 200,000 events of 100,000 visitors, the questions of
	// each kind kept alive between a third and 1.4 times what this comes to.
	entryBytes = 64
	// allowanceStep is what a question takes at a time: a small one takes one step, and a large one comes
	// back seldom.
	allowanceStep = 4 << 20
	// allowanceEach is the part, in eighths, that one question may have: a small one must still fit beside
	// it.
	allowanceEach = 7
	// busyRetry is when to ask again where others use the memory: most questions are over by then.
	busyRetry = time.Second
)

// NewAllowance allows so many bytes.
func NewAllowance(bytes int64) *Allowance {
	return &Allowance{most: bytes, each: max(bytes/8*allowanceEach, allowanceStep)}
}

// Used returns how many bytes questions use now.
func (a *Allowance) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// lend notes that something was lent which its holder lets go of where the allowance is tight, or given back.
func (a *Allowance) lend(bytes int64) {
	if a != nil {
		a.taken.Add(bytes)
	}
}

// tight tells whether what was lent must be let go of.
func (a *Allowance) tight() bool { return a != nil && a.taken.Load() > a.most }

// share is what one question has of an allowance.
type share struct {
	of   *Allowance // nil where only entriesMax bounds the question
	held int64
}

// cover sees to it that so many entries are allowed for.
func (s *share) cover(entries int) error {
	need := int64(entries) * entryBytes
	if entries > entriesMax || s.of != nil && need > s.of.each {
		return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge,
			Notes: []string{"Needs too much memory: narrow from and to, filter more, or group by fewer columns"}}
	}
	if s.of == nil || need <= s.held {
		return nil
	}
	more := (need - s.held + allowanceStep - 1) / allowanceStep * allowanceStep
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.of.used+more > s.of.most {
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Other questions use the memory"}, RetryIn: busyRetry}
	}
	s.of.used += more
	s.of.taken.Add(more)
	s.held += more
	return nil
}

// release gives all back.
func (s *share) release() {
	if s.of == nil {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.used -= s.held
	s.of.taken.Add(-s.held)
	s.held = 0
}

package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"millimetric/index/event"
)

// Question asks for entries; what isn't set matches all.
type Question struct {
	From, To time.Time // inclusive, exclusive
	Actor    string
	Action   string
	Project  string
	Account  string // entries of this account, and those of none
	Before   uint64 // only entries with lesser numbers
	Limit    int    // must be set
}

func (q *Question) takes(e *Entry) bool {
	return (q.From.IsZero() || !e.At.Before(q.From)) && (q.To.IsZero() || e.At.Before(q.To)) &&
		(q.Actor == "" || e.Actor == q.Actor) && (q.Action == "" || e.Action == q.Action) &&
		(q.Project == "" || e.Project == q.Project) && (q.Account == "" || e.Account == "" || e.Account == q.Account) &&
		(q.Before == 0 || e.N < q.Before)
}

// Row is an entry as it is kept: its text is what its hash covers.
type Row struct {
	Entry json.RawMessage `json:"entry"`
	Hash  Hash            `json:"hash"`
	N     uint64          `json:"-"`
}

// Read returns entries, the latest first. more says that there are others behind the last one.
func (l *Log) Read(q Question) (rows []Row, more bool, err error) {
	head := l.Head()
	if l.broken != nil {
		return nil, false, l.broken
	}
	for day := head.LastDay; head.N > 0 && day >= head.FirstDay; day-- {
		records, err := l.store.Records(kindOf(day))
		if err != nil {
			return nil, false, fmt.Errorf("read audit log: %w", err)
		}
		for _, r := range slices.Backward(records) {
			row, taken, err := q.row(r)
			if err != nil {
				return nil, false, err
			}
			if !taken {
				continue
			}
			if len(rows) == q.Limit {
				return rows, true, nil
			}
			rows = append(rows, row)
		}
	}
	return rows, false, nil
}

// Each gives all entries, the earliest first, whatever the question's limit. It holds those of a day.
func (l *Log) Each(q Question, give func(Row) error) error {
	head := l.Head()
	if l.broken != nil {
		return l.broken
	}
	for day := head.FirstDay; head.N > 0 && day <= head.LastDay; day++ {
		records, err := l.store.Records(kindOf(day))
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		for _, r := range records {
			row, taken, err := q.row(r)
			if err == nil && taken && row.N <= head.N {
				err = give(row)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// row reads an entry, and says whether it is one of those that are asked for.
func (q *Question) row(r Record) (row Row, taken bool, err error) {
	hash, text, err := split(r)
	var e Entry
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return row, false, fmt.Errorf("read audit log: %w: %w", event.ErrDamaged, err)
	}
	return Row{Entry: text, Hash: hash, N: e.N}, q.takes(&e), nil
}

// split takes a record apart into its hash and the text of its entry.
func split(r Record) (hash Hash, text []byte, err error) {
	if len(r.Value) <= len(hash) {
		return hash, nil, fmt.Errorf("entry %s of the audit log is too short", r.ID)
	}
	copy(hash[:], r.Value)
	return hash, r.Value[len(hash):], nil
}

// Verdict is what Verify found.
type Verdict struct {
	Entries  uint64   // that were read
	Head     Head     // up to which
	Problems []string // what doesn't hold, as it was found; the first problemsMax of them
}

const problemsMax = 100

func (v *Verdict) problem(format string, args ...any) {
	if len(v.Problems) < problemsMax {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Known is an entry that someone has seen before: its number and its hash.
type Known struct {
	N    uint64
	Hash Hash
}

// Verify reads the whole log and checks that no entry was changed, removed, added or moved, that the
// head is the one that was signed and, where known is given, that the log still holds that entry. The
// error tells of a log that can't be read at all.
func (l *Log) Verify(known *Known) (Verdict, error) {
	l.mu.Lock() // so that the head and the entries are of one moment
	defer l.mu.Unlock()
	v := Verdict{Head: l.head}
	if l.broken != nil {
		v.problem("the head can't be read: %v", errors.Unwrap(l.broken))
		return v, nil
	}
	stored, err := l.storedHead()
	if err != nil {
		return v, fmt.Errorf("verify audit log: %w", err)
	}
	if stored.N != l.head.N || !bytes.Equal(stored.Signature, l.head.Signature) {
		v.problem("the head is another than the one that was written last")
	}
	if stored.N > 0 && !ed25519.Verify(l.PublicKey(), stored.signed(), stored.Signature) {
		v.problem("the head's signature doesn't hold")
	}
	w := walk{verdict: &v, n: stored.First, before: stored.Before, known: known}
	for day := stored.FirstDay; stored.N > 0 && day <= max(stored.LastDay, dayOf(l.now())); day++ {
		records, err := l.store.Records(kindOf(day))
		if err != nil {
			return v, fmt.Errorf("verify audit log: %w", err)
		}
		for _, r := range records {
			w.record(r)
		}
	}
	w.end(stored)
	return v, nil
}

func (l *Log) storedHead() (head Head, err error) {
	head.First = 1
	records, err := l.store.Records(kindHead)
	for _, r := range records {
		if json.Unmarshal(r.Value, &head) != nil {
			err = fmt.Errorf("%w: the head", event.ErrDamaged)
		}
	}
	return head, err
}

// walk goes along the chain.
type walk struct {
	verdict *Verdict
	n       uint64 // of the next entry
	before  Hash
	known   *Known
	seen    bool // the known entry
}

func (w *walk) record(r Record) {
	w.verdict.Entries++
	hash, text, err := split(r)
	if err != nil {
		w.verdict.problem("%v", err)
		w.n++
		return
	}
	var e Entry
	var at uint64
	if _, err := fmt.Sscanf(r.ID, "%x", &at); err != nil || json.Unmarshal(text, &e) != nil || e.N != at {
		w.verdict.problem("entry %s isn't the one that belongs there", r.ID)
	}
	if at != w.n {
		w.verdict.problem("entry %d follows entry %d: those between are missing", at, w.n-1)
	} else if chain(w.before, text) != hash {
		w.verdict.problem("entry %d was changed, or the one before it", at)
	}
	if w.known != nil && at == w.known.N {
		w.seen = hash == w.known.Hash
	}
	w.n, w.before = at+1, hash
}

func (w *walk) end(head Head) {
	if w.n != head.N+1 {
		w.verdict.problem("the last entry is %d, and should be %d", w.n-1, head.N)
	} else if head.N > 0 && w.before != head.Hash {
		w.verdict.problem("the last entry isn't the one that the head names")
	}
	switch {
	case w.known == nil || w.seen:
	case w.known.N < head.First:
		w.verdict.problem("entry %d was dropped when its time was over", w.known.N)
	default:
		w.verdict.problem("entry %d isn't the one that was seen before: the log was put back or made anew", w.known.N)
	}
}

package audit

import (
	"context"
	"fmt"
	"time"
)

// Strangers may try as often as they like, and must not fill the disk: of what is refused, the first of
// a kind is written at once, and its like for a minute after it as one entry with their number.
const (
	refusalsEvery = time.Minute
	// refusalsMax bounds the kinds that are told apart at a time; what goes beyond is one more kind.
	refusalsMax = 16
)

// refusals counts what was not written, by entry without number and time.
type refusals map[refusal]*tally

type refusal struct{ action, actor, kind, account, result string }

type tally struct {
	since time.Time
	times int
}

// Refused notes that something was refused. Many of one kind become one entry. A log that is broken takes none, and
// that is no error: nothing was done.
func (l *Log) Refused(ctx context.Context, e Entry) error {
	if l.broken != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.tell(ctx, false); err != nil {
		return err
	}
	kind := refusal{e.Action, e.Actor, e.Kind, e.Account, e.Result}
	if l.refused[kind] == nil && len(l.refused) >= refusalsMax {
		kind = refusal{action: "other", result: e.Result}
		e = Entry{Action: kind.action, Result: kind.result}
	}
	if known := l.refused[kind]; known != nil {
		known.times++
		return nil
	}
	if err := l.append(ctx, e); err != nil {
		return err
	}
	l.refused[kind] = &tally{since: l.now()}
	return nil
}

// tell writes what was counted, and forgets kinds whose minute is over; all of them where all is set.
func (l *Log) tell(ctx context.Context, all bool) error {
	for kind, t := range l.refused {
		if age := l.now().Sub(t.since); !all && age >= 0 && age < refusalsEvery {
			continue
		}
		if t.times > 0 {
			e := Entry{Action: kind.action, Actor: kind.actor, Kind: kind.kind, Account: kind.account, Result: kind.result, Times: t.times}
			if err := l.append(ctx, e); err != nil {
				return err
			}
		}
		delete(l.refused, kind)
	}
	return nil
}

// dropAtOnce is how many entries are dropped in one write.
const dropAtOnce = 1000

// Upkeep writes what was counted and drops entries whose time is over. The server calls it every minute,
// and with all set before it ends.
func (l *Log) Upkeep(ctx context.Context, all bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.tell(ctx, all); err != nil {
		return err
	}
	oldest := dayOf(l.now()) - KeepDays
	for l.head.N > 0 && l.head.FirstDay < oldest && l.head.FirstDay < l.head.LastDay {
		if err := l.dropDay(ctx); err != nil {
			return fmt.Errorf("drop old entries of the audit log: %w", err)
		}
	}
	return nil
}

// dropDay drops the first day. The head moves with each part of it, so that a crash leaves a chain that
// holds.
func (l *Log) dropDay(ctx context.Context) error {
	records, err := l.store.Records(kindOf(l.head.FirstDay))
	if err != nil {
		return err
	}
	for len(records) > 0 {
		part := records[:min(len(records), dropAtOnce)]
		records = records[len(part):]
		next, gone := l.head, make([]Record, 0, len(part))
		for _, r := range part {
			hash, _, err := split(r)
			if err != nil {
				return err
			}
			next.First, next.Before = next.First+1, hash
			gone = append(gone, Record{Kind: r.Kind, ID: r.ID})
		}
		if err := l.put(ctx, next, gone...); err != nil {
			return err
		}
	}
	next := l.head
	next.FirstDay++
	return l.put(ctx, next)
}

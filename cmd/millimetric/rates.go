package main

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

const codeRateLimited = "rate_limited"

// retryLimited is what a caller over its limit is told to wait: a bucket has something in it by then, or
// is shared by more callers than it was made for.
const retryLimited = time.Second

// rates holds a bucket of tokens for each project and route that have a limit. It is in memory only, and
// as large as there are limits; after a restart all buckets are full.
type rates struct {
	now     func() time.Time
	buckets sync.Map // bucketID → *bucket
}

type bucketID struct {
	project event.Project
	route   string
}

// bucket is a limiter, and the setting that it was made for.
type bucket struct {
	limit auth.RateLimit
	*rate.Limiter
}

// take refuses a request where its project's bucket is empty.
func (l *rates) take(p *auth.Project, route string) error {
	if p == nil || len(p.Settings.RateLimits) == 0 {
		return nil
	}
	limit, bounded := p.Settings.RateLimits[route]
	if !bounded {
		return nil
	}
	id := bucketID{p.Number, route}
	known, ok := l.buckets.Load(id)
	if !ok || known.(*bucket).limit != limit {
		made := &bucket{limit, rate.NewLimiter(rate.Limit(limit.PerSecond), limit.Burst)}
		if ok { // the setting was changed
			l.buckets.CompareAndSwap(id, known, made)
		} else {
			l.buckets.LoadOrStore(id, made)
		}
		known, _ = l.buckets.Load(id)
	}
	if known.(*bucket).AllowN(l.now(), 1) {
		return nil
	}
	return &event.Error{Kind: event.ErrLimit, Code: codeRateLimited, RetryIn: retryLimited,
		Extra: map[string]any{extraRetry: int(retryLimited.Seconds())}}
}

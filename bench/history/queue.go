package history

import "millimetric/index/event"

// queue gives back what is due first; of what is due at one time, what was put first.
type queue[T any] struct {
	items []item[T]
	count uint64 // of all that were put
}

type item[T any] struct {
	at    event.Time
	order uint64
	what  T
}

func (a *item[T]) before(b *item[T]) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (q *queue[T]) len() int          { return len(q.items) }
func (q *queue[T]) empty() bool       { return len(q.items) == 0 }
func (q *queue[T]) first() event.Time { return q.items[0].at }

func (q *queue[T]) put(at event.Time, what T) {
	q.count++
	q.items = append(q.items, item[T]{at, q.count, what})
	for i := len(q.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.items[i].before(&q.items[up]) {
			return
		}
		q.items[i], q.items[up] = q.items[up], q.items[i]
		i = up
	}
}

func (q *queue[T]) take() T {
	top, last := q.items[0].what, len(q.items)-1
	q.items[0] = q.items[last]
	q.items[last] = item[T]{} // so that it holds no memory
	q.items = q.items[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.items[child].before(&q.items[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		q.items[i], q.items[least] = q.items[least], q.items[i]
		i = least
	}
}

package ids

import "millimetric/index/event"

// Run is a set of hashes that doesn't change. It is not safe for concurrent use.
type Run struct {
	*Body
	latest event.Time
}

// Open reads the head of a run that was written with the stamp. No filter is kept until Share says.
//
// The run has hashes of IDBits, as those that it is asked for: of one of longVersion, the further bits are
// passed over.
func Open(stamp uint64, pieces Pieces) (*Run, error) {
	fields, version, err := kind.OpenHeadFrom(longVersion, pieces, stamp)
	if err != nil {
		return nil, err
	}
	count, bucketBits := ReadCounts(&fields)
	latest := event.Time(fields.Varint())
	if !fields.Done() {
		return nil, damaged("head with %d hashes, %d bucket bits", count, bucketBits)
	}
	if version == longVersion {
		body := NewBody(stamp, count, bucketBits, HashBits, 0, pieces)
		body.passed = 1<<(HashBits-IDBits) - 1
		return &Run{body, latest}, nil
	}
	return &Run{NewBody(stamp, count, bucketBits, IDBits, 0, pieces), latest}, nil
}

// Latest returns when the latest of the ids arrived.
func (r *Run) Latest() event.Time { return r.latest }

// Share is ShareBodies for runs.
func Share(bytes int, runs []*Run) (granted int) { return ShareBodies(bytes, bodiesOf(runs)) }

func bodiesOf(runs []*Run) []*Body {
	bodies := make([]*Body, len(runs))
	for i, r := range runs {
		bodies[i] = r.Body
	}
	return bodies
}

// Has reports whether a hash is in the run.
func (r *Run) Has(h Hash) (bool, error) {
	number := r.bucket(h) / filterBuckets
	f, ok := r.keptFilter(number)
	if !ok {
		var err error
		if f, err = r.loadFilter(number); err != nil {
			return false, err
		}
	}
	c, passes := r.candidate(f, h)
	if !passes {
		return false, nil
	}
	in, err := r.readRest(c.rest, c.count)
	if err != nil {
		return false, err
	}
	_, found := r.match(in, c)
	return found, nil
}

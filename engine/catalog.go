package engine

import (
	"fmt"
)

// Record is a small named value beside the events, such as an account, a project or an API key.
// The engine doesn't know what is in it. Kind and ID are not empty, and Kind holds no zero byte.
// Only Value is encrypted on disk: an ID must not be something that nobody may read there.
type Record struct {
	Kind, ID string
	Value    []byte // nil in PutRecords deletes; records that were read have one, empty or not
}

// Records returns all records of a kind, sorted by ID.
func (e *Engine) Records(kind string) ([]Record, error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return nil, errStopping()
	}
	var records []Record
	prefix := recordKey(kind, "")
	err := walk(e.db, prefix, func(key, value []byte) error {
		plain, err := e.ciphers.decryptValue(key, value)
		if err != nil {
			return err
		}
		records = append(records, Record{Kind: kind, ID: string(key[len(prefix):]), Value: plain})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read records of kind %s: %w", kind, err)
	}
	return records, nil
}

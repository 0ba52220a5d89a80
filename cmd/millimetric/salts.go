package main

import (
	"sync"
	"time"

	"millimetric/engine/keyring"
	"millimetric/index/event"
)

// saltMemoMax bounds the salts that are remembered: those of a few late days of many projects.
const saltMemoMax = 4096

// saltMemo remembers the salts that were asked for, because deriving one costs more than all else
// that is done with it. It holds them no longer than the keyring does: a salt is only given on the
// UTC day on which it was made, and drop, which comes with the keyring's own upkeep, destroys them
// where nobody asks. Salts under a lease are not remembered, since their use is noted.
type saltMemo struct {
	ring *keyring.Keyring
	now  func() time.Time

	mu    sync.RWMutex // guards what follows
	made  int64        // the day of the clock on which all of them were made
	salts map[saltPlace][32]byte
}

// saltPlace is whose salt, and of which day.
type saltPlace struct {
	project event.Project
	day     int64
}

// Salt returns the salt of a project for a day of events, as the keyring does.
func (m *saltMemo) Salt(project event.Project, day int64, lease string) ([32]byte, error) {
	if lease != "" {
		return m.ring.Salt(project, day, lease)
	}
	today, place := m.today(), saltPlace{project, day}
	m.mu.RLock()
	salt, ok := m.salts[place]
	ok = ok && m.made == today
	m.mu.RUnlock()
	if ok {
		return salt, nil
	}
	salt, err := m.ring.Salt(project, day, "")
	if err != nil {
		return salt, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.salts == nil || m.made != today || len(m.salts) >= saltMemoMax {
		m.salts, m.made = map[saltPlace][32]byte{}, today
	}
	// Midnight may have passed while the keyring was asked. What it made is then today's no more.
	if m.today() == today {
		m.salts[place] = salt
	}
	return salt, nil
}

// drop forgets all salts.
func (m *saltMemo) drop() {
	m.mu.Lock()
	m.salts = nil
	m.mu.Unlock()
}

func (m *saltMemo) today() int64 {
	const dayMS = 24 * 60 * 60 * 1000
	return m.now().UnixMilli() / dayMS
}

// Package keyring keeps the secrets that give stored events their meaning: the pepper of the API
// keys, one identity secret per project, the salts that turn addresses into visitors of a day, and
// the cipher keys under which everything in the store is encrypted.
//
// A salt is the reason why an address can be forgotten: once it is gone, nobody can tell whose
// visit it was. So salts must really go. They live here, in one small encrypted file that is
// replaced as a whole, and not in the store of events, whose logs and checkpoints would keep old
// copies. Where something had to go, the replaced file is overwritten, too. What a file system that
// never writes in place, or the disk itself, may keep of it is beyond this package; the root key, held
// elsewhere, is what stands between such a copy and a reader. The same holds for cipher keys: what was
// encrypted under one is gone with it, wherever copies lie.
//
// The package holds no events and no API keys, and it starts no goroutines: the salts of a day that
// has ended go at the first call of Rotate or Salt after it. Only the file "keyring" (and, while it
// is being replaced, "keyring.new") reaches the disk, encrypted under a cipher key that is derived
// from the root key.
package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// Limits of a keyring. Each bounds the file, which is rewritten as a whole at every change.
const (
	// LeasesMax bounds how many imports of past days may run at once.
	LeasesMax = 64
	// LeaseIDMax bounds a lease's name, in bytes.
	LeaseIDMax = 96
	// LeaseIdleMax ends the lease of an import that stopped without saying so.
	LeaseIdleMax = 15 * time.Minute
	// LeaseAgeMax ends every lease: an import that never ends must not keep a salt for ever.
	LeaseAgeMax = 7 * 24 * time.Hour
	// ProjectsMax bounds the identity secrets; the file stays below 16 MiB.
	ProjectsMax = 100_000

	// leaseNoteEvery is how much of a lease's use may be forgotten by a crash. Larger ends leases
	// early after a restart; smaller rewrites the file more often during an import.
	leaseNoteEvery = 5 * time.Minute
)

// Options are what a keyring takes from outside.
type Options struct {
	Now func() time.Time // the server's clock; must be given
}

// Keyring is the open keyring. It is safe for concurrent use.
type Keyring struct {
	fs  vfs.FS
	dir string
	now func() time.Time

	mu     sync.RWMutex // guards both; file writes happen inside, at most a few per minute
	cipher rootCipher   // from the root key
	held   contents     // what cipher encrypts
}

// contents is what the file holds. It is replaced, never changed in place: what is in memory is
// always what was last written.
type contents struct {
	Pepper   secret
	Projects map[event.Project]secret
	Today    *master             `json:",omitempty"` // nil before the first salt and after a day's end
	Leases   map[string]lease    `json:",omitempty"`
	Ciphers  map[cipherID]secret `json:",omitempty"`
	Backup   *secret             `json:",omitempty"` // the key of backups
}

// master is the secret from which all salts of one day of the server's clock are made.
type master struct {
	Made   int64 // the UTC day on which it was made; it is destroyed when that day ends
	Secret secret
}

// lease lets one import go on with the salts of past days when midnight passes. It holds no master
// but only what was derived from it for days before Made: the salts of the day on which the import
// began can't be had from it, so those are destroyed on time for everyone, imports included.
type lease struct {
	Made  int64 // the UTC day on which the lease began
	Past  secret
	Began event.Time
	Used  event.Time
}

// Open reads the keyring of a data folder, or makes one where there is none.
func Open(fs vfs.FS, dir string, root [32]byte, opt Options) (*Keyring, error) {
	keys, err := deriveRootCipher(root)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	k := &Keyring{fs: fs, dir: dir, cipher: keys, now: opt.Now}
	held, err := k.read()
	if errors.Is(err, errNoFile) {
		held = contents{Pepper: newSecret(), Projects: map[event.Project]secret{}}
		if err = k.makeFolder(); err == nil {
			err = k.write(held)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	k.held = held
	if err := k.Rotate(); err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	return k, nil
}

// Exists reports whether a data folder has a keyring.
func Exists(fs vfs.FS, dir string) bool {
	_, err := fs.Stat(fs.PathJoin(dir, fileName))
	return err == nil
}

// Pepper returns the secret under which the secrets of API keys are hashed.
func (k *Keyring) Pepper() [32]byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.held.Pepper
}

// ProjectKey returns a project's identity secret, made at first use. Visitors that are named after
// a user are derived from it, so that no two projects know one person under the same name.
func (k *Keyring) ProjectKey(project event.Project) ([32]byte, error) {
	k.mu.RLock()
	known, ok := k.held.Projects[project]
	k.mu.RUnlock()
	if ok {
		return known, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.held.Projects[project]; ok {
		return known, nil
	}
	if len(k.held.Projects) >= ProjectsMax {
		return [32]byte{}, &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Too many projects"}}
	}
	next := k.held.clone()
	made := newSecret()
	next.Projects[project] = made
	if err := k.replace(next); err != nil {
		return [32]byte{}, fmt.Errorf("make identity secret of project %d: %w", project, err)
	}
	return made, nil
}

// DropProjectKey destroys a project's identity secret: nobody can tell any more which user one of its
// visitors was named after. Asked for again, another is made.
func (k *Keyring) DropProjectKey(project event.Project) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.held.Projects[project]; !ok {
		return nil
	}
	next := k.held.clone()
	delete(next.Projects, project)
	if err := k.destroyRest(next); err != nil {
		return fmt.Errorf("drop identity secret of project %d: %w", project, err)
	}
	return nil
}

// Salt returns the salt of a project for events of one UTC day (days since 1970). The salt is made
// today and is destroyed when today ends: asked again tomorrow, another comes back for the same
// day. Only under a lease (an import's name, "" for none) do the salts of days before the lease
// began stay the same, until the lease ends.
func (k *Keyring) Salt(project event.Project, day int64, lease string) ([32]byte, error) {
	if len(lease) > LeaseIDMax {
		return [32]byte{}, event.Invalid(event.CodeInvalidPayload, "The import's name is too long")
	}
	now := event.TimeOf(k.now())
	k.mu.RLock()
	salt, ok := k.held.salt(now, project, day, lease)
	k.mu.RUnlock()
	if ok {
		return salt, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.prepare(now, day, lease); err != nil {
		return [32]byte{}, err
	}
	salt, ok = k.held.salt(now, project, day, lease)
	if !ok {
		panic(fmt.Sprintf("no salt of day %d at %d right after it was prepared", day, now))
	}
	return salt, nil
}

// salt finds a salt where nothing has to be made, noted or destroyed first.
func (c *contents) salt(now event.Time, project event.Project, day int64, name string) ([32]byte, bool) {
	today := dayOf(now)
	if c.Today == nil || c.Today.Made != today {
		return [32]byte{}, false
	}
	if name == "" || day >= today {
		return c.Today.salt(project, day), true
	}
	l, ok := c.Leases[name]
	if !ok || l.over(now) || now-l.Used >= event.Time(leaseNoteEvery.Milliseconds()) {
		return [32]byte{}, false
	}
	if day >= l.Made {
		return c.Today.salt(project, day), true
	}
	return saltFrom(l.Past, project, day), true
}

// prepare makes the day's master and the lease where they are missing, and notes the lease's use.
// The caller holds the lock.
func (k *Keyring) prepare(now event.Time, day int64, name string) error {
	next := k.held.clone()
	today := dayOf(now)
	replace := k.replace
	if next.expire(now) {
		replace = k.destroyRest
	}
	if next.Today == nil {
		next.Today = &master{Made: today, Secret: newSecret()}
	}
	if name != "" && day < today {
		l, ok := next.Leases[name]
		if !ok {
			if len(next.Leases) >= LeasesMax {
				return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded,
					Notes: []string{"Too many imports are running"}, RetryIn: time.Minute}
			}
			l = lease{Made: today, Past: next.Today.past(), Began: now}
		}
		l.Used = now
		next.Leases[name] = l
	}
	if err := replace(next); err != nil {
		return fmt.Errorf("make salt: %w", err)
	}
	return nil
}

// EndLease ends an import's lease: what only it could still derive is destroyed.
func (k *Keyring) EndLease(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.held.Leases[name]; !ok {
		return nil
	}
	next := k.held.clone()
	delete(next.Leases, name)
	if err := k.destroyRest(next); err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	return nil
}

// Rotate destroys what has had its time: the master of another day than today, and the leases that
// are over. The server calls it every minute.
func (k *Keyring) Rotate() error {
	now := event.TimeOf(k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	next := k.held.clone()
	if !next.expire(now) {
		return nil
	}
	if err := k.destroyRest(next); err != nil {
		return fmt.Errorf("destroy salts: %w", err)
	}
	return nil
}

// expire drops what may no longer be kept and reports whether that was anything. A clock that went
// back to the day before ends today's master too: no master outlives, in either direction, the day
// on which it was made.
func (c *contents) expire(now event.Time) bool {
	changed := false
	if c.Today != nil && c.Today.Made != dayOf(now) {
		c.Today, changed = nil, true
	}
	for name, l := range c.Leases {
		if l.over(now) {
			delete(c.Leases, name)
			changed = true
		}
	}
	return changed
}

// over reports whether a lease has ended. A clock that went back by more than the idle time ends
// it as well, else a wrong date in the future would keep it far too long.
func (l lease) over(now event.Time) bool {
	idle := event.Time(LeaseIdleMax.Milliseconds())
	return now-l.Used > idle || l.Used-now > idle || now-l.Began > event.Time(LeaseAgeMax.Milliseconds())
}

// replace makes next the keyring's contents: on disk first, then in memory. The caller holds the lock.
func (k *Keyring) replace(next contents) error {
	if err := k.write(next); err != nil {
		return err
	}
	k.held = next
	return nil
}

// destroyRest is replace where next leaves out what nobody may have any more.
func (k *Keyring) destroyRest(next contents) error {
	if err := k.destroy(next); err != nil {
		return err
	}
	k.held = next
	return nil
}

func (c contents) clone() contents {
	c.Projects = maps.Clone(c.Projects)
	if c.Projects == nil {
		c.Projects = map[event.Project]secret{}
	}
	c.Leases = maps.Clone(c.Leases)
	if c.Leases == nil {
		c.Leases = map[string]lease{}
	}
	c.Ciphers = maps.Clone(c.Ciphers)
	if c.Ciphers == nil {
		c.Ciphers = map[cipherID]secret{}
	}
	return c
}

// Leases returns the names of the leases that are held, sorted.
func (k *Keyring) Leases() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Sorted(maps.Keys(k.held.Leases))
}

// salt derives the salt of a project and a day. Days before the master's own go through past, so
// that a lease, which holds past alone, gives the same salts as the master does.
func (m *master) salt(project event.Project, day int64) [32]byte {
	if day < m.Made {
		return saltFrom(m.past(), project, day)
	}
	return saltFrom(derive(m.Secret, "live"), project, day)
}

func (m *master) past() secret { return derive(m.Secret, "past") }

func saltFrom(from secret, project event.Project, day int64) [32]byte {
	var place [12]byte
	binary.BigEndian.PutUint32(place[:4], uint32(project))
	binary.BigEndian.PutUint64(place[4:], uint64(day))
	return derive(from, string(place[:]))
}

func derive(from secret, label string) (out secret) {
	mac := hmac.New(sha256.New, from[:])
	mac.Write([]byte(label))
	mac.Sum(out[:0])
	return out
}

func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // never fails: it ends the program instead
	return s
}

// dayOf gives the UTC day of a moment, in days since 1970.
func dayOf(t event.Time) int64 {
	const dayMs = 24 * 60 * 60 * 1000
	day := int64(t) / dayMs
	if int64(t)%dayMs < 0 {
		day--
	}
	return day
}

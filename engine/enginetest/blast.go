package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Blast damages single values behind Pebble's back, so that its checksums are right and only our own
// can tell, and looks how far the damage reaches: how many projects can't be read any more. A value
// that belongs to one project must cost no other one its answers. The log's values belong to several,
// and the format's to all: their reach is counted.
type Blast struct {
	Seed   uint64
	Points int
}

// BlastResult is what was found.
type BlastResult struct {
	Points   int
	Missed   int // damage that neither the check nor a reader found
	Wrong    int // answers that differ
	TooFar   int // damage that reached further than it may
	Reach    map[string]*Reach
	Problems []string
}

// Reach counts points by how many projects couldn't be read. It is kept by the first byte of the
// store key.
type Reach struct{ None, One, Several, All int }

// String gives the counts in the order of the fields.
func (r *Reach) String() string {
	return fmt.Sprintf("%d/%d/%d/%d", r.None, r.One, r.Several, r.All)
}

// shared are the first bytes of the store keys whose values belong to more than one project.
const shared = "LMT"

// Run makes stores and damages values in copies of them.
func (b Blast) Run() (r BlastResult, err error) {
	r.Reach = map[string]*Reach{}
	for seed := b.Seed; r.Points < b.Points; seed++ {
		random := rand.New(rand.NewPCG(seed, 0x626c617374))
		k, err := newKept(random)
		if err != nil {
			return r, err
		}
		for range min(keptPoints, b.Points-r.Points) {
			copied := k.copy(random)
			key, err := damageValue(copied, random)
			if err != nil {
				return r, fmt.Errorf("seed=%d: %w", seed, err)
			}
			v := k.judge(copied)
			if v.found == "" && v.ended == "" && !v.hung {
				// A piece that a merge has replaced is deleted at a start, and read by nobody.
				if gone, err := isGone(copied, key); err != nil {
					return r, fmt.Errorf("seed=%d: %w", seed, err)
				} else if gone {
					v.found = "deleted"
				}
			}
			r.note(fmt.Sprintf("seed=%d point=%d store key %x", seed, r.Points, key), string(key[:1]), v)
		}
	}
	return r, nil
}

func (r *BlastResult) note(name, kind string, v verdict) {
	r.Points++
	reach := r.Reach[kind]
	if reach == nil {
		reach = &Reach{}
		r.Reach[kind] = reach
	}
	switch {
	case v.hung || v.answers != answersSame:
		r.Wrong++
		r.problem("%s: hung=%t: %s", name, v.hung, v.why)
	case v.found == "" && v.ended == "":
		r.Missed++
		r.problem("%s: nobody noticed", name)
	}
	if v.ended != "" {
		v.failed = projects
	}
	switch v.failed {
	case 0:
		reach.None++
	case 1:
		reach.One++
	case projects:
		reach.All++
	default:
		reach.Several++
	}
	if v.failed > 1 && !strings.Contains(shared, kind) {
		r.TooFar++
		r.problem("%s: %d projects can't be read", name, v.failed)
	}
}

func (r *BlastResult) problem(format string, args ...any) {
	if len(r.Problems) < problemsKept {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// damageValue turns a bit of a random value. The kinds of store keys take equal turns.
func damageValue(disk vfs.FS, random *rand.Rand) (key []byte, err error) {
	db, err := openBehind(disk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	kinds := map[byte][][]byte{}
	it, err := db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	var order []byte
	for it.First(); it.Valid(); it.Next() {
		key := bytes.Clone(it.Key())
		if len(kinds[key[0]]) == 0 {
			order = append(order, key[0])
		}
		kinds[key[0]] = append(kinds[key[0]], key)
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	keys := kinds[order[random.IntN(len(order))]]
	key = keys[random.IntN(len(keys))]
	value, closer, err := db.Get(key)
	if err != nil {
		return nil, err
	}
	value = bytes.Clone(value)
	bit := random.IntN(8 * len(value))
	value[bit/8] ^= 1 << (bit % 8)
	return key, errors.Join(closer.Close(), db.Set(key, value, pebble.Sync))
}

// openBehind opens the store without the engine.
func openBehind(disk vfs.FS) (*pebble.DB, error) {
	return pebble.Open(storeIn(keptFolder), &pebble.Options{FS: disk, FormatMajorVersion: pebble.FormatValueSeparation, Logger: silent{}})
}

// isGone reports whether a value isn't in the store any more.
func isGone(disk vfs.FS, key []byte) (gone bool, err error) {
	db, err := openBehind(disk)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, closer.Close()
}

// silent is a log for Pebble that nobody reads.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
)

// One AES key must not serve for ever: each run of groups has its own.
func TestEachRunOfGroupsHasItsOwnAESKey(t *testing.T) {
	asked := 0
	c := logCipher{newCiphers(&Options{CipherKey: func(event.Project, int32) ([32]byte, error) {
		asked++
		return [32]byte{1}, nil
	}})}
	id := cipherID{1, BucketLog}
	for _, group := range []uint64{1, runGroups, 1, runGroups - 1, 5 * runGroups} {
		at := encode.PartPlace{Group: group, Project: 1, Head: []byte("head")}
		first, second := c.Encrypt(nil, []byte("plain"), at), c.Encrypt(nil, []byte("plain"), at)
		if bytes.Equal(first, second) {
			t.Error("two values were encrypted alike")
		}
		if plain, err := c.Decrypt(nil, first, at); err != nil || string(plain) != "plain" {
			t.Errorf("group %d: %q, %v", group, plain, err)
		}
		other, err := c.inRun(id, group/runGroups+1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Open(nil, nil, first, boundPart(id, at)); err == nil {
			t.Errorf("group %d: the next run has the same AES key", group)
		}
		if _, err := c.Decrypt(nil, append(first, 0), at); !errors.Is(err, event.ErrDamaged) {
			t.Errorf("group %d: longer by a byte: %v", group, err)
		}
	}
	if asked != 1 {
		t.Errorf("the cipher key was asked for %d times", asked)
	}
}

// BenchmarkCipher encrypts parts as they come from groups of one and of many events, and does what
// each append does before.
func BenchmarkCipher(b *testing.B) {
	c := logCipher{newCiphers(&Options{CipherKey: func(event.Project, int32) ([32]byte, error) { return [32]byte{1}, nil }})}
	at := encode.PartPlace{Group: 1, Project: 1, Head: make([]byte, 24)}
	for _, size := range []int{100, 64 * 60, 1000 * 41} {
		plain, room := make([]byte, size), make([]byte, 0, size+28)
		b.Run(fmt.Sprintf("encrypt/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				room = c.Encrypt(room[:0], plain, at)
			}
		})
	}
	b.Run("prepare", func(b *testing.B) {
		for b.Loop() {
			if err := c.prepare(cipherID{1, BucketLog}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A seal that is gathered between the question for a group's ids and their events ends the table of recent
// ids. What was in it must be known all the same.
func TestARepeatIsKnownAcrossASealInItsGroup(t *testing.T) {
	var r repeats
	old, fresh := ids.Hash{Hi: 1 << 40}, ids.Hash{Hi: 2 << 40}
	r.add(old)
	events := []event.Event{{ID: "old"}, {ID: "new"}}
	r.expect(events, []ids.Hash{old, fresh})
	if err := r.ask(); err != nil {
		t.Fatal(err)
	}
	r.freeze()
	if !r.next(old) || r.next(fresh) {
		t.Error("a repeat is taken for new, or a new event for a repeat")
	}
}

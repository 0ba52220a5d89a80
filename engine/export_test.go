package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"millimetric/index"
	"millimetric/index/encode"
	"millimetric/index/event"
)

// InClear returns opt without encryption.
func InClear(opt Options) Options {
	opt.inClear = true
	return opt
}

// Laid is what a search of all that lies in the files of a store has found, decrypted: whether anything can
// reach it or not.
type Laid struct {
	Entries, Unread int // in tables and logs; those of them that nothing decrypts
	Groups, Things  int
	Partial         int // segments of Things of which some sections are gone
	Hits            int // events, and entries of dictionaries, that name somebody
	Bytes           uint64
}

// SearchDecrypted reads every entry of every table and log of an open store, decrypts it under the cipher keys of
// its project, and looks in all events and dictionaries for ids that begin with mark.
func (e *Engine) SearchDecrypted(buckets func(event.Project) []int32, mark string) (found Laid, err error) {
	named := func(userID, anonymousID string) bool {
		return strings.HasPrefix(userID, mark) || strings.HasPrefix(anonymousID, mark)
	}
	pieces := map[thing]laidSections{}
	decoder := encode.Decoder{Cipher: logCipher{e.ciphers}}
	found.Bytes, err = e.eachEntry(func(key []byte, value func() ([]byte, error)) {
		found.Entries++
		text, err := value()
		if err != nil {
			found.Unread++
			return
		}
		if number, isGroup := groupNumber(key); isGroup {
			g, err := decoder.Decode(bytes.Clone(text), number)
			if err != nil {
				found.Unread++
				return
			}
			found.Groups++
			for i := range g.Parts {
				for j := range g.Parts[i].Events {
					if ev := &g.Parts[i].Events[j]; named(ev.UserID, ev.AnonymousID) {
						found.Hits++
					}
				}
			}
		}
		project, stamp, isPiece := thingOf(key)
		if !isPiece {
			return
		}
		for _, bucket := range buckets(project) {
			plain, err := e.ciphers.decrypt(cipherID{project, bucket}, key, text)
			if err != nil {
				continue
			}
			t := thing{project, bucket, stamp}
			if pieces[t] == nil {
				pieces[t] = laidSections{}
			}
			pieces[t][binary.BigEndian.Uint32(key[13:])+1] = plain
			return
		}
		found.Unread++
	})
	for t, own := range pieces {
		found.Things++
		if t.bucket < 0 {
			continue // a run: keyed hashes
		}
		n, failed := namedIn(own, named)
		if errors.Is(failed, errNoSection) {
			// A segment that was merged away, of which Pebble has removed a part.
			found.Partial++
			n, failed = own.holding(mark), nil
		}
		found.Hits += n
		err = errors.Join(err, failed)
	}
	return found, err
}

// holding counts the sections in which a text stands.
func (s laidSections) holding(text string) (n int) {
	for _, plain := range s {
		if bytes.Contains(plain, []byte(text)) {
			n++
		}
	}
	return n
}

var errNoSection = errors.New("a section isn't there")

// laidSections are the sections of a segment as they lie in the files.
type laidSections map[uint32][]byte

func (s laidSections) Section(id index.SectionID) ([]byte, error) {
	if plain, ok := s[uint32(id)]; ok {
		return plain, nil
	}
	return nil, errNoSection
}

func namedIn(sections laidSections, named func(userID, anonymousID string) bool) (hits int, err error) {
	segment, err := index.Open(sections)
	if err != nil {
		return 0, err
	}
	users, err := segment.Dict(event.ColumnUserID).Texts()
	if err != nil {
		return 0, err
	}
	for _, id := range users {
		if named(id, "") {
			hits++
		}
	}
	visitors := segment.AnonymousIDs()
	for i := range uint32(visitors.Len()) {
		id, err := visitors.At(i)
		if err != nil {
			return hits, err
		}
		if named("", id) {
			hits++
		}
	}
	return hits, nil
}

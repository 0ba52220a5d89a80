package engine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Report is what Check found.
type Report struct {
	Groups   uint64
	Events   uint64
	Projects int
	Records  uint64
	Bytes    uint64 // of all values
	// Problems says what is wrong, in the order of the store keys; the first problemsMax of them.
	Problems []string
}

const problemsMax = 100

// Check reads the whole store in dir, which no process may have open, and verifies it: every block's
// and every group's checksum, that every value decrypts and every group decodes, that positions
// have no gaps, and that no ID of an event occurs twice in a project. It changes nothing, as long
// as Options.CipherKey makes no cipher keys. The error tells of a store that
// can't be read at all; what is wrong in one that can stands in the report.
func Check(dir string, opt Options) (report Report, err error) {
	if opt.CipherKey == nil {
		return Report{}, errors.New("check store: no cipher keys were given")
	}
	e := newEngine(dir, opt.withDefaults())
	defer func() { err = errors.Join(err, e.care.Close()) }()
	if e.lock, err = lockFolder(dir, e.opt.FS); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, e.lock.Close()) }()
	options := e.pebbleOptions()
	options.ReadOnly, options.ErrorIfNotExists = true, true
	db, err := pebble.Open(dir, options)
	if err != nil {
		return Report{}, storeError("open store "+dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := checker{ciphers: e.ciphers, decoder: encode.Decoder{Cipher: logCipher{e.ciphers}}, projects: map[event.Project]*checked{}}
	c.run(db)
	return c.report, nil
}

// checker reads what recover reads, but goes on after a problem.
type checker struct {
	report   Report
	ciphers  *ciphers
	decoder  encode.Decoder
	number   uint64
	projects map[event.Project]*checked
}

type checked struct {
	last event.Seq
	ids  map[string]struct{}
}

func (c *checker) run(db *pebble.DB) {
	number, err := readFormat(db, c.ciphers)
	switch {
	case err != nil:
		c.problem("%v", err) // and all else would only follow from it
		return
	case number == 0:
		c.problem("the store has no format number")
	}
	for _, prefix := range []struct {
		first byte
		visit func(key, value []byte)
	}{{prefixGroup, c.group}, {prefixRecord, c.record}} {
		err := walk(db, []byte{prefix.first}, func(key, value []byte) error {
			c.report.Bytes += uint64(len(value))
			prefix.visit(key, value)
			return nil
		})
		if err != nil {
			c.problem("%v", err)
		}
	}
	c.report.Projects = len(c.projects)
}

func (c *checker) record(key, value []byte) {
	c.report.Records++
	if bytes.IndexByte(key, 0) <= 1 {
		c.problem("store key %x is none of a record", key)
		return
	}
	if _, err := c.ciphers.decryptValue(key, value); err != nil {
		c.problem("%v", err)
	}
}

func (c *checker) group(key, value []byte) {
	number, ok := groupNumber(key)
	if !ok {
		c.problem("store key %x is none of the log", key)
		return
	}
	if number != c.number+1 {
		c.problem("group %d follows group %d", number, c.number)
	}
	c.number = number
	c.report.Groups++
	g, err := c.decoder.Decode(value, number)
	if err != nil {
		c.problem("%v", unreadable(number, err))
		return
	}
	for i := range g.Parts {
		c.part(number, &g.Parts[i])
	}
}

func (c *checker) part(number uint64, part *encode.Part) {
	p := c.projects[part.Project]
	if p == nil {
		p = &checked{ids: map[string]struct{}{}}
		c.projects[part.Project] = p
	}
	if first := part.Events[0].Seq; first != p.last+1 {
		c.problem("group %d: event %d of project %d follows %d", number, first, part.Project, p.last)
	}
	for i := range part.Events {
		ev := &part.Events[i]
		p.last = ev.Seq
		c.report.Events++
		if ev.ID == "" {
			continue
		}
		if _, ok := p.ids[ev.ID]; ok {
			c.problem("group %d: event %d of project %d has the id of an earlier one", number, ev.Seq, part.Project)
		}
		p.ids[ev.ID] = struct{}{}
	}
}

func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) < problemsMax {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

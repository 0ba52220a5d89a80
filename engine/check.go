package engine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index"
	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
)

// Report is what Check found.
type Report struct {
	Groups   uint64 // of the log
	Events   uint64 // sealed ones, and those that are only in the log
	Segments int
	Runs     int
	Projects int
	Records  uint64
	Bytes    uint64 // of all values that were read
	// Problems says what is wrong, as it was found; the first problemsMax of them.
	Problems []string
}

const problemsMax = 100

// Check reads the whole store in dir, which no process may have open, and verifies it: every checksum,
// that every value decrypts and every group decodes, that segments and runs agree with themselves and
// with their manifest, that positions have no gaps, and that no id of an event occurs twice in a
// project. It needs some 30 bytes of memory for each id. It changes nothing, as long as
// Options.CipherKey makes no cipher keys. The error tells of a store that can't be read at all; what
// is wrong in one that can stands in the report.
func Check(dir string, opt Options) (report Report, err error) {
	if opt.CipherKey == nil || opt.Now == nil {
		return Report{}, errors.New("check store: no clock or no cipher keys were given")
	}
	e := newEngine(dir, opt.withDefaults())
	defer func() { err = errors.Join(err, e.care.Close()) }()
	if e.lock, err = lockFolder(dir, e.opt.FS); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, e.lock.Close()) }()
	if err := checkMarker(dir, e.opt.FS); err != nil {
		return Report{}, err
	}
	options := e.pebbleOptions()
	options.ReadOnly, options.ErrorIfNotExists = true, true
	if e.db, err = pebble.Open(dir, options); err != nil {
		return Report{}, storeError("open store "+dir, err)
	}
	defer func() { err = errors.Join(err, e.db.Close()) }()
	c := newChecker(e)
	if c.format() {
		if err := e.openLedger(); err != nil {
			c.problem("%v", err)
		}
		c.run(func(visit func(*project, *manifest)) { c.manifests(visit) })
	}
	return c.report, nil
}

// Verify is Check beside requests, of what is there when it begins.
func (e *Engine) Verify() (Report, error) {
	if err := e.enter(); err != nil {
		return Report{}, err
	}
	defer e.running.Done()
	c := newChecker(e)
	c.run(func(visit func(*project, *manifest)) {
		for _, p := range e.all() {
			if why := p.damage(); why != nil {
				c.problem("project %d: %v", p.number, why)
				continue
			}
			s := e.Snapshot(p.number)
			visit(p, s.sealed.manifest)
			c.report.Events += uint64(s.AsOf() - s.sealed.watermark)
			s.Release()
		}
	})
	return c.report, nil
}

// checker reads what recover reads, but goes on after a problem.
type checker struct {
	report   Report
	e        *Engine
	decoder  encode.Decoder
	number   uint64 // of the last group
	trimmed  uint64 // those up to it are there for broken projects
	projects map[event.Project]*checked
}

// checked is what is known of a project.
type checked struct {
	watermark event.Seq
	last      event.Seq
	known     bool // that the manifest could be read
	ids       ids.Recent
	hasher    *ids.Hasher
}

func newChecker(e *Engine) *checker {
	return &checker{e: e, decoder: encode.Decoder{Cipher: logCipher{e.ciphers}}, projects: map[event.Project]*checked{}}
}

func (c *checker) run(each func(visit func(*project, *manifest))) {
	each(c.project)
	trimmed, err := readTrim(c.e.db, c.e.ciphers)
	if err != nil {
		c.problem("%v", err)
	}
	c.number, c.trimmed = trimmed, trimmed
	// Of a store that is in use, groups may be trimmed from the log at any moment; what they hold was
	// looked at above or is in the segments of later.
	live := c.e.committed.Load() > 0
	err = walk(c.e.db, []byte{prefixGroup}, func(key, value []byte) error {
		c.report.Bytes += uint64(len(value))
		c.group(key, value, live)
		return nil
	})
	if err != nil {
		c.problem("%v", err)
	}
	if err := c.e.walkOver(span([]byte{prefixRecord}), c.record, c.lost); err != nil {
		c.problem("%v", err)
	}
	c.report.Projects = len(c.projects)
}

// format reports whether there is any use in reading on.
func (c *checker) format() bool {
	number, err := readFormat(c.e.db, c.e.ciphers)
	switch {
	case err != nil:
		c.problem("%v", err) // and all else would only follow from it
		return false
	case number == 0:
		c.problem("the store has no format number")
	}
	return true
}

// manifests visits the manifests of a store that isn't open.
func (c *checker) manifests(visit func(*project, *manifest)) {
	gaps, err := c.e.walkManifests(func(key, value []byte) error {
		c.report.Bytes += uint64(len(value))
		number, _ := manifestOwner(key)
		m, err := c.e.decryptManifest(number, key, value)
		if err != nil {
			c.of(number)
			c.problem("project %d: %v", number, err)
			return nil
		}
		visit(&project{number: number}, m)
		return nil
	})
	if err != nil {
		c.problem("%v", err)
	}
	for _, g := range gaps {
		c.problem("manifests of projects %d to %d: %v", g.from, g.to, g.why)
	}
}

// of returns what is known of a project.
func (c *checker) of(number event.Project) *checked {
	p := c.projects[number]
	if p == nil {
		p = &checked{}
		c.projects[number] = p
		key, err := c.e.ciphers.secret(number, "event ids 1")
		if err != nil {
			c.problem("project %d: %v", number, err)
		}
		p.hasher = ids.NewHasher(key, ids.IDBits)
	}
	return p
}

// project checks what a manifest names, and that it adds up.
func (c *checker) project(p *project, m *manifest) {
	known := c.of(p.number)
	known.watermark, known.last, known.known = m.watermark, m.watermark, true
	if c.e.ledger != nil && c.e.ledger.Last(p.number) < m.erasures.done {
		c.problem("project %d: %v", p.number, errOldLedger)
	}
	rows := uint64(0)
	for i := range m.segments {
		entry := &m.segments[i]
		rows += uint64(entry.rows)
		c.report.Segments++
		if err := c.segment(p, entry, known); err != nil {
			c.problem("segment %d of project %d: %v", entry.stamp, p.number, err)
		}
	}
	if rows+m.gone != uint64(m.watermark) {
		c.problem("project %d: %d events in segments and %d that are gone are not the %d that were sealed", p.number, rows, m.gone, m.watermark)
	}
	c.report.Events += rows
	for kind := range m.runs {
		for _, entry := range m.runs[kind] {
			c.report.Runs++
			c.report.Bytes += entry.bytes
			if err := c.e.checkRun(p, runKind(kind), entry); err != nil {
				c.problem("run %d of project %d: %v", entry.stamp, p.number, err)
			}
		}
	}
}

func (c *checker) segment(p *project, entry *segmentEntry, known *checked) error {
	c.report.Bytes += entry.bytes()
	source := &passing{e: c.e, thing: thing{p.number, entry.bucket, entry.stamp}}
	segment, err := index.Open(source)
	if err == nil {
		err = matches(p, entry, segment)
	}
	if err == nil {
		err = segment.Check()
	}
	if err != nil {
		return err
	}
	all := segment.EventIDs()
	for row := range uint32(segment.Rows()) {
		id, err := all.At(row)
		if err != nil {
			return err
		}
		if id != "" && !entry.hidden.Has(row) && !known.ids.Add(known.hasher.Hash(id)) {
			c.problem("segment %d of project %d has the id of another event", entry.stamp, p.number)
		}
	}
	return nil
}

func (c *checker) record(key, value []byte) error {
	c.report.Bytes += uint64(len(value))
	c.report.Records++
	if bytes.IndexByte(key, 0) <= 1 {
		c.problem("store key %x is none of a record", key)
		return nil
	}
	if _, err := c.e.ciphers.decryptValue(key, value); err != nil {
		c.problem("%s: %v", recordName(key), err)
	}
	return nil
}

func (c *checker) lost(from, to []byte, cause error) error {
	c.problem("%s, or what lies between it and %s: %v", recordName(to), recordName(from), cause)
	return nil
}

// recordName says which record lies under a store key, or would.
func recordName(key []byte) string {
	kind, id, _ := bytes.Cut(key[1:], []byte{0})
	return fmt.Sprintf("record %q of kind %q", id, kind)
}

func (c *checker) group(key, value []byte, live bool) {
	number, ok := groupNumber(key)
	if !ok {
		c.problem("store key %x is none of the log", key)
		return
	}
	if number > c.trimmed {
		if number != c.number+1 && !live {
			c.problem("group %d follows group %d", number, c.number)
		}
		c.number = number
	}
	c.report.Groups++
	g, err := c.decoder.Decode(value, number)
	if err != nil {
		c.problem("%v", unreadable(number, err))
		return
	}
	for i := range g.Parts {
		if !live {
			c.part(number, &g.Parts[i])
		}
	}
}

func (c *checker) part(number uint64, part *encode.Part) {
	p := c.of(part.Project)
	first, last := part.Events[0].Seq, part.Events[len(part.Events)-1].Seq
	if last <= p.watermark {
		return
	}
	if first != p.last+1 && first > p.watermark+1 {
		c.problem("group %d: event %d of project %d follows %d", number, first, part.Project, p.last)
	}
	p.last = last
	for i := range part.Events {
		ev := &part.Events[i]
		if ev.Seq <= p.watermark {
			continue
		}
		c.report.Events++
		if ev.ID != "" && !p.ids.Add(p.hasher.Hash(ev.ID)) {
			c.problem("group %d: event %d of project %d has the id of an earlier one", number, ev.Seq, part.Project)
		}
	}
}

func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) < problemsMax {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

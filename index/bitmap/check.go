package bitmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The portable format of roaring, as far as a check needs it: a cookie; which containers are runs, where
// some are; of each container the upper half of its numbers and how many those are, less one; where each
// container begins, which readers here don't need; then the containers. One of runs says how many it has,
// and of each its first number and how many follow; one of up to 4096 numbers lists them; one of more has
// a bit for each of the 65,536.
const (
	cookieRuns    = 12347
	cookieNoRuns  = 12346
	offsetsFrom   = 4 // containers: below it, a set with runs doesn't say where they begin
	listedMost    = 4096
	denseBytes    = 8 << 10
	containersMax = 1 << 16
)

var errShort = errors.New("ends too soon")

// check tells whether src is a set, the whole of it, in one look at each of its bytes. Roaring's own
// validation compares every run with every other one, which takes longer than all that is done with a set.
func check(src []byte) error {
	c := checker{rest: src}
	count, isRun := c.head()
	heads := c.next(4 * count)
	if isRun == nil || count >= offsetsFrom {
		c.next(4 * count)
	}
	for i := 0; i < count && c.err == nil; i++ {
		key, size := binary.LittleEndian.Uint16(heads[4*i:]), int(binary.LittleEndian.Uint16(heads[4*i+2:]))+1
		switch {
		case i > 0 && key <= binary.LittleEndian.Uint16(heads[4*i-4:]):
			c.err = fmt.Errorf("container %d doesn't rise", i)
		case isRun != nil && isRun[i/8]>>(i%8)&1 == 1:
			c.runs()
		case size <= listedMost:
			c.listed(size)
		default:
			c.dense(size)
		}
	}
	if c.err == nil && len(c.rest) > 0 {
		c.err = fmt.Errorf("%d bytes are left", len(c.rest))
	}
	return c.err
}

// checker walks through a set until something is wrong.
type checker struct {
	rest []byte
	err  error
}

// next returns the next n bytes, zeros where there aren't so many.
func (c *checker) next(n int) []byte {
	if c.err != nil || n > len(c.rest) {
		if c.err == nil {
			c.err = errShort
		}
		return make([]byte, min(n, denseBytes))
	}
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

// head reads how many containers there are, and a bit for each, set where it holds runs.
func (c *checker) head() (count int, isRun []byte) {
	cookie := binary.LittleEndian.Uint32(c.next(4))
	switch {
	case c.err != nil:
		return 0, nil
	case cookie&0xffff == cookieRuns:
		count = int(cookie>>16) + 1
		isRun = c.next((count + 7) / 8)
	case cookie == cookieNoRuns:
		count = int(min(binary.LittleEndian.Uint32(c.next(4)), containersMax+1))
	default:
		c.err = errors.New("is no set")
	}
	if count > containersMax {
		c.err = fmt.Errorf("has %d containers", count)
	}
	if c.err != nil {
		return 0, nil
	}
	return count, isRun
}

// runs checks that runs rise, and that there is a number between any two.
func (c *checker) runs() {
	count := int(binary.LittleEndian.Uint16(c.next(2)))
	list := c.next(4 * count)
	if c.err != nil {
		return
	}
	if count == 0 {
		c.err = errors.New("has a container without runs")
		return
	}
	free := 0 // the first number that a run may begin with
	for ; len(list) > 0; list = list[4:] {
		first, more := int(binary.LittleEndian.Uint16(list)), int(binary.LittleEndian.Uint16(list[2:]))
		if first < free || first+more > 0xffff {
			c.err = fmt.Errorf("has a run of %d numbers from %d on", more+1, first)
			return
		}
		free = first + more + 2
	}
}

func (c *checker) listed(size int) {
	list := c.next(2 * size)
	if c.err != nil {
		return
	}
	before := -1
	for ; len(list) > 0; list = list[2:] {
		n := int(binary.LittleEndian.Uint16(list))
		if n <= before {
			c.err = fmt.Errorf("lists %d behind %d", n, before)
			return
		}
		before = n
	}
}

func (c *checker) dense(size int) {
	words, count := c.next(denseBytes), 0
	for ; len(words) > 0; words = words[8:] {
		count += bits.OnesCount64(binary.LittleEndian.Uint64(words))
	}
	if c.err == nil && count != size {
		c.err = fmt.Errorf("has a container of %d numbers that says %d", count, size)
	}
}

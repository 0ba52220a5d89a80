package launch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Processor is the time that all threads of the child have had a processor. Unlike a time on the clock it
// hardly depends on what else the machine does.
func (c *Child) Processor() (time.Duration, error) { return ProcessorOf(c.process.Process.Pid) }

// ProcessorOf is the same of any process. It needs Linux's /proc, and what ended threads have had isn't
// in it.
func ProcessorOf(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("look at processor time: /proc says nothing of process %d", pid)
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		n, err := strconv.ParseInt(string(first), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("look at processor time: %w", err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

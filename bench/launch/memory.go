package launch

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is what the system counts for a process, in bytes.
type Memory struct {
	Resident uint64
	Most     uint64 // resident at any time since the start or the last Forget
}

// Memory looks at the child. It needs Linux's /proc.
func (c *Child) Memory() (Memory, error) { return MemoryOf(c.process.Process.Pid) }

// Forget begins anew with the most memory that the child took.
func (c *Child) Forget() error {
	file := fmt.Sprintf("/proc/%d/clear_refs", c.process.Process.Pid)
	if err := os.WriteFile(file, []byte("5"), 0); err != nil {
		return fmt.Errorf("begin anew with memory: %w", err)
	}
	return nil
}

// MemoryOf looks at any process.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("look at memory: %w", err)
	}
	var m Memory
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kilobytes, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			m.Resident = kilobytes << 10
		case "VmHWM":
			m.Most = kilobytes << 10
		}
	}
	if m.Resident == 0 {
		return m, fmt.Errorf("look at memory: /proc says nothing of process %d", pid)
	}
	return m, nil
}

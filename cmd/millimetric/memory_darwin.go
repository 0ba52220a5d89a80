package main

import "golang.org/x/sys/unix"

func machineMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0 // the least is taken then
	}
	return int64(n)
}

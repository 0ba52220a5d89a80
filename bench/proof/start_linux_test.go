package main

import (
	"os"
	"syscall"
)

// endsWithParent has a process killed when the tests die, so that none is left behind.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// mountTmpfs makes dir a disk of its own, in memory.
func mountTmpfs(dir, size string) (unmount func() error, err error) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size="+size+",mode=0700"); err != nil {
		return nil, os.NewSyscallError("mount", err)
	}
	return func() error { return os.NewSyscallError("umount", syscall.Unmount(dir, syscall.MNT_DETACH)) }, nil
}

// freeBytes is what is free on the disk that holds dir.
func freeBytes(dir string) (uint64, error) {
	var facts syscall.Statfs_t
	err := syscall.Statfs(dir, &facts)
	return facts.Bavail * uint64(facts.Bsize), os.NewSyscallError("statfs", err)
}

package bench

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fileSystem names the file system that a folder is on.
func fileSystem(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", err
	}
	switch fs.Type {
	case unix.TMPFS_MAGIC:
		return "tmpfs (memory: syncs cost nothing)", nil
	case unix.EXT4_SUPER_MAGIC:
		return "ext4", nil
	case unix.XFS_SUPER_MAGIC:
		return "xfs", nil
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs", nil
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs", nil
	}
	return fmt.Sprintf("%#x", fs.Type), nil
}

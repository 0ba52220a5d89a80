package bench

import "golang.org/x/sys/unix"

// fileSystem names the file system that a folder is on.
func fileSystem(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(fs.Fstypename[:]), nil
}

//go:build linux || darwin

package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fileSystem returns the bytes that this process may still write to the file
// system of path, and how large that is.
func fileSystem(path string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

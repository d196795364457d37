//go:build linux || darwin

package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace returns the bytes that this process may still write to the file
// system of path.
func freeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

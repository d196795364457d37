//go:build !linux && !darwin

package node

import (
	"errors"
	"fmt"
)

// fileSystem fails: the free space is not told in the same way everywhere.
func fileSystem(string) (free, total int64, err error) {
	return 0, 0, fmt.Errorf("free space: %w", errors.ErrUnsupported)
}

//go:build !linux && !darwin

package node

import (
	"errors"
	"fmt"
)

// freeSpace fails: the free space is not told in the same way everywhere.
func freeSpace(string) (int64, error) {
	return 0, fmt.Errorf("free space: %w", errors.ErrUnsupported)
}

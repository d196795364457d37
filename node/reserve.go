package node

import (
	"fmt"

	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

// The reserves of space that operations of forkers and of revoked authors do not take
// (docs/p2p.md, section 12), in bytes, unless the configuration says other ones.
const (
	// The disk's is one part in diskShare of the file system: what honest work takes
	// until somebody has added a disk. Least and most are what that is on small and on large ones.
	diskShare                  = 10
	minReserveDisk             = 1 << 30
	maxReserveDisk             = 16 << 30
	smallDiskShare             = 4                   // of a small file system it is this part at most
	leastReserveDisk     int64 = 2 * commit.LowSpace // liars leave space before own clients have to
	memoryShare                = 10                  // the memory's is this part of what bounds it
	maxReserveMemory           = 1 << 30
	diskName, memoryName       = "disk", "memory"
)

// reserveDisk is the reserve of a file system of so many bytes.
func reserveDisk(total int64) int64 {
	return min(max(total/diskShare, minReserveDisk), maxReserveDisk, max(total/smallDiskShare, leastReserveDisk))
}

// A memoryBound is one of what bounds the process's memory.
type memoryBound struct{ free, total int64 } // bytes

// reserve returns that of the bound; configured is in its place if not 0.
func (b memoryBound) reserve(configured int64) int64 {
	if configured != 0 {
		return configured
	}
	return min(b.total/memoryShare, maxReserveMemory)
}

// tightest returns what is free, and the reserve, of the bound that leaves the least.
func tightest(bounds []memoryBound, configured int64) (free, reserve int64, err error) {
	if len(bounds) == 0 {
		return 0, 0, fmt.Errorf("memory: %w", errNoBound)
	}
	best := bounds[0]
	for _, b := range bounds[1:] {
		if b.free-b.reserve(configured) < best.free-best.reserve(configured) {
			best = b
		}
	}
	return best.free, best.reserve(configured), nil
}

// spaces returns the spaces that operations take up, but for those that cannot be
// measured on this system or are not to have a reserve.
func (c Config) spaces() (all []p2p.Space) {
	if _, _, err := fileSystem(c.DataDir); err == nil && c.ReserveDiskBytes >= 0 {
		all = append(all, p2p.Space{Name: diskName, Measure: func() (free, reserve int64, err error) {
			free, total, err := fileSystem(c.DataDir)
			if reserve = c.ReserveDiskBytes; reserve == 0 {
				reserve = reserveDisk(total)
			}
			return free, reserve, err
		}})
	}
	memory := newMemory()
	if len(memory.bounds()) > 0 && c.ReserveMemoryBytes >= 0 {
		all = append(all, p2p.Space{Name: memoryName, Measure: func() (free, reserve int64, err error) {
			return tightest(memory.bounds(), c.ReserveMemoryBytes)
		}})
	}
	return all
}

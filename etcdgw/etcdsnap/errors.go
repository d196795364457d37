package etcdsnap

import "errors"

var (
	// ErrCorrupt is wrapped by every error about what a file holds: it is
	// damaged, or no etcd snapshot.
	ErrCorrupt = errors.New("not an intact etcd snapshot")
	// ErrChecksum says that the SHA-256 at the end of the file is not that of
	// what stands before it. It wraps ErrCorrupt.
	ErrChecksum error = corrupt("the snapshot's checksum does not match")
	// ErrNoChecksum says that no SHA-256 was appended: the file is a copy from a
	// data directory, or was cut off.
	ErrNoChecksum = errors.New("the snapshot has no checksum")
)

// corrupt is a sentinel that is ErrCorrupt as well.
type corrupt string

func (c corrupt) Error() string      { return string(c) }
func (corrupt) Is(target error) bool { return target == ErrCorrupt }

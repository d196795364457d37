package commit

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrStopped is returned once the pipeline is closed or has failed.
	ErrStopped = status.Error(codes.Unavailable, "etcdserver: server stopped")

	// ErrNotReady is returned to clients of a joined node that has not yet
	// received its own enrolment, and with it everything before (docs/node.md).
	ErrNotReady = status.Error(codes.Unavailable, "etcdserver: no leader: the node has not finished its first synchronisation")

	// ErrSuperseded is returned to writers when ops came up that somebody else made
	// with this node's key, or with another one at its place: its disk is an old
	// copy, or the key runs elsewhere too. Writing on would fork the author.
	ErrSuperseded = status.Error(codes.Unavailable, "etcdserver: somebody else writes at this node's place in the mesh; it refuses to write, so as not to fork, until its key is rotated")

	// ErrRotated is returned to writers between the last op of a key that was
	// rotated and the moment at which the node opens again with the new one.
	ErrRotated = status.Error(codes.Unavailable, "etcdserver: this node's key was rotated; it opens again with the new one")

	// ErrVersion is returned to writers where the mesh has moved to a version of
	// the format that this build does not know.
	ErrVersion = status.Error(codes.Unavailable, "etcdserver: the mesh has moved to a format version that this build does not know; it refuses to write until it is replaced")

	// ErrAllowance says that a node may not rotate its key once more: its
	// operator must enrol a new one.
	ErrAllowance = errors.New("commit: the enrolment allows no further rotation")

	// ErrNoRotation says that a node's key cannot be rotated here.
	ErrNoRotation = errors.New("commit: the key cannot be rotated")

	// ErrKey is returned by Open if none of the keys is the one that the log
	// says is the node's.
	ErrKey = errors.New("commit: the log is another key's")

	// ErrReplay is returned by Open when the log does not replay to what it recorded.
	ErrReplay = errors.New("commit: the log does not replay to the state it recorded")

	// ErrForeignMesh is returned by Open for a store of another mesh, and by
	// Admit for a founding op that is not this mesh's.
	ErrForeignMesh = errors.New("commit: of another mesh")

	// errNoWindow is logged when a node can claim no revision window.
	errNoWindow = errors.New("no revision window is free")

	// ErrNotFound is returned by Fetch for an op that this node does not hold.
	ErrNotFound = errors.New("commit: no such op")
)

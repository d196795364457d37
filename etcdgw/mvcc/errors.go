package mvcc

import (
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrReplay says that a change does not fit the state it is replayed on: the
	// log is damaged, or was written by a version that counts differently.
	ErrReplay = errors.New("mvcc: change does not fit the state")
	// ErrMalformedChange says that the bytes are not an encoded [Change].
	ErrMalformedChange = errors.New("mvcc: malformed change")
	// ErrUnknownRequest says that Evaluate was given a message it does not know.
	ErrUnknownRequest = errors.New("mvcc: unknown request")

	// ErrNoRoom says that a change has no room, see [View.SetRoom]. Clients see
	// etcd's error of a full database.
	ErrNoRoom = status.Error(codes.ResourceExhausted, rpctypes.ErrorDesc(rpctypes.ErrGRPCNoSpace))

	// ErrUnsealed says that a key was written by a change that no operation holds.
	ErrUnsealed = errors.New("mvcc: its last write is in no operation yet")

	errTrail = errors.New("malformed trail")

	// ErrWatchNotFound says that the stream has no watch of that ID.
	ErrWatchNotFound = errors.New("mvcc: watcher does not exist")
	// ErrStreamClosed says that the watch stream was closed.
	ErrStreamClosed = errors.New("mvcc: watch stream closed")
	// errDuplicateWatch and errEmptyWatchRange are sent to clients, in etcd's words.
	errDuplicateWatch  = errors.New("mvcc: duplicate watch ID provided on the WatchStream")
	errEmptyWatchRange = errors.New("mvcc: watcher range is empty")
)

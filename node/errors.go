package node

import "errors"

var (
	// ErrConfig is wrapped by what is wrong with a Config.
	ErrConfig = errors.New("node: bad configuration")

	// ErrNotEmpty is returned by Init and Join for a directory that holds a node already.
	ErrNotEmpty = errors.New("the data directory already holds a node")

	// ErrIncomplete is returned by Open for a directory with keys but no mesh, as
	// left by a Join that did not finish: run the join again.
	ErrIncomplete = errors.New("the data directory belongs to no mesh yet: finish the join or remove it")

	// ErrRotated is why a node stops by itself once its key was rotated: it goes
	// on when it is opened again, as [Run] does.
	ErrRotated = errors.New("the node's key was rotated")

	// ErrTooLarge is returned by Restore for a key-value that no operation can hold.
	ErrTooLarge = errors.New("too large to restore")
)

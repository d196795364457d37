//go:build !unix

package p2p

import "net"

// setBacklog leaves the system's bound as it is.
func setBacklog(net.Listener, int) error { return nil }

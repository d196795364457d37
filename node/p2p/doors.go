package p2p

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// doors decide about connections that peers opened until their keys are known. It is
// safe for concurrent use.
type doors struct {
	pace *handshakes
	good *addresses

	mu       sync.Mutex
	arrivals bucket // connections over TCP

	strangers atomic.Int64 // connections whose key is not known yet, of addresses that are not

	crowd func() // called for each connection that is turned away; must not block
}

func newDoors(crowd func()) *doors {
	processors := runtime.GOMAXPROCS(0)
	return &doors{
		pace: newHandshakes(processors), good: newAddresses(), crowd: crowd,
		arrivals: newBucket(acceptRate*float64(processors), acceptBurst, time.Now()),
	}
}

// accepted counts a connection over TCP, and returns how long it waits before anything is done about it.
func (d *doors) accepted(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.arrivals.owe(1, now)
}

// at has the doors decide about what a resource manager lets in.
func (d *doors) at(m network.ResourceManager) network.ResourceManager {
	return doorkeeper{m, d}
}

type doorkeeper struct {
	network.ResourceManager
	doors *doors
}

// OpenConnection implements [network.ResourceManager].
func (k doorkeeper) OpenConnection(dir network.Direction, usefd bool, endpoint multiaddr.Multiaddr) (network.ConnManagementScope, error) {
	if dir != network.DirInbound {
		return k.ResourceManager.OpenConnection(dir, usefd, endpoint)
	}
	if overQUIC(endpoint) && !k.doors.pace.afford() {
		k.doors.crowd()
		return nil, errCrowd
	}
	leave := func() {}
	if !k.doors.good.has(endpoint) {
		if k.doors.strangers.Add(1) > maxHandshakes-keptHandshakes {
			k.doors.strangers.Add(-1)
			k.doors.crowd()
			return nil, errCrowd
		}
		leave = sync.OnceFunc(func() { k.doors.strangers.Add(-1) })
	}
	scope, err := k.ResourceManager.OpenConnection(dir, usefd, endpoint)
	if err != nil {
		leave()
		return nil, err
	}
	return doorway{scope, leave}, nil
}

func overQUIC(addr multiaddr.Multiaddr) bool {
	if addr == nil {
		return false
	}
	_, err := addr.ValueForProtocol(multiaddr.P_QUIC_V1)
	return err == nil
}

// A doorway is a connection that is let in as far as its handshake.
type doorway struct {
	network.ConnManagementScope
	leave func()
}

// SetPeer implements [network.ConnManagementScope].
func (w doorway) SetPeer(p peer.ID) error {
	w.leave()
	return w.ConnManagementScope.SetPeer(p)
}

// Done implements [network.ConnManagementScope].
func (w doorway) Done() {
	w.leave()
	w.ConnManagementScope.Done()
}

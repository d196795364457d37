package p2p

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/identity"
)

// cuts are the peers that this node is cut from on purpose. The zero value is ready.
type cuts struct {
	mu  sync.RWMutex
	set map[peer.ID]bool
}

func (c *cuts) has(p peer.ID) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.set[p]
}

func (c *cuts) put(p peer.ID, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !cut {
		delete(c.set, p)
		return
	}
	if c.set == nil {
		c.set = make(map[peer.ID]bool)
	}
	c.set[p] = true
}

// Cut cuts this node from a peer, as a broken link would, or mends that:
// connections are closed, and none is made or accepted. It is for
// demonstrations and for tests of partitions.
func (n *Network) Cut(node identity.PublicKey, cut bool) error {
	id, err := PeerID(node)
	if err != nil {
		return err
	}
	n.cuts.put(id, cut)
	if cut {
		return n.host.Network().ClosePeer(id)
	}
	n.book.retry(id)
	return nil
}

package p2p

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// hail begins any stream, whatever is spoken on it then: libp2p's multistream. The other
// side answers at once with the same.
const hail = "\x13/multistream/1.0.0\n"

// closeDead closes those of several connections with p on which it does not answer, though it
// does on another (docs/p2p.md, section 2).
func (n *Network) closeDead(ctx context.Context, p peer.ID) {
	conns := n.host.Network().ConnsToPeer(p)
	if len(conns) < 2 {
		return
	}
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { errs[i] = hailed(ctx, c) })
	}
	wg.Wait()
	if !slices.Contains(errs, nil) {
		return // the peer has no time, or is gone
	}
	for i, c := range conns {
		if errors.Is(errs[i], ErrStalled) {
			n.log.Debug("a connection is dead", "peer", p.String(), "address", c.RemoteMultiaddr().String())
			_ = c.Close()
		}
	}
}

// hailed returns nil if the other side of c answers in time, and ErrStalled if it does not.
func hailed(ctx context.Context, c network.Conn) error {
	deadline := time.Now().Add(answerTime)
	ctx, cancel := context.WithDeadline(network.WithAllowLimitedConn(ctx, "hail"), deadline)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return stalled(err)
	}
	defer s.Reset()
	if err := s.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := s.Write([]byte(hail)); err != nil {
		return stalled(err)
	}
	_, err = s.Read(make([]byte, 1))
	return stalled(err)
}

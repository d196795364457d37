package node

import (
	"context"
	"time"

	"github.com/causeway-sync/causeway/node/p2p"
)

// partTime bounds how long a node gives the last op of a key that was rotated
// to the peers connected, before it closes.
const partTime = 3 * time.Second

// finishRotation brings the rotation that the log holds to its end: the new key
// takes the place of the old one (docs/node.md, "Rotation"). It may be done again.
func (n *Node) finishRotation(keys nodeKeys) error {
	op, ok := n.pipeline.LastRotation()
	if ok {
		block, body, err := n.pipeline.Fetch(op)
		if err != nil {
			return err
		}
		if err := p2p.SaveIntroduction(n.store, block, body); err != nil {
			return err
		}
	}
	if err := keys.promote(); err != nil {
		return err
	}
	n.log.Info("the rotation is complete", "node", n.self)
	return nil
}

// startParting waits for a rotation of the node's key and then stops the node.
func (n *Node) startParting() {
	ctx, cancel := context.WithCancel(context.Background())
	n.stopParting = cancel
	n.parting.Go(func() {
		select {
		case <-n.rotated:
			n.part(ctx)
			n.fail(ErrRotated)
		case <-ctx.Done():
		}
	})
}

// part waits until the peers connected hold the last op of the old key, and
// with it all that the node has.
func (n *Node) part(ctx context.Context) {
	op, ok := n.pipeline.LastRotation()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	peers, err := n.network.Flush(ctx, op)
	if err != nil {
		n.log.Warn("no peer was told of the rotation; the new key shows it to those it meets", "err", err)
		return
	}
	n.log.Info("peers were told of the rotation", "peers", peers)
}

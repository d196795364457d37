package p2p

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// gossip spreads own ops as they are made, forwards those of others once they
// are delivered here, and announces heads.
type gossip struct {
	n     *Network
	topic *pubsub.Topic
	queue chan ownOp    // own ops to publish
	dirty chan struct{} // heads changed since the last announcement
	now   chan struct{} // announce without waiting
}

type ownOp struct{ block, body []byte }

// Topic returns the name of a mesh's gossip topic. It is in every message, so it holds no
// more of the mesh's ID than keeps meshes apart.
func Topic(mesh dag.ID) string {
	id := mesh.String()
	return "causeway/0/" + id[len(id)-16:]
}

func newGossip(n *Network) (*gossip, error) {
	g := &gossip{
		n:     n,
		queue: make(chan ownOp, publishQueue),
		dirty: make(chan struct{}, 1),
		now:   make(chan struct{}, 1),
	}
	name := Topic(n.mesh)
	quiet := slog.New(slog.DiscardHandler)
	ps, err := pubsub.NewGossipSub(n.ctx, gatedHost{n.host, n},
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(maxGossipRPC),
		pubsub.WithSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(name)),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithValidateThrottle(maxValidators),
		pubsub.WithPeerScore(g.peerScore(name)),
		pubsub.WithRawTracer(gossipTrace{n.metrics}),
		pubsub.WithLogger(quiet),
		pubsub.WithRPCLogger(quiet),
	)
	if err != nil {
		return nil, fmt.Errorf("p2p: gossip: %w", err)
	}
	if err := ps.RegisterTopicValidator(name, g.validate, pubsub.WithValidatorConcurrency(maxValidators)); err != nil {
		return nil, fmt.Errorf("p2p: gossip: %w", err)
	}
	if g.topic, err = ps.Join(name); err != nil {
		return nil, fmt.Errorf("p2p: gossip: %w", err)
	}
	// The validator delivers, so the topic is relayed and not subscribed to.
	if _, err := g.topic.Relay(); err != nil {
		return nil, fmt.Errorf("p2p: gossip: %w", err)
	}
	return g, nil
}

func (g *gossip) protocols() []protocol.ID { return pubsub.GossipSubDefaultProtocols }

// messageID names a message by its content, as it has no author or number.
func messageID(m *pb.Message) string {
	sum := sha256.Sum256(m.Data)
	return string(sum[:])
}

// own takes an own op for publishing. It never blocks.
func (g *gossip) own(_ *dag.Op, block, body []byte) {
	g.n.remote.wrote()
	g.n.warden.look()
	if len(block)+len(body)+16 > maxGossip {
		poke(g.now)
		return
	}
	select {
	case g.queue <- ownOp{block, body}:
		poke(g.dirty)
	default:
		g.n.metrics.dropped.WithLabelValues("publish").Inc()
		poke(g.now)
	}
	g.n.syncer.wakeUp()
}

// poke leaves a signal in c, unless there is one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (g *gossip) publishLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case op := <-g.queue:
			g.publish(ctx, encodeGossipOp(op.block, op.body))
		}
	}
}

func (g *gossip) publish(ctx context.Context, data []byte) {
	if err := g.topic.Publish(ctx, data); err != nil && ctx.Err() == nil {
		g.n.log.Warn("cannot publish by gossip", "error", err)
	}
}

// announceLoop tells peers our heads a moment after they changed: whoever
// missed an op, or was sent none because it was too large, asks for a sync.
func (g *gossip) announceLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.now:
		case <-g.dirty:
			timer.Reset(jitter(g.n.timing.Announce))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			case <-g.now:
			}
		}
		var heads []dag.ID
		for _, op := range g.n.backend.Graph().Heads() {
			if heads = append(heads, op.ID()); len(heads) == maxAnnounced {
				break
			}
		}
		g.publish(ctx, encodeGossipHeads(g.n.self, heads))
	}
}

// validate decides about one message of gossip, and delivers it. Only what is
// delivered here is forwarded, so that every peer answers for what it sends.
func (g *gossip) validate(ctx context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	n := g.n
	if from == n.id {
		return pubsub.ValidationAccept
	}
	if !n.begin() {
		return pubsub.ValidationIgnore
	}
	defer n.wg.Done()
	if err := n.admitted(from); err != nil {
		return pubsub.ValidationIgnore
	}
	n.peers.received(from, len(msg.Data))
	m, err := decodeGossip(msg.Data)
	if err != nil {
		n.standings.report(from, reasonMalformed, err)
		return pubsub.ValidationReject
	}
	if m.block == nil {
		return g.announced(from, m)
	}
	return g.received(ctx, from, m)
}

// announced takes a peer's heads. They are not forwarded: the peer's
// neighbours announce their own once they have synced.
func (g *gossip) announced(from peer.ID, m *gossipMessage) pubsub.ValidationResult {
	if key, err := NodeKey(from); err != nil || key != m.sender {
		g.n.standings.report(from, reasonProtocol, fmt.Errorf("%w: heads of another node", ErrMalformed))
		return pubsub.ValidationReject
	}
	if missing := g.n.peers.announced(from, m.heads); len(missing) > 0 {
		g.n.syncer.want(from, g.n.timing.Settle, missing...)
	}
	return pubsub.ValidationIgnore
}

func (g *gossip) received(ctx context.Context, from peer.ID, m *gossipMessage) pubsub.ValidationResult {
	n := g.n
	u, err := dag.Decode(m.block, m.body)
	var refusal *dag.Refusal
	if err != nil {
		n.reportOp(from, err)
		if errors.As(err, &refusal) && weightOf(refused(refusal)) == weightNone {
			return pubsub.ValidationIgnore // the relay may know a later format
		}
		return pubsub.ValidationReject
	}
	if mesh := u.Header().Mesh; u.ID() != n.mesh && (mesh == nil || *mesh != n.mesh) {
		n.standings.report(from, reasonMesh, fmt.Errorf("op %v", u.ID()))
		return pubsub.ValidationReject
	}
	if _, known := n.backend.Graph().Get(u.ID()); known {
		n.peers.holds(from, u.ID())
		return g.forward(u)
	}
	// Who forged an author's op must not spend what is left to the author: the
	// intake looks again, and counts, once the signature is verified.
	author := u.Header().Author
	if n.throttle.slows(author, n.backend.Graph().Roster()) && !n.throttle.passes(author, len(m.block)+len(m.body), false) {
		n.metrics.throttled.WithLabelValues("gossip").Inc()
		return pubsub.ValidationIgnore
	}
	err = n.intake.take(ctx, from, u)
	var missing *dag.MissingError
	switch {
	case err == nil || errors.Is(err, dag.ErrDuplicate):
		return g.forward(u)
	case errors.As(err, &missing):
		n.syncer.want(from, n.timing.Settle, missing.IDs...)
		return pubsub.ValidationIgnore
	case errors.As(err, &refusal):
		return pubsub.ValidationReject
	}
	return pubsub.ValidationIgnore
}

// forward says that a message of an op that is delivered here is forwarded, if it is the first,
// and the author is not revoked: who needs what is void here finds that it is missing.
func (g *gossip) forward(op *dag.Unverified) pubsub.ValidationResult {
	first := g.n.delivery.passed.pass(op.ID())
	if !first || errors.Is(g.n.backend.Graph().Roster().Standing(op.Header().Author).Err(), identity.ErrRevoked) {
		return pubsub.ValidationIgnore
	}
	return pubsub.ValidationAccept
}

// reportOp reports the peer that sent an op for which package dag gave err.
func (n *Network) reportOp(p peer.ID, err error) {
	var refusal *dag.Refusal
	if errors.As(err, &refusal) {
		n.standings.report(p, refused(refusal), err)
		return
	}
	n.standings.report(p, reasonMalformed, err)
}

// changed says that the delivered ops are more than before.
func (n *Network) changed() {
	poke(n.gossip.dirty)
	n.syncer.wakeUp()
	n.warden.look()
}

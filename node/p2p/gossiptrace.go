package p2p

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// gossipTrace counts what gossip drops because a queue is full. Its methods are
// called on gossip's way and do nothing else.
type gossipTrace struct{ metrics *metrics }

var _ pubsub.RawTracer = gossipTrace{}

// RejectMessage implements [pubsub.RawTracer].
func (t gossipTrace) RejectMessage(_ *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		t.metrics.dropped.WithLabelValues("validate").Inc()
	}
}

// DropRPC implements [pubsub.RawTracer].
func (t gossipTrace) DropRPC(*pubsub.RPC, peer.ID) { t.metrics.dropped.WithLabelValues("gossip").Inc() }

// The rest of [pubsub.RawTracer] does not matter here.

func (gossipTrace) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (gossipTrace) OnClosedOutboundStream(peer.ID)           {}
func (gossipTrace) Join(string)                              {}
func (gossipTrace) Leave(string)                             {}
func (gossipTrace) Graft(peer.ID, string)                    {}
func (gossipTrace) Prune(peer.ID, string)                    {}
func (gossipTrace) ValidateMessage(*pubsub.Message)          {}
func (gossipTrace) DeliverMessage(*pubsub.Message)           {}
func (gossipTrace) DuplicateMessage(*pubsub.Message)         {}
func (gossipTrace) ThrottlePeer(peer.ID)                     {}
func (gossipTrace) RecvRPC(*pubsub.RPC)                      {}
func (gossipTrace) SendRPC(*pubsub.RPC, peer.ID)             {}
func (gossipTrace) UndeliverableMessage(msg *pubsub.Message) {}

package p2p

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Scores of gossip (docs/p2p.md, section 3). They choose neighbours; that a
// peer is shut out is for standings to say.
const (
	// firstWeight and firstCap reward, up to 20, each op that a peer was the first to bring.
	firstWeight, firstCap = 1, 20
	// firstDecay is in what time that fades.
	firstDecay = 2 * time.Minute
	// rejectWeight is what an invalid message costs, squared over their number.
	rejectWeight = -100
	rejectDecay  = 10 * time.Minute
	// behaviourWeight is what broken promises of gossip cost, squared beyond behaviourFree of them.
	behaviourWeight, behaviourFree = -1, 6
	// pinnedScore keeps a configured peer among the neighbours.
	pinnedScore = 40
	// Below graylistScore nothing of a peer is looked at, below publishScore
	// it is not sent own ops, below gossipScore not told of others'.
	gossipScore, publishScore, graylistScore = -40, -60, -80
	// graftScore is the median below which neighbours are looked for that bring more.
	graftScore = 2
	// scoreKept is how long a peer that left is remembered.
	scoreKept = 10 * time.Minute
	// scoreDecays is how often scores fade.
	scoreDecays = time.Second
)

// peerScore returns how gossip judges its neighbours. How many of them have one
// network address does not matter: they may be sites behind one router.
func (g *gossip) peerScore(topic string) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	params := &pubsub.PeerScoreParams{
		Topics: map[string]*pubsub.TopicScoreParams{topic: {
			TopicWeight:                    1,
			TimeInMeshQuantum:              time.Second,
			FirstMessageDeliveriesWeight:   firstWeight,
			FirstMessageDeliveriesDecay:    pubsub.ScoreParameterDecay(firstDecay),
			FirstMessageDeliveriesCap:      firstCap,
			InvalidMessageDeliveriesWeight: rejectWeight,
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(rejectDecay),
		}},
		AppSpecificScore:          g.appScore,
		AppSpecificWeight:         1,
		BehaviourPenaltyWeight:    behaviourWeight,
		BehaviourPenaltyThreshold: behaviourFree,
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(rejectDecay),
		DecayInterval:             scoreDecays,
		DecayToZero:               pubsub.DefaultDecayToZero,
		RetainScore:               scoreKept,
	}
	return params, &pubsub.PeerScoreThresholds{
		GossipThreshold:             gossipScore,
		PublishThreshold:            publishScore,
		GraylistThreshold:           graylistScore,
		OpportunisticGraftThreshold: graftScore,
	}
}

// appScore is what this node knows of p beyond gossip: that it is configured,
// and what it did against the protocol. At 100 of that a peer is shut out.
func (g *gossip) appScore(p peer.ID) float64 {
	score := -g.n.standings.faults(p)
	if g.n.book.pinned(p) {
		score += pinnedScore
	}
	return score
}

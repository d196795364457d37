package p2p

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// Kinds of gossip message.
const (
	gossipOp    = 0 // [0, block, body]
	gossipHeads = 1 // [1, sender, [link…]]
)

// gossipMessage is a decoded gossip message: an op, or an announcement of heads.
type gossipMessage struct {
	block, body []byte // of an op; block is nil in an announcement
	sender      identity.PublicKey
	heads       []dag.ID // ascending, without duplicates
}

func encodeGossipOp(block, body []byte) []byte {
	b := make([]byte, 0, len(block)+len(body)+16)
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendUint(b, gossipOp)
	b = dagcbor.AppendBytes(b, block)
	return dagcbor.AppendBytes(b, body)
}

// encodeGossipHeads announces heads, ascending, at most maxAnnounced. It
// names the sender, so that equal announcements of two nodes are two messages.
func encodeGossipHeads(sender identity.PublicKey, heads []dag.ID) []byte {
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendUint(b, gossipHeads)
	b = dagcbor.AppendBytes(b, sender[:])
	b = dagcbor.AppendArray(b, len(heads))
	for _, id := range heads {
		b = dagcbor.AppendLink(b, id)
	}
	return b
}

// decodeGossip parses a message's data; block and body alias it. The error
// wraps ErrMalformed.
func decodeGossip(data []byte) (*gossipMessage, error) {
	m := new(gossipMessage)
	d := dagcbor.NewDecoder(data)
	d.Tuple(3)
	switch kind := d.Uint(); {
	case d.Err() != nil:
	case kind == gossipOp:
		m.block = d.Bytes(maxGossip)
		m.body = d.Bytes(maxGossip)
		if d.Err() == nil && len(m.block) == 0 {
			return nil, fmt.Errorf("%w: gossip of an empty block", ErrMalformed)
		}
	case kind == gossipHeads:
		d.Fixed(m.sender[:])
		for range d.Array(maxAnnounced) {
			id := dag.ID(d.Link())
			if n := len(m.heads); d.Err() == nil && n > 0 && m.heads[n-1].Compare(id) >= 0 {
				return nil, fmt.Errorf("%w: heads are not ascending", ErrMalformed)
			}
			m.heads = append(m.heads, id)
		}
	default:
		return nil, fmt.Errorf("%w: gossip of kind %d", ErrMalformed, kind)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: gossip: %v", ErrMalformed, err)
	}
	return m, nil
}

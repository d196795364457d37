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
	gossipShort = 2 // [2, block, length of the body, the body compressed]
)

// gossipMessage is a decoded gossip message: an op, or an announcement of heads.
type gossipMessage struct {
	block, body []byte // of an op; block is nil in an announcement
	sender      identity.PublicKey
	heads       []dag.ID // ascending, without duplicates
}

// encodeGossipOp encodes an op, its body compressed where that is shorter.
func encodeGossipOp(block, body []byte) []byte {
	if z := deflate(nil, body, nil); z != nil {
		return encodeGossipShort(block, len(body), z)
	}
	b := make([]byte, 0, len(block)+len(body)+16)
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendUint(b, gossipOp)
	b = dagcbor.AppendBytes(b, block)
	return dagcbor.AppendBytes(b, body)
}

func encodeGossipShort(block []byte, n int, z []byte) []byte {
	b := make([]byte, 0, len(block)+len(z)+24)
	b = dagcbor.AppendArray(b, 4)
	b = dagcbor.AppendUint(b, gossipShort)
	b = dagcbor.AppendBytes(b, block)
	b = dagcbor.AppendUint(b, uint64(n))
	return dagcbor.AppendBytes(b, z)
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

// decodeGossip parses a message's data; block and body may alias it. The error
// wraps ErrMalformed.
func decodeGossip(data []byte) (*gossipMessage, error) {
	m := new(gossipMessage)
	var short []byte
	var length uint64
	d := dagcbor.NewDecoder(data)
	fields := d.Array(4)
	kind := d.Uint()
	switch {
	case d.Err() != nil:
	case kind == gossipOp && fields == 3:
		m.block = d.Bytes(maxGossip)
		m.body = d.Bytes(maxGossip)
	case kind == gossipShort && fields == 4:
		m.block = d.Bytes(maxGossip)
		length = d.Uint()
		short = d.Bytes(maxGossip)
	case kind == gossipHeads && fields == 3:
		d.Fixed(m.sender[:])
		for range d.Array(maxAnnounced) {
			id := dag.ID(d.Link())
			if n := len(m.heads); d.Err() == nil && n > 0 && m.heads[n-1].Compare(id) >= 0 {
				return nil, fmt.Errorf("%w: heads are not ascending", ErrMalformed)
			}
			m.heads = append(m.heads, id)
		}
	default:
		return nil, fmt.Errorf("%w: gossip of kind %d with %d fields", ErrMalformed, kind, fields)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: gossip: %v", ErrMalformed, err)
	}
	if kind != gossipHeads && len(m.block) == 0 {
		return nil, fmt.Errorf("%w: gossip of an empty block", ErrMalformed)
	}
	if kind == gossipShort {
		if length > maxGossip {
			return nil, fmt.Errorf("%w: gossip of %d bytes, at most %d", ErrMalformed, length, maxGossip)
		}
		var err error
		if m.body, err = inflate(short, int(length), nil); err != nil {
			return nil, err
		}
	}
	return m, nil
}

package main

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
)

// Algorithms 1 and 2 of Kleppmann and Howard, "Byzantine Eventual Consistency
// and the Fundamental Limits of Peer-to-Peer Databases" (arXiv 2012.00472,
// sections 5.2 and 5.3): a walk back from the heads hash by hash, and the same after a
// Bloom filter of the ops since the last reconciliation. As in its evaluation,
// the filter has 10 bits for each entry and 7 hash functions, and hashes are of
// 32 bytes. They run on the same graphs as ours; a message's predecessors are
// an op's parents, and its hash the op's ID.
const (
	bloomBits   = 10 // for each entry
	bloomHashes = 7
)

// newBloom returns the filter of ops, a whole number of bytes.
func newBloom(ops []*dag.Op) []byte {
	f := make([]byte, (len(ops)*bloomBits+7)/8)
	for _, op := range ops {
		for i := range bloomHashes {
			bit := bloomIndex(op.ID(), i, len(f)*8)
			f[bit/8] |= 1 << (bit % 8)
		}
	}
	return f
}

func bloomHas(f []byte, id dag.ID) bool {
	for i := range bloomHashes {
		if len(f) == 0 {
			return false
		}
		bit := bloomIndex(id, i, len(f)*8)
		if f[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}

// bloomIndex takes hash i from the ID, which is a hash itself.
func bloomIndex(id dag.ID, i, bits int) uint64 {
	return uint64(binary.BigEndian.Uint32(id[4*i:])) % uint64(bits)
}

// becMessage is any of the messages of the two algorithms.
type becMessage struct {
	heads, oldHeads []dag.ID
	filter          []byte
	first           bool // it is the opening one
	needs           []dag.ID
	msgs            []*dag.Signed
}

// traffic is what m takes: the ops, 32 bytes for a hash, the filter. The
// paper's own prototype counts 100 bytes more for each message; here it is the
// transport's few, as for ours, and lists and fields take nothing, which favours it.
func (m becMessage) traffic() int {
	n := frameLength + 32*(len(m.heads)+len(m.oldHeads)+len(m.needs)) + len(m.filter)
	for _, s := range m.msgs {
		n += len(s.Block()) + len(s.Body())
	}
	return n
}

// becNode is one side. The names are the paper's.
type becNode struct {
	*node
	bloom    bool // algorithm 2
	oldHeads []dag.ID
	sent     map[dag.ID]bool
	recvd    map[dag.ID]*dag.Signed
	missing  map[dag.ID]bool
}

func newBecNode(n *node, bloom bool, oldHeads []*dag.Op) *becNode {
	b := &becNode{node: n, bloom: bloom, sent: map[dag.ID]bool{}, recvd: map[dag.ID]*dag.Signed{}, missing: map[dag.ID]bool{}}
	b.oldHeads = opIDs(oldHeads)
	return b
}

func opIDs(ops []*dag.Op) []dag.ID {
	out := make([]dag.ID, len(ops))
	for i, op := range ops {
		out[i] = op.ID()
	}
	return out
}

// since is the paper's MessagesSince.
func (n *becNode) since(heads []dag.ID) []*dag.Op {
	var known []*dag.Op
	for _, h := range heads {
		if op, ok := n.graph.Get(h); ok {
			known = append(known, op)
		}
	}
	return n.graph.Since(known)
}

func (n *becNode) open() becMessage {
	m := becMessage{first: true, heads: opIDs(n.graph.Heads())}
	if n.bloom {
		m.oldHeads, m.filter = n.oldHeads, newBloom(n.since(n.oldHeads))
	}
	return m
}

// receive returns the messages to send.
func (n *becNode) receive(m becMessage) (out []becMessage, err error) {
	switch {
	case m.first:
		if n.bloom {
			out = n.reply(out, n.negative(m))
		}
		return n.handleMissing(out, m.heads)
	case len(m.needs) > 0:
		return n.reply(out, m.needs), nil
	}
	var parents []dag.ID
	for _, s := range m.msgs {
		n.recvd[s.ID()] = s
		parents = append(parents, s.Header().Parents...)
	}
	return n.handleMissing(out, parents)
}

// negative returns what the filter of m has not, and all that has that in its past.
func (n *becNode) negative(m becMessage) (reply []dag.ID) {
	lacked := make(map[*dag.Op]bool)
	for _, op := range n.since(m.oldHeads) { // parents first
		if !bloomHas(m.filter, op.ID()) || slices.ContainsFunc(op.Parents(), func(p *dag.Op) bool { return lacked[p] }) {
			lacked[op] = true
			reply = append(reply, op.ID())
		}
	}
	return reply
}

// reply sends those ops that were not sent before.
func (n *becNode) reply(out []becMessage, ids []dag.ID) []becMessage {
	var m becMessage
	for _, id := range ids {
		if s, ok := n.ops[id]; ok && !n.sent[id] {
			n.sent[id] = true
			m.msgs = append(m.msgs, s)
		}
	}
	if len(m.msgs) == 0 {
		return out
	}
	return append(out, m)
}

// handleMissing is the paper's HandleMissing: when nothing is missing it delivers.
func (n *becNode) handleMissing(out []becMessage, ids []dag.ID) ([]becMessage, error) {
	for _, id := range ids {
		n.missing[id] = true
	}
	for id := range n.missing {
		if n.ops[id] != nil || n.recvd[id] != nil {
			delete(n.missing, id)
		}
	}
	if len(n.missing) > 0 {
		m := becMessage{}
		for id := range n.missing {
			m.needs = append(m.needs, id)
		}
		slices.SortFunc(m.needs, dag.ID.Compare)
		return append(out, m), nil
	}
	var ops []*dag.Signed
	for id, s := range n.recvd {
		if n.ops[id] == nil {
			ops = append(ops, s)
		}
	}
	slices.SortFunc(ops, func(a, b *dag.Signed) int { return cmp.Compare(a.Header().Depth, b.Header().Depth) })
	for _, s := range ops {
		if _, err := n.add(s); err != nil {
			return nil, err
		}
	}
	clear(n.recvd)
	return out, nil
}

// reconcileBec reconciles two nodes in lockstep by algorithm 1, or 2 if bloom.
func reconcileBec(na, nb *node, bloom bool, oldHeads []*dag.Op) (result, error) {
	size := lacked(na, nb)
	a, b := newBecNode(na, bloom, oldHeads), newBecNode(nb, bloom, oldHeads)
	toB, toA := []becMessage{a.open()}, []becMessage{b.open()}
	var traffic, flights int
	for n := 1; len(toA)+len(toB) > 0; n++ {
		held := len(a.ops) + len(b.ops)
		var fromA, fromB []becMessage
		for _, to := range []struct {
			n    *becNode
			msgs []becMessage
			out  *[]becMessage
		}{{b, toB, &fromB}, {a, toA, &fromA}} {
			for _, m := range to.msgs {
				traffic += m.traffic()
				out, err := to.n.receive(m)
				if err != nil {
					return result{}, err
				}
				*to.out = append(*to.out, out...)
			}
		}
		toB, toA = fromA, fromB
		if len(a.ops)+len(b.ops) > held {
			flights = n
		}
	}
	if len(a.ops) != len(b.ops) {
		return result{}, fmt.Errorf("%d and %d ops after a reconciliation", len(a.ops), len(b.ops))
	}
	return result{roundTrips: max(1, (flights+1)/2), overhead: traffic - size}, nil
}

package reconcile

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

// Algorithms 1 and 2 of Kleppmann and Howard, "Byzantine Eventual Consistency
// and the Fundamental Limits of Peer-to-Peer Databases" (arXiv 2012.00472), to
// compare with: a walk back from the heads hash by hash, and the same after a
// Bloom filter of the ops since the last reconciliation. As there, the
// filter has 10 bits for each entry and 7 hash functions. They run on the same
// graphs as ours; the hash of a message's predecessor is an op's parent.
const (
	bloomBits   = 10 // for each entry
	bloomHashes = 7
)

// bloomFilter returns a filter of ops, a whole number of bytes.
func bloomFilter(ops []*dag.Op) []byte {
	f := make([]byte, (len(ops)*bloomBits+7)/8)
	for _, op := range ops {
		for i := range bloomHashes {
			bit := bloomIndex(op.ID(), i, len(f)*8)
			f[bit/8] |= 1 << (bit % 8)
		}
	}
	return f
}

func bloomMember(f []byte, id dag.ID) bool {
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
	msgs            []encodedOp
}

// overhead is what m takes in bytes beside ops: 32 for a hash, the filter, and
// one byte of framing for each list, which favours them over ours.
func (m becMessage) overhead() int {
	return 32*(len(m.heads)+len(m.oldHeads)+len(m.needs)) + len(m.filter) + 1
}

// becNode is one side. The names are the paper's.
type becNode struct {
	r        *replica
	bloom    bool // algorithm 2
	oldHeads []dag.ID
	sent     map[dag.ID]bool
	recvd    map[dag.ID]*dag.Unverified
	missing  map[dag.ID]bool
	twice    int // ops received that were held
}

func newBecNode(r *replica, bloom bool, oldHeads []dag.ID) *becNode {
	return &becNode{r: r, bloom: bloom, oldHeads: oldHeads, sent: map[dag.ID]bool{}, recvd: map[dag.ID]*dag.Unverified{}, missing: map[dag.ID]bool{}}
}

func opIDs(ops []*dag.Op) []dag.ID {
	out := make([]dag.ID, len(ops))
	for i, op := range ops {
		out[i] = op.ID()
	}
	return out
}

func (n *becNode) since(heads []dag.ID) []*dag.Op {
	var known []*dag.Op
	for _, h := range heads {
		if op, ok := n.r.graph.Get(h); ok {
			known = append(known, op)
		}
	}
	return n.r.graph.Since(known)
}

func (n *becNode) open() becMessage {
	m := becMessage{first: true, heads: opIDs(n.r.graph.Heads())}
	if n.bloom {
		m.oldHeads, m.filter = n.oldHeads, bloomFilter(n.since(n.oldHeads))
	}
	return m
}

// receive returns the messages to send.
func (n *becNode) receive(m becMessage) (out []becMessage) {
	if m.first {
		if n.bloom {
			var negative, reply []*dag.Op
			for _, op := range n.since(m.oldHeads) { // parents first: successors follow
				if !bloomMember(m.filter, op.ID()) || covers(op, negative) {
					negative = append(negative, op)
					reply = append(reply, op)
				}
			}
			out = n.reply(out, opIDs(reply))
		}
		return n.need(out, m.heads)
	}
	if len(m.needs) > 0 {
		out = n.reply(out, m.needs)
	}
	if len(m.msgs) > 0 {
		var parents []dag.ID
		for _, e := range m.msgs {
			u, err := dag.Decode(e.block, e.body)
			if err != nil {
				n.r.m.t.Fatal(err)
			}
			if _, ok := n.r.graph.Get(u.ID()); ok || n.recvd[u.ID()] != nil {
				n.twice++
			}
			n.recvd[u.ID()] = u
			parents = append(parents, u.Header().Parents...)
		}
		out = n.need(out, parents)
	}
	return out
}

// covers reports whether op has one of ops in its past. In a chain the last is enough.
func covers(op *dag.Op, ops []*dag.Op) bool {
	for _, o := range slices.Backward(ops) {
		if op.InPast(o) {
			return true
		}
	}
	return false
}

// reply sends those ops that were not sent before.
func (n *becNode) reply(out []becMessage, ids []dag.ID) []becMessage {
	var m becMessage
	for _, id := range ids {
		if e, ok := n.r.blobs[id]; ok && !n.sent[id] {
			n.sent[id] = true
			m.msgs = append(m.msgs, e)
		}
	}
	if len(m.msgs) == 0 {
		return out
	}
	return append(out, m)
}

// need is the paper's HandleMissing: when nothing is missing it delivers.
func (n *becNode) need(out []becMessage, ids []dag.ID) []becMessage {
	for _, id := range ids {
		n.missing[id] = true
	}
	for id := range n.missing {
		if _, ok := n.r.graph.Get(id); ok || n.recvd[id] != nil {
			delete(n.missing, id)
		}
	}
	if len(n.missing) > 0 {
		m := becMessage{}
		for id := range n.missing {
			m.needs = append(m.needs, id)
		}
		slices.SortFunc(m.needs, dag.ID.Compare)
		return append(out, m)
	}
	var us []*dag.Unverified
	for _, u := range n.recvd {
		us = append(us, u)
	}
	slices.SortFunc(us, func(a, b *dag.Unverified) int { return cmp.Compare(a.Header().Depth, b.Header().Depth) })
	if err := n.r.receive(us, false); err != nil {
		n.r.m.t.Fatal(err)
	}
	clear(n.recvd)
	return out
}

// becRun reconciles a and b in lockstep. It returns how many flights it took
// until both held the union, and the bytes beside ops, of both sides.
func becRun(a, b *becNode) (flights, overhead int) {
	toB, toA := []becMessage{a.open()}, []becMessage{b.open()}
	for n := 1; len(toA)+len(toB) > 0; n++ {
		before := a.r.graph.Len() + b.r.graph.Len()
		var fromA, fromB []becMessage
		for _, m := range toB {
			overhead += m.overhead()
			fromB = append(fromB, b.receive(m)...)
		}
		for _, m := range toA {
			overhead += m.overhead()
			fromA = append(fromA, a.receive(m)...)
		}
		toB, toA = fromA, fromB
		if a.r.graph.Len()+b.r.graph.Len() > before {
			flights = n
		}
	}
	return flights, overhead
}

// scenario is the paper's: two nodes that reconciled after n common ops, then
// wrote n each. salt varies the ops.
func scenario(t testing.TB, n, salt int) (a, b *replica, anchor []dag.ID) {
	m := newMesh(t, 2)
	a, b = m.newReplica(true), m.newReplica(true)
	for i := range n {
		op := a.write(0, 16+(salt+i)%97)
		e := a.blobs[op.ID()]
		u, err := dag.Decode(e.block, e.body)
		if err != nil {
			t.Fatal(err)
		}
		b.mustAdd(dag.AssumeVerified(u))
	}
	anchor = opIDs(a.graph.Heads())
	for i := range n {
		a.write(0, 16+(salt+i)%89)
		b.write(1, 16+(salt+i)%83)
	}
	a.anchors[b], b.anchors[a] = encodeAnchor(anchor), encodeAnchor(anchor)
	return a, b, anchor
}

// TestBec: the algorithms we compare with do reconcile.
func TestBec(t *testing.T) {
	for _, bloom := range []bool{false, true} {
		for n := range 30 {
			a, b, anchor := scenario(t, n, n)
			becRun(newBecNode(a, bloom, anchor), newBecNode(b, bloom, anchor))
			if a.graph.Len() != 1+3*n || b.graph.Len() != 1+3*n {
				t.Fatalf("bloom %t: %d and %d ops, want %d", bloom, a.graph.Len(), b.graph.Len(), 1+3*n)
			}
		}
	}
}

// BenchmarkCompare prints, for the paper's scenario and beside each other, the
// round trips until both sides hold the union, the bytes beside ops that both
// sides sent, and the ops that one side received though it held them.
// -benchtime 20x runs it on 20 graphs.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		for _, algorithm := range []string{"bec1", "bec2", "causeway"} {
			b.Run(fmt.Sprintf("n=%d/%s", n, algorithm), func(b *testing.B) {
				var flights, overhead, twice int
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					x, y, anchor := scenario(b, n, i)
					b.StartTimer()
					if algorithm == "causeway" {
						e := &exchange{a: x, b: y}
						if err := e.run(); err != nil {
							b.Fatal(err)
						}
						sx, sy := e.sa.Stats(), e.sb.Stats()
						flights += e.settled
						overhead += int(sx.SummaryBytesSent + sy.SummaryBytesSent)
						twice += sx.Duplicates + sy.Duplicates
					} else {
						nx, ny := newBecNode(x, algorithm == "bec2", anchor), newBecNode(y, algorithm == "bec2", anchor)
						f, o := becRun(nx, ny)
						flights, overhead, twice = flights+f, overhead+o, twice+nx.twice+ny.twice
					}
					if x.graph.Len() != 1+3*n || y.graph.Len() != 1+3*n {
						b.Fatalf("%d and %d ops, want %d", x.graph.Len(), y.graph.Len(), 1+3*n)
					}
				}
				b.ReportMetric(float64(flights)/2/float64(b.N), "roundtrips")
				b.ReportMetric(float64(overhead)/float64(b.N), "overhead-B")
				b.ReportMetric(float64(twice)/float64(b.N), "ops-twice")
			})
		}
	}
}

package reconcile

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// meetLiar runs a session of a correct node with a peer that tampers with what
// it sends. Whatever the correct node makes of it, it must neither fail the
// test nor hold an op that no correct node or forker made.
func (w *world) meetLiar(liar *replica) {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	known := n.graph.Len()
	x := &exchange{a: n, b: liar, rng: w.rng, tamper: w.tamper(n)}
	if err := x.run(); err != nil {
		w.Fatalf("seed %d: %v", w.seed, err)
	}
	if n.graph.Len() < known {
		w.Errorf("seed %d: a node lost ops", w.seed)
	}
	// Its anchor of the liar may be anything it holds, and must decode.
	if ids, err := decodeAnchor(n.anchors[liar]); err != nil {
		w.Errorf("seed %d: anchor: %v", w.seed, err)
	} else {
		for _, id := range ids {
			if _, ok := n.graph.Get(id); !ok {
				w.Errorf("seed %d: the anchor names an op that the node does not hold", w.seed)
			}
		}
	}
}

// tamper returns a way to lie to victim, of whose state the liar knows everything.
func (w *world) tamper(victim *replica) func([]byte) [][]byte {
	keep := func(frame []byte) [][]byte { return [][]byte{frame} }
	onSummary := func(change func(s *summary)) func([]byte) [][]byte {
		return func(frame []byte) [][]byte {
			m, err := decodeMessage(frame)
			s, ok := m.(*summary)
			if err != nil || !ok {
				return keep(frame)
			}
			change(s)
			return keep(s.encode())
		}
	}
	switch w.rng.IntN(10) {
	case 0: // holds nothing
		return onSummary(func(s *summary) { s.anchor, s.tips = nil, nil })
	case 1: // holds all that the victim holds, and is at its heads
		return onSummary(func(s *summary) {
			s.anchor, s.tips = nil, stateOf(victim.graph).summary(s.mesh, s.purpose, nil).tips
		})
	case 2: // holds ops that do not exist
		return onSummary(func(s *summary) {
			for i := range s.tips {
				s.tips[i].id, s.tips[i].seq = w.randomID(), s.tips[i].seq+uint64(w.rng.IntN(5))
			}
			slices.SortFunc(s.tips, tip.compare)
		})
	case 3: // an anchor that does not exist
		return onSummary(func(s *summary) {
			if s.purpose != purposeFull {
				s.anchor = []anchorOp{{id: w.randomID(), head: true}}
			}
		})
	case 4: // the right ops with wrong seqs
		return onSummary(func(s *summary) {
			for i := range s.tips {
				s.tips[i].seq += uint64(w.rng.IntN(2))
			}
		})
	case 5: // withholds ops, or fins, or dones
		return func(frame []byte) [][]byte {
			if w.rng.IntN(3) == 0 {
				return nil
			}
			return keep(frame)
		}
	case 6: // repeats itself
		return func(frame []byte) [][]byte {
			if w.rng.IntN(3) == 0 {
				return [][]byte{frame, frame}
			}
			return keep(frame)
		}
	case 7: // garbage
		return func(frame []byte) [][]byte {
			frame = slices.Clone(frame)
			if w.rng.IntN(2) == 0 {
				frame[w.rng.IntN(len(frame))] ^= byte(1 + w.rng.IntN(255))
			} else {
				frame = frame[:w.rng.IntN(len(frame))]
			}
			return keep(frame)
		}
	case 8: // every author is ahead, so that nothing need be sent
		return onSummary(func(s *summary) {
			s.anchor, s.tips = nil, nil
			for _, k := range victim.graph.Authors() {
				s.tips = append(s.tips, tip{author: k, seq: 1 << 40, id: w.randomID(), head: true})
			}
		})
	default: // an author nobody knows
		return onSummary(func(s *summary) {
			s.tips = append(s.tips, tip{author: identity.PublicKey(w.randomID()), seq: 7, id: w.randomID(), head: true})
			slices.SortFunc(s.tips, tip.compare)
		})
	}
}

func (w *world) randomID() (id dag.ID) {
	for i := range id {
		id[i] = byte(w.rng.Uint32())
	}
	return id
}

package reconcile

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
)

// meetLiar runs a session of a correct node with a peer that tampers with what
// it sends. Whatever the correct node makes of it, it must neither fail the
// test nor hold an op that no correct node or forker made.
func (w *world) meetLiar(liar *replica) {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	known := n.graph.Len()
	x := &exchange{a: n, b: liar, rng: w.rng, tamper: w.tamper(n), sketch: w.sketch()}
	if err := x.run(); err != nil {
		w.Fatalf("seed %d: %v", w.seed, err)
	}
	if n.graph.Len() < known {
		w.Errorf("seed %d: a node lost ops", w.seed)
	}
	// What it remembers of the liar may be anything it holds, and must decode.
	m, err := decodeMemory(n.peers[liar])
	if err != nil {
		w.Errorf("seed %d: memory: %v", w.seed, err)
	}
	for _, id := range slices.Concat(m.anchor, m.offered) {
		if _, ok := n.graph.Get(id); !ok {
			w.Errorf("seed %d: the memory names an op that the node does not hold", w.seed)
		}
	}
}

// waysToLie is how many ways tamper knows.
const waysToLie = 16

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
			slices.SortFunc(s.branches, ref.compare)
			slices.SortFunc(s.vector, func(a, b tip) int { return a.author.compare(b.author) })
			return keep(s.encode())
		}
	}
	onOps := func(change func(ops [][]byte) [][]byte) func([]byte) [][]byte {
		return func(frame []byte) [][]byte {
			m, _ := decodeMessage(frame)
			b, ok := m.(batch)
			if !ok {
				return keep(frame)
			}
			var ops [][]byte
			for rest := b.ops; len(rest) > 0; {
				_, next, err := dag.DecodeNext(rest)
				if err != nil {
					return keep(frame)
				}
				ops, rest = append(ops, rest[:len(rest)-len(next)]), next
			}
			return keep(batch{slices.Concat(change(ops)...)}.encode())
		}
	}
	// claim states the tips as they are at the victim, changed.
	claim := func(s *summary, change func(t *tip)) {
		state, _, _ := stateOf(victim.graph).summary(s.salt, victim.m.id, s.purpose, nil)
		s.anchor, s.vector, s.branches, s.filter = nil, state.vector, state.branches, state.filter
		for i := range s.vector {
			change(&s.vector[i])
		}
		for i := range s.branches {
			t := tip{ref: s.branches[i]}
			change(&t)
			s.branches[i] = t.ref
		}
	}
	way := w.rng.IntN(waysToLie)
	w.lied[way]++
	switch way {
	case 0: // holds nothing
		return onSummary(func(s *summary) { s.anchor, s.vector, s.branches, s.filter = nil, nil, nil, filter{} })
	case 1: // holds all that the victim holds, and is at its heads
		return onSummary(func(s *summary) { claim(s, func(*tip) {}) })
	case 2: // holds ops that do not exist
		return onSummary(func(s *summary) {
			claim(s, func(t *tip) { t.op, t.span, t.checks = w.randomTag(), 0, nil; t.seq += uint64(w.rng.IntN(5)) })
		})
	case 3: // an anchor that does not exist
		return onSummary(func(s *summary) {
			if s.purpose != purposeFull {
				s.anchor = []ref{{w.randomTag(), 1, w.randomTag()}}
			}
		})
	case 4: // the right ops with wrong seqs
		return onSummary(func(s *summary) { claim(s, func(t *tip) { t.seq += uint64(w.rng.IntN(2)) }) })
	case 5: // withholds ops, or fins, or ends
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
			claim(s, func(t *tip) { t.seq, t.op, t.span, t.checks = 1<<30, w.randomTag(), 0, nil })
		})
	case 9: // an author nobody knows
		return onSummary(func(s *summary) {
			s.vector = append(s.vector, tip{ref: ref{w.randomTag(), 7, w.randomTag()}})
			s.sketch = nil
		})
	case 10: // a filter in which everything is
		return onSummary(func(s *summary) {
			s.filter = filter{hashes: 1, bits: slices.Repeat([]byte{0xff}, 1+w.rng.IntN(64))}
			for _, key := range victim.graph.Authors() {
				s.branches = append(s.branches, ref{s.salt.author(key).tag(), 1 << 30, w.randomTag()})
			}
			s.vector = nil
		})
	case 11: // a filter in which nothing is, and checks that agree with nothing
		return onSummary(func(s *summary) {
			clear(s.filter.bits)
			for i := range s.vector {
				for j := range s.vector[i].checks {
					s.vector[i].checks[j][0] ^= 0xff
				}
			}
		})
	case 12: // a sketch that never decodes
		return func(frame []byte) [][]byte {
			out := onSummary(func(s *summary) { s.vector, s.sketch = nil, w.randomSymbols(1+w.rng.IntN(50)) })(frame)
			for range w.rng.IntN(3) {
				out = append(out, (&symbols{sketch: w.randomSymbols(1 + w.rng.IntN(50))}).encode())
			}
			return out
		}
	case 13: // a sketch of the victim's own, and more, and more
		return func(frame []byte) [][]byte {
			return append(onSummary(func(s *summary) {
				single, _ := stateOf(victim.graph).moved(nil)
				s.anchor, s.vector = nil, nil
				s.sketch = riblt.NewEncoder(s.salt.hash, itemsOf(s.salt, single)).Next(1 + w.rng.IntN(8))
			})(frame), more{}.encode())
		}
	case 14: // ops in the wrong order, or not all of them
		return onOps(func(ops [][]byte) [][]byte {
			w.rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
			return ops[:1+w.rng.IntN(len(ops))]
		})
	default: // ops that nobody signed
		return onOps(func(ops [][]byte) [][]byte {
			op := slices.Clone(ops[0])
			op[w.rng.IntN(len(op))] ^= 1 << w.rng.IntN(8)
			ops[0] = op
			return ops
		})
	}
}

func (w *world) randomTag() (t tag) {
	for i := range t {
		t[i] = byte(w.rng.Uint32())
	}
	return t
}

func (w *world) randomSymbols(n int) []riblt.Symbol {
	sketch := make([]riblt.Symbol, n)
	for i := range sketch {
		for j := range sketch[i].Sum {
			sketch[i].Sum[j] = byte(w.rng.Uint32())
		}
		sketch[i].Hash = w.rng.Uint64() >> (64 - 8*symbolHash)
	}
	return sketch
}

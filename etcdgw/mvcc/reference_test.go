package mvcc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// applied applies the transactions of an op, and fails the test if they cannot be. It returns
// the revision after them, 0 if it is the one before, and how many became one revision.
func applied(tb rapid.TB, v *View, op *dag.Op, ts []dag.Transaction, h History) (rev int64, together int) {
	tb.Helper()
	before := v.Head()
	together, err := v.ApplyRemote(op, ts, h)
	if err != nil {
		tb.Fatal(err)
	}
	if v.Head() == before {
		return 0, together
	}
	return v.Head(), together
}

// replayed applies them again.
func replayed(tb rapid.TB, v *View, r testRecord, h History) {
	tb.Helper()
	if r.op.op == nil {
		return
	}
	if err := v.ReplayRemote(r.op.op, r.op.ts, r.together, h); err != nil {
		tb.Fatal(err)
	}
}

// graphOnly is a history of which nothing is asked but the graph.
type graphOnly struct{ graph *dag.Graph }

// Operation implements History.
func (g graphOnly) Operation(id dag.ID) *dag.Op {
	op, _ := g.graph.Get(id)
	return op
}

// Transactions implements History.
func (graphOnly) Transactions(*dag.Op) ([]dag.Transaction, error) { return nil, errNoLog }

// Writes implements History.
func (graphOnly) Writes(dag.Index) (Writes, error) { return Writes{}, errNoLog }

var errNoLog = errors.New("there is no log")

// placed is a write of one key with its place in the mesh.
type placed struct {
	op        *dag.Op
	tx, index int
	w         dag.Write
}

// judged computes the replicated values by the definition: V of docs/merge.md, of all
// writes that count, from scratch.
func (s *simulation) judged(by *verdicts) map[string]string {
	state := make(map[string]string)
	for key, r := range s.results(by) {
		if r.Tree != nil {
			state[key] = string(r.Tree.Value())
		}
	}
	return state
}

// results computes V of every key that was ever written by name.
func (s *simulation) results(by *verdicts) map[string]crdt.Result {
	past := make(map[dag.ID]map[dag.ID]bool)
	var ops []delivered
	for id, d := range s.ops {
		var parents []dag.ID
		for _, p := range d.op.Parents() {
			parents = append(parents, p.ID())
		}
		past[id] = s.mesh.Past(parents...)
		ops = append(ops, d)
	}
	slices.SortFunc(ops, func(a, b delivered) int {
		return cmp.Or(cmp.Compare(a.op.Depth(), b.op.Depth()), a.op.ID().Compare(b.op.ID()))
	})
	byKey := make(map[string][]placed)
	var all []placed
	for _, d := range ops {
		for tx, t := range d.ts {
			if by.void(d.op, t) {
				continue
			}
			for i, w := range t {
				all = append(all, placed{d.op, tx, i, w})
				if w.Kind != dag.DeleteRange {
					byKey[string(w.Key)] = nil
				}
			}
		}
	}
	results := make(map[string]crdt.Result)
	for key := range byKey {
		h := crdt.NewHistory()
		var numbers []placed
		for _, p := range all {
			if p.w.Kind == dag.DeleteRange {
				if key < string(p.w.Key) || len(p.w.End) > 0 && key >= string(p.w.End) || by.passes(p.op, []byte(key)) {
					continue
				}
			} else if string(p.w.Key) != key {
				continue
			}
			w, ok := s.asCRDT(p, past[p.op.ID()])
			if !ok {
				continue
			}
			if p.w.Kind.Puts() {
				if w.Fit = by.fit(p.op, []byte(key)); w.Fit != nil {
					w.Fit.Parts = nil // look at every value
				}
			}
			h.Add(w, func(n int) bool {
				q := numbers[n]
				return past[p.op.ID()][q.op.ID()] || p.op == q.op
			})
			numbers = append(numbers, p)
		}
		results[key] = h.Value()
	}
	return results
}

// asCRDT returns a write as package crdt has it; false for a patch that does not decode.
func (s *simulation) asCRDT(p placed, past map[dag.ID]bool) (crdt.Write, bool) {
	w := crdt.Write{
		Position: crdt.Position{Depth: p.op.Depth(), Op: p.op.ID(), Tx: uint32(p.tx), Write: uint32(p.index)},
		Value:    p.w.Value,
	}
	switch in := p.w.Incarnation; in.Kind {
	case dag.IncarnationLocal:
		if in.Tx < uint32(p.tx) || in.Tx == uint32(p.tx) && in.Write < uint32(p.index) {
			w.Incarnation = crdt.Position{Depth: p.op.Depth(), Op: p.op.ID(), Tx: in.Tx, Write: in.Write}
		}
	case dag.IncarnationPast:
		if past[in.Op] {
			op, _ := s.mesh.Graph.Get(in.Op)
			w.Incarnation = crdt.Position{Depth: op.Depth(), Op: in.Op, Tx: in.Tx, Write: in.Write}
		}
	}
	switch p.w.Kind {
	case dag.Replace:
		if w.Incarnation == (crdt.Position{}) {
			w.Incarnation = w.Position
		}
		w.Schema = s.schema(p.w.Schema)
	case dag.Patch:
		var err error
		if w.Patch, err = crdt.DecodePatch(p.w.Value); err != nil {
			return w, false
		}
		w.Kind, w.Value = crdt.Patched, nil
	case dag.DeleteFinal:
		w.Kind = crdt.DeleteFinal
	default:
		w.Kind = crdt.DeleteObserved
	}
	return w, true
}

func (s *simulation) schema(id dag.SchemaID) *crdt.Schema {
	if id == dag.SchemaJSON {
		return nil
	}
	b, _ := s.mesh.Graph.Schema(id)
	schema, err := crdt.DecodeSchema(b)
	if err != nil {
		return crdt.Opaque
	}
	return schema
}

// story tells of all writes of a key, for a failure.
func (s *simulation) story(key string, by *verdicts) string {
	var ops []delivered
	for _, d := range s.ops {
		ops = append(ops, d)
	}
	slices.SortFunc(ops, func(a, b delivered) int {
		return cmp.Or(cmp.Compare(a.op.Depth(), b.op.Depth()), a.op.ID().Compare(b.op.ID()))
	})
	var b strings.Builder
	short := func(id dag.ID) string { return fmt.Sprintf("%x", id[:3]) }
	for _, d := range ops {
		fmt.Fprintf(&b, "%s depth %d on", short(d.op.ID()), d.op.Depth())
		for _, p := range d.op.Parents() {
			fmt.Fprintf(&b, " %s", short(p.ID()))
		}
		for tx, t := range d.ts {
			for i, w := range t {
				if w.Kind == dag.DeleteRange && (span{string(w.Key), string(w.End), len(w.End) == 0}).contains(key) {
					fmt.Fprintf(&b, "\n  %d.%d deletes %q-%q", tx, i, w.Key, w.End)
				} else if w.Kind != dag.DeleteRange && string(w.Key) == key {
					fmt.Fprintf(&b, "\n  %d.%d %v of %d %s %d.%d: %q", tx, i, w.Kind, w.Incarnation.Kind, short(w.Incarnation.Op), w.Incarnation.Tx, w.Incarnation.Write, w.Value)
				} else {
					continue
				}
				if by.void(d.op, t) {
					b.WriteString(" (void)")
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

package verify

import (
	"fmt"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
)

// TestValues compares the values of keys with those that the definition of
// docs/merge.md gives if all writes are added up, on random operations with forks.
func TestValues(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		mesh := dagtest.New(t, 3)
		bodies := make(map[dag.ID][]dag.Transaction)
		var ops []*dag.Op
		for range rapid.IntRange(1, 12).Draw(r, "ops") {
			var ts []dag.Transaction
			for range rapid.IntRange(1, 2).Draw(r, "transactions") {
				ts = append(ts, drawTransaction(r, ops))
			}
			all := mesh.Graph.Since(nil)
			draft := dagtest.Draft{Author: rapid.IntRange(0, 2).Draw(r, "author"), Transactions: ts}
			for _, p := range antichain(all[:rapid.IntRange(1, len(all)).Draw(r, "seen")]) {
				draft.Parents = append(draft.Parents, p.ID())
			}
			op, _, err := mesh.Graph.Add(mesh.Sign(draft))
			if err != nil {
				continue // on two of its own branches
			}
			bodies[op.ID()] = ts
			ops = append(ops, op)
		}
		slices.SortFunc(ops, func(a, b *dag.Op) int { return dag.CompareWrites(a, 0, 0, b, 0, 0) })
		s := newWrites()
		for _, op := range ops {
			s.add(op, bodies[op.ID()], allCounts{})
		}
		m := &merger{
			transactions: func(op *dag.Op) ([]dag.Transaction, error) { return bodies[op.ID()], nil },
			operation:    mesh.Graph.Get,
			schema:       mesh.Graph.Schema,
		}
		got := make(map[string]string)
		for _, key := range s.sorted() {
			value, err := m.value(s.decide(key))
			if err != nil {
				r.Fatal(err)
			}
			if value != nil {
				got[key] = string(value)
			}
		}
		want := defined(ops, bodies, m)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("values %v, by definition %v", got, want)
		}
	})
}

// allCounts is a judgement by which everything counts.
type allCounts struct{}

func (allCounts) Void(dag.Transaction) error { return nil }
func (allCounts) Passes([]byte) bool         { return false }
func (allCounts) Form([]byte) *identity.Form { return nil }

func drawTransaction(r *rapid.T, ops []*dag.Op) (t dag.Transaction) {
	life := func() (in dag.Incarnation) {
		if n := rapid.IntRange(-1, len(ops)-1).Draw(r, "life"); n >= 0 {
			in = dag.Incarnation{Kind: dag.IncarnationPast, Op: ops[n].ID(), Tx: uint32(rapid.IntRange(0, 1).Draw(r, "tx")), Write: uint32(rapid.IntRange(0, 1).Draw(r, "index"))}
		}
		return in
	}
	object := func() string {
		return fmt.Sprintf(`{"a":%d,"b":%d}`, rapid.IntRange(0, 3).Draw(r, "a"), rapid.IntRange(0, 3).Draw(r, "b"))
	}
	key := func() string { return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "key") }
	for range rapid.IntRange(1, 3).Draw(r, "writes") {
		switch rapid.IntRange(0, 9).Draw(r, "kind") {
		case 2:
			t = append(t, dag.Write{Kind: dag.DeleteFinal, Key: []byte(key()), Incarnation: life()})
		case 3, 4, 5, 6:
			p, _ := crdt.Diff(crdt.Parse([]byte(object()), nil), crdt.Parse([]byte(object()), nil))
			t = append(t, dag.Write{Kind: dag.Patch, Key: []byte(key()), Value: p.Encoding(), Incarnation: life()})
		case 7, 8:
			t = append(t, dag.Write{Kind: dag.Replace, Key: []byte(key()), Value: []byte(object()), Incarnation: life()})
		case 0:
			t = append(t, dagtest.Delete(key()))
		case 1:
			end := rapid.SampledFrom([]string{"", "c", "e"}).Draw(r, "end")
			t = append(t, dagtest.DeleteRange(rapid.SampledFrom([]string{"a", "b"}).Draw(r, "from"), end))
		default:
			t = append(t, dagtest.Put(key(), fmt.Sprint(rapid.IntRange(0, 1000).Draw(r, "value"))))
		}
	}
	return t
}

// antichain returns those of ops that are in no other's past.
func antichain(ops []*dag.Op) []*dag.Op {
	return slices.DeleteFunc(slices.Clone(ops), func(a *dag.Op) bool {
		return slices.ContainsFunc(ops, func(b *dag.Op) bool { return b.InPast(a) })
	})
}

// defined is the definition: all writes of a key, from the first on.
func defined(ops []*dag.Op, bodies map[dag.ID][]dag.Transaction, m *merger) map[string]string {
	keys := make(map[string]bool)
	var all []write
	for _, op := range ops {
		for tx, t := range bodies[op.ID()] {
			for i, w := range t {
				all = append(all, write{op: op, tx: uint32(tx), index: uint32(i), kind: w.Kind})
				if w.Kind != dag.DeleteRange {
					keys[string(w.Key)] = true
				}
			}
		}
	}
	values := make(map[string]string)
	for key := range keys {
		h := crdt.NewHistory()
		var added []write
		for _, w := range all {
			x := bodies[w.op.ID()][w.tx][w.index]
			on := string(x.Key) == key
			if x.Kind == dag.DeleteRange {
				on = string(x.Key) <= key && (len(x.End) == 0 || key < string(x.End))
			}
			if !on {
				continue
			}
			c, ok, _ := m.write(&w)
			if !ok {
				continue
			}
			h.Add(c, func(i int) bool { return added[i].op == w.op || w.op.InPast(added[i].op) })
			added = append(added, w)
		}
		if r := h.Value(); r.Tree != nil {
			values[key] = string(r.Tree.Value())
		}
	}
	return values
}

// TestOtherValue: a view that shows something else than the operations make is found.
func TestOtherValue(t *testing.T) {
	store, key := memstore.New(), identity.NewKeyFromSeed([32]byte{1})
	mesh, err := commit.Found(store, commit.Founding{Node: key, Operator: key, Name: "founder", Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	node, err := commit.Open(commit.Config{Store: store, Key: key, Mesh: mesh})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"a", "b"} {
		if _, err := node.Submit(t.Context(), &pb.PutRequest{Key: []byte(k), Value: []byte("value")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	offline, err := commit.OpenOffline(store, mesh)
	if err != nil {
		t.Fatal(err)
	}
	for _, lose := range []string{"", "b"} {
		c := &check{ctx: t.Context(), report: &Report{}}
		log := &replayed{Offline: offline, mesh: mesh}
		if goOn, err := c.operations(log); err != nil || !goOn {
			t.Fatalf("operations: %v, %v, %v", goOn, err, c.report.Findings)
		}
		all := newWrites()
		for _, op := range log.fresh.Since(nil) {
			signed, what, err := readOp(log, op.ID())
			if err != nil || what != "" {
				t.Fatal(err, what)
			}
			all.add(op, signed.Transactions(), allCounts{})
		}
		delete(all.keys, lose)
		if err := c.compare(log, all, nil); err != nil {
			t.Fatal(err)
		}
		if found := len(c.report.Findings) > 0; found != (lose != "") {
			t.Errorf("without the writes of %q: findings %v", lose, c.report.Findings)
		}
	}
}

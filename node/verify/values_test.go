package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
)

// TestValues compares the values of keys with those that the definition of
// docs/op.md section 5 gives word by word, on random operations with forks.
func TestValues(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		mesh := dagtest.New(t, 3)
		bodies := make(map[dag.ID][]dag.Transaction)
		var ops []*dag.Op
		for range rapid.IntRange(1, 12).Draw(r, "ops") {
			var ts []dag.Transaction
			for range rapid.IntRange(1, 2).Draw(r, "transactions") {
				ts = append(ts, drawTransaction(r))
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
		got := make(map[string]string)
		for _, key := range s.sorted() {
			if w := s.value(key); w != nil {
				got[key] = string(bodies[w.op.ID()][w.tx][w.index].Value)
			}
		}
		want := defined(ops, bodies)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("values %v, by definition %v", got, want)
		}
	})
}

// allCounts is a judgement by which everything counts.
type allCounts struct{}

func (allCounts) Void(dag.Transaction) error { return nil }
func (allCounts) Passes([]byte) bool         { return false }

func drawTransaction(r *rapid.T) (t dag.Transaction) {
	key := func() string { return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "key") }
	for range rapid.IntRange(1, 3).Draw(r, "writes") {
		switch rapid.IntRange(0, 4).Draw(r, "kind") {
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

// defined is the definition: no order, no shortcut.
func defined(ops []*dag.Op, bodies map[dag.ID][]dag.Transaction) map[string]string {
	type place struct {
		write
		w dag.Write
	}
	var all []place
	for _, op := range ops {
		for tx, t := range bodies[op.ID()] {
			for i, w := range t {
				all = append(all, place{write{op: op, tx: uint32(tx), index: uint32(i)}, w})
			}
		}
	}
	on := func(p place, key string) bool {
		if p.w.Kind != dag.DeleteRange {
			return string(p.w.Key) == key
		}
		return string(p.w.Key) <= key && (len(p.w.End) == 0 || strings.Compare(key, string(p.w.End)) < 0)
	}
	values, writers := make(map[string]string), make(map[string]place)
	for _, p := range all {
		key := string(p.w.Key)
		if p.w.Kind != dag.Replace || slices.ContainsFunc(all, func(q place) bool { return on(q, key) && p.past(&q.write) }) {
			continue
		}
		if w, ok := writers[key]; !ok || dag.CompareWrites(w.op, w.tx, w.index, p.op, p.tx, p.index) < 0 {
			values[key], writers[key] = string(p.w.Value), p
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

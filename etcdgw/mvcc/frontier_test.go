package mvcc

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// delivered is an op with its transactions.
type delivered struct {
	op      *dag.Op
	ts      []dag.Transaction
	schemas [][]byte
}

// simulated is one node of a simulated mesh: it evaluates requests of clients,
// seals them into ops, and takes in those of others.
type simulated struct {
	author  int
	view    *View
	known   map[dag.ID]bool
	inOrder []delivered
	open    []*Change
	log     *testLog
}

// simulation is a mesh of nodes whose ops reach one another in any causal order.
type simulation struct {
	mesh  *dagtest.Mesh
	nodes []*simulated
	ops   map[dag.ID]delivered
}

func newSimulation(tb testing.TB, nodes int) *simulation {
	s := &simulation{mesh: dagtest.New(tb, nodes+1), ops: make(map[dag.ID]delivered)}
	founding, ok := s.mesh.Graph.Get(s.mesh.Founding.ID())
	if !ok {
		tb.Fatal("the graph lacks the founding op")
	}
	s.ops[founding.ID()] = delivered{op: founding}
	for i := range nodes {
		n := s.newNode(i)
		n.take(s.ops[founding.ID()])
		s.nodes = append(s.nodes, n)
	}
	return s
}

// newNode returns a node that knows nothing.
func (s *simulation) newNode(author int) *simulated {
	n := &simulated{author: author, known: make(map[dag.ID]bool), log: &testLog{graph: s.mesh.Graph, values: testValues{}}}
	n.view = New(Config{Schema: n.schema, Values: testValues{}})
	n.view.amplification = amplification{0, int64(author) * 300} // each has other revisions of the same
	return n
}

// schema is what the node's graph has of a schema.
func (n *simulated) schema(id dag.SchemaID) ([]byte, bool) {
	for _, d := range n.inOrder {
		for _, b := range d.schemas {
			if dag.SchemaIDOf(b) == id {
				return b, true
			}
		}
	}
	return nil, false
}

// evaluate evaluates a request and logs what it changes.
func (n *simulated) evaluate(req proto.Message, auth Authorizer, now time.Time) error {
	n.view.Record(n.log.next())
	_, ch, err := n.view.Evaluate(req, auth, now)
	if ch == nil {
		return err
	}
	n.log.add(testRecord{changes: [][]byte{ch.Append(nil)}})
	if ch.Number > 0 {
		n.open = append(n.open, ch)
	}
	return nil
}

// take applies an op of another node.
func (n *simulated) take(d delivered) {
	n.known[d.op.ID()] = true
	n.inOrder = append(n.inOrder, d)
	n.view.Record(n.log.next())
	together, err := n.view.ApplyRemote(d.op, d.ts, n.log)
	if err != nil {
		panic(err)
	}
	n.log.add(testRecord{op: d, trail: n.view.Trail(), together: together})
}

func (n *simulated) heads() []*dag.Op {
	parent := make(map[dag.ID]bool)
	for _, d := range n.inOrder {
		for _, p := range d.op.Parents() {
			parent[p.ID()] = true
		}
	}
	var heads []*dag.Op
	for _, d := range n.inOrder {
		if !parent[d.op.ID()] {
			heads = append(heads, d.op)
		}
	}
	return heads
}

// seal makes an op of what is open.
func (s *simulation) seal(n *simulated) {
	if len(n.open) == 0 {
		return
	}
	first := n.open[0].Number
	var d delivered
	draft := dagtest.Draft{Author: n.author}
	for _, ch := range n.open {
		d.ts = append(d.ts, n.view.Transaction(ch, first))
		draft.Schemas = append(draft.Schemas, ch.Schemas...)
	}
	draft.Transactions, d.schemas = d.ts, draft.Schemas
	for _, p := range n.heads() {
		draft.Parents = append(draft.Parents, p.ID())
	}
	d.op = s.mesh.Add(s.mesh.Sign(draft))
	n.view.Sealed(first, len(n.open), d.op)
	n.view.Publish()
	n.known[d.op.ID()] = true
	n.inOrder = append(n.inOrder, d)
	n.log.add(testRecord{op: d, first: first, count: len(n.open)})
	n.open = nil
	s.ops[d.op.ID()] = d
}

// lie makes an op of the author who is no node's, on what n knew at some time:
// concurrent with what came since, and often a fork of its author.
func (s *simulation) lie(t *rapid.T, n *simulated, many int) {
	old := &simulated{inOrder: n.inOrder[:rapid.IntRange(1, len(n.inOrder)).Draw(t, "known")]}
	var ts []dag.Transaction
	for range many {
		ts = append(ts, drawWrites(t, old.inOrder))
	}
	draft := dagtest.Draft{Author: len(s.nodes), Transactions: ts, Schemas: [][]byte{testSchema.Encoding(), noSchema}}
	for _, p := range old.heads() {
		draft.Parents = append(draft.Parents, p.ID())
	}
	op, _, err := s.mesh.Graph.Add(s.mesh.Sign(draft))
	if err != nil {
		return // on two of its own branches, or the same again
	}
	s.ops[op.ID()] = delivered{op, ts, draft.Schemas}
}

// missing returns an op that n lacks and whose parents it has, nil if there is none.
func (s *simulation) missing(t *rapid.T, n *simulated) *dag.Op {
	var can []*dag.Op
	for id, d := range s.ops {
		if !n.known[id] && !slices.ContainsFunc(d.op.Parents(), func(p *dag.Op) bool { return !n.known[p.ID()] }) {
			can = append(can, d.op)
		}
	}
	if len(can) == 0 {
		return nil
	}
	slices.SortFunc(can, func(a, b *dag.Op) int { return a.ID().Compare(b.ID()) })
	return can[rapid.IntRange(0, len(can)-1).Draw(t, "next op")]
}

// deliver hands n all that it lacks, in a random causal order.
func (s *simulation) deliver(t *rapid.T, n *simulated, most int) {
	for ; most > 0; most-- {
		op := s.missing(t, n)
		if op == nil {
			break
		}
		n.take(s.ops[op.ID()])
	}
	n.view.Publish()
}

// reference computes the visible values from the set of ops by the definition
// of docs/op.md section 5, where all transactions count.
func (s *simulation) reference() map[string]string { return s.judged(new(verdicts)) }

// contents returns what readers of v see.
func contents(tb rapid.TB, v *View) map[string]string {
	resp, err := v.Range(context.Background(), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		tb.Fatal(err)
	}
	state := make(map[string]string)
	for _, kv := range resp.Kvs {
		state[string(kv.Key)] = string(kv.Value)
	}
	if int64(len(state)) != resp.Count {
		tb.Fatalf("count = %d, want %d", resp.Count, len(state))
	}
	return state
}

var testKeys = []string{"a", "ab", "b", "c", "c\x00", "d/1", "d/2", "e"}

func drawKey(t *rapid.T) []byte { return []byte(rapid.SampledFrom(testKeys).Draw(t, "key")) }

// drawEnd draws a range_end for key: of one key, of some, or open.
func drawEnd(t *rapid.T, key []byte) []byte {
	switch rapid.IntRange(0, 4).Draw(t, "kind of range") {
	case 0:
		return []byte{0}
	case 1, 2:
		return []byte(rapid.SampledFrom(testKeys).Draw(t, "end"))
	default:
		return nil
	}
}

// drawValue draws a value: opaque, or an object of a few fields.
func drawValue(t *rapid.T) []byte {
	if rapid.IntRange(0, 2).Draw(t, "opaque") == 0 {
		return fmt.Appendf(nil, "v%d", rapid.IntRange(0, 9).Draw(t, "value"))
	}
	var b []byte
	member := func(format string, most int) {
		if n := rapid.IntRange(-1, most).Draw(t, "member"); n >= 0 {
			b = fmt.Appendf(append(b, ','), format, n)
		}
	}
	member(`"a":%d`, 3)
	member(`"l":[1,%d,3]`, 4)
	member(`"m":{"x":%d,"y":0}`, 2)
	member(`"n":{"z":%d}`, 2)
	member(`"apiVersion":"v1","kind":"K","metadata":{"uid":"u%d","name":"1"}`, 1)
	if len(b) == 0 {
		return []byte("{}")
	}
	b[0] = '{'
	return append(b, '}')
}

// testSchema is a merge schema of such objects.
var testSchema = func() *crdt.Schema {
	s, err := crdt.NewSchema(crdt.JSON, nil, []crdt.Type{
		{Kind: crdt.Record, Fields: []crdt.Field{{Name: "a", Type: 2}, {Name: "l", Type: 3}, {Name: "m", Type: 4}, {Name: "metadata", Type: 6}}},
		{Kind: crdt.Leaf, Rule: crdt.Counter},
		{Kind: crdt.Set},
		{Kind: crdt.Map},
		{Kind: crdt.Leaf, Rule: crdt.Pin},
		{Kind: crdt.Record, Fields: []crdt.Field{{Name: "uid", Type: 5}}},
	})
	if err != nil {
		panic(err)
	}
	return s
}()

// testValues are the values of the tests: below d/ they have a schema, and those with a kind are objects.
type testValues struct{}

// SchemaFor implements Values.
func (testValues) SchemaFor(key, value []byte) *crdt.Schema {
	if bytes.HasPrefix(key, []byte("d/")) {
		return testSchema
	}
	return nil
}

// drawWrites draws a transaction as another node's program might make it, with
// overlaps that no client of this one could ask for.
// It knows what is in ds, and of that any write may be the life it names.
func drawWrites(t *rapid.T, ds []delivered) dag.Transaction {
	var ws dag.Transaction
	for range rapid.IntRange(1, 5).Draw(t, "writes") {
		key := drawKey(t)
		switch rapid.IntRange(0, 8).Draw(t, "kind of write") {
		case 0:
			ws = append(ws, dag.Write{Kind: dag.DeleteObserved, Key: key})
		case 4:
			ws = append(ws, dag.Write{Kind: dag.DeleteFinal, Key: key, Incarnation: drawLife(t, ds)})
		case 5, 6:
			old, new := crdt.Parse(drawValue(t), nil), crdt.Parse(drawValue(t), nil)
			patch := []byte("no patch")
			if p, ok := crdt.Diff(old, new); ok {
				patch = p.Encoding()
			}
			ws = append(ws, dag.Write{Kind: dag.Patch, Key: key, Value: patch, Incarnation: drawLife(t, ds)})
		case 7, 8:
			w := dag.Write{Kind: dag.Replace, Key: key, Value: drawValue(t), Incarnation: drawLife(t, ds)}
			switch rapid.IntRange(0, 3).Draw(t, "schema") {
			case 0:
				w.Schema = testSchema.ID()
			case 1:
				w.Schema = dag.SchemaIDOf(noSchema)
			}
			ws = append(ws, w)
		case 1:
			end := []byte(rapid.SampledFrom(testKeys).Draw(t, "end"))
			if string(end) <= string(key) {
				end = nil
			}
			ws = append(ws, dag.Write{Kind: dag.DeleteRange, Key: key, End: end})
		default:
			ws = append(ws, dag.Write{Kind: dag.Replace, Key: key, Value: drawValue(t)})
		}
	}
	return ws
}

// noSchema is carried as a schema and does not decode.
var noSchema = []byte("no schema")

// drawLife draws the name of a write: mostly of one in ds, or of the same operation.
func drawLife(t *rapid.T, ds []delivered) dag.Incarnation {
	tx := uint32(rapid.IntRange(0, 2).Draw(t, "transaction"))
	index := uint32(rapid.IntRange(0, 3).Draw(t, "index"))
	switch rapid.IntRange(0, 6).Draw(t, "life") {
	case 0:
		return dag.Incarnation{}
	case 1:
		return dag.Incarnation{Kind: dag.IncarnationLocal, Tx: tx, Write: index}
	case 2:
		return dag.Incarnation{Kind: dag.IncarnationPast, Op: dag.ID{1}, Tx: tx, Write: index}
	}
	d := ds[rapid.IntRange(0, len(ds)-1).Draw(t, "operation")]
	if len(d.ts) == 0 {
		return dag.Incarnation{}
	}
	w := rapid.SampledFrom(rapid.SampledFrom(d.ts).Draw(t, "transaction")).Draw(t, "write")
	if w.Incarnation.Kind == dag.IncarnationPast { // what that continues
		return w.Incarnation
	}
	return dag.Incarnation{Kind: dag.IncarnationPast, Op: d.op.ID(), Tx: tx, Write: index}
}

// drawRequest draws a write request of a client.
func drawRequest(t *rapid.T) proto.Message {
	key := drawKey(t)
	switch rapid.IntRange(0, 5).Draw(t, "kind of request") {
	case 0:
		return &pb.DeleteRangeRequest{Key: key, RangeEnd: drawEnd(t, key), PrevKv: rapid.Bool().Draw(t, "prev_kv")}
	case 1:
		txn := &pb.TxnRequest{}
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			k := drawKey(t)
			op := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: k, Value: drawValue(t)}}}
			if rapid.IntRange(0, 2).Draw(t, "kind of operation") == 0 {
				op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: k, RangeEnd: drawEnd(t, k)}}
			}
			txn.Success = append(txn.Success, op)
		}
		return txn
	default:
		return &pb.PutRequest{Key: key, Value: drawValue(t)}
	}
}

// TestConvergence lets nodes write, fork and exchange ops in random orders, and
// compares every view with the definition.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSimulation(t, 3)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := s.nodes[rapid.IntRange(0, len(s.nodes)-1).Draw(rt, "node")]
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1:
				s.seal(n)
				s.deliver(rt, n, rapid.IntRange(1, 10).Draw(rt, "ops"))
			case 2:
				s.seal(n)
			case 3:
				s.lie(rt, n, 3)
			default:
				if err := n.evaluate(drawRequest(rt), nil, testNow); err != nil {
					rt.Fatal(err)
				}
			}
		}
		for _, n := range s.nodes {
			s.seal(n)
		}
		want := s.reference()
		observer := s.newNode(0)
		var hash [32]byte
		for i, n := range append(s.nodes, observer) {
			s.deliver(rt, n, len(s.ops))
			if len(n.inOrder) != len(s.ops) {
				rt.Fatalf("node %d has %d ops, want %d", i, len(n.inOrder), len(s.ops))
			}
			if got := contents(rt, n.view); fmt.Sprint(got) != fmt.Sprint(want) {
				for _, k := range testKeys {
					if got[k] != want[k] {
						rt.Fatalf("node %d shows %q as %q, want %q\n%s", i, k, got[k], want[k], s.story(k, new(verdicts)))
					}
				}
				rt.Fatalf("node %d shows %v, want %v", i, got, want)
			}
			if i == 0 {
				hash = n.view.StateHash()
			} else if n.view.StateHash() != hash {
				rt.Fatalf("node %d has another state hash", i)
			}
			checkView(rt, n.view)
		}
	})
}

// checkView checks what must hold of a view at any time.
func checkView(t rapid.TB, v *View) {
	live := 0
	bytes, stored, remote, standing := int64(0), int64(0), int64(0), int64(0)
	unsettled := 0
	for name, it := range v.keys {
		if e, ok := v.tree.Get(entry{name: name}); !ok || e.item != it {
			t.Fatalf("%q is not in the tree", name)
		}
		if it.unsettled {
			unsettled++
		}
		_, inLive := v.live.Get(entry{name: name})
		x := it.visible()
		if x != nil {
			live++
			bytes += int64(len(name) + len(x.kv.Value))
		}
		switch replicated := it.front.origin != nil; {
		case inLive != (x != nil):
			t.Fatalf("%q is counted although absent, or not although visible", name)
		case replicated && (it.front.birth.origin == nil || it.trail.tip == nil):
			t.Fatalf("%q has a writer without a birth or a trail", name)
		case !replicated && (it.schema != nil || it.patches > 0 || it.unsettled):
			t.Fatalf("%q is absent and has something", name)
		case !it.unsettled && v.merges.by[it] != nil:
			t.Fatalf("%q is settled, and its writes are kept", name)
		case !it.local && replicated != (x != nil), it.local && replicated != (it.other != nil):
			t.Fatalf("%q has a value without a writer, or a writer without a value", name)
		case x != nil && x.local != it.local:
			t.Fatalf("%q shows a version of the other namespace", name)
		case x != nil && it.local != v.verdicts.isLocal(it.key()):
			t.Fatalf("%q shows a namespace that policy does not say", name)
		case x == nil && it.other == nil && (it.newest == nil || it.kept):
			t.Fatalf("%q is kept for nothing", name)
		}
		if _, ok := v.dead.Get(deadKey{name: name}); ok {
			t.Fatalf("%q is dead and alive", name)
		}
		for x := it.newest; x != nil; x = x.prev {
			if x.remote && (x != it.newest || x.tombstone()) {
				remote += x.cost()
			}
			if stored += x.cost(); x.prev != nil && x.prev.kv.ModRevision > x.kv.ModRevision {
				t.Fatalf("the versions of %q are out of order", name)
			}
		}
	}
	if v.tree.Len() != len(v.keys) || v.live.Len() != live || v.bytes != bytes {
		t.Fatalf("%d keys, %d in the tree, %d of %d counted, %d bytes of %d", len(v.keys), v.tree.Len(), v.live.Len(), live, v.bytes, bytes)
	}
	if n := v.Stats().Unsettled; n != unsettled || n != len(v.Unsettled(nil, len(v.keys)+1)) {
		t.Fatalf("%d keys are unsettled, %d counted", unsettled, n)
	}
	if v.history.bytes != stored {
		t.Fatalf("%d bytes are counted, %d are kept", v.history.bytes, stored)
	}
	for i := v.history.passed; i < v.history.next; i++ {
		standing += v.history.at(i).leaves()
	}
	if v.history.remote != remote || v.history.standing != standing {
		t.Fatalf("%d and %d bytes of others are counted, there are %d and %d", v.history.remote, v.history.standing, remote, standing)
	}
	rev := v.headCompacted
	for i := v.history.first; i < v.history.next; i++ {
		switch r := v.history.at(i).kv.ModRevision; {
		case r < rev && r >= v.compacted:
			t.Fatalf("event %d has revision %d after %d", i, r, rev)
		case r > rev+1 && rev > v.headCompacted:
			t.Fatalf("no event has revision %d", rev+1)
		default:
			rev = max(rev, r)
		}
	}
	if rev > v.head {
		t.Fatalf("history has revision %d, the head is %d", rev, v.head)
	}
}

// TestRemoteRevisions: one revision for a remote transaction that changes what
// is visible, none for another.
func TestRemoteRevisions(t *testing.T) {
	mesh := dagtest.New(t, 4)
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, PrevKv: true})
	expect(t, s, "watch 0 rev 1 created")
	log := &testLog{graph: mesh.Graph}
	apply := func(op *dag.Op, ts ...dag.Transaction) int64 {
		v.Record(log.next())
		rev, _ := applied(t, v, op, ts, log)
		log.add(testRecord{op: delivered{op: op, ts: ts}, trail: v.Trail()})
		v.Publish()
		return rev
	}
	check := func(what string, got, want int64) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: revision %d, want %d", what, got, want)
		}
		checkView(t, v)
	}
	root := mesh.Graph.Heads()
	one := []dag.Transaction{{dagtest.Put("k", "1")}}
	two := []dag.Transaction{{dagtest.Put("k", "2")}}
	a, b := mesh.Op(1, root, one...), mesh.Op(2, root, two...)
	if dag.CompareWrites(a, 0, 0, b, 0, 0) < 0 {
		a, b, one, two = b, a, two, one
	}
	winner, loser := string(one[0][0].Value), string(two[0][0].Value)
	check("the greater put", apply(a, one...), 2)
	check("the lesser put, concurrent", apply(b, two...), 0)
	gone := []dag.Transaction{{dagtest.Delete("k")}}
	check("a delete of the greater alone", apply(mesh.Op(3, []*dag.Op{a}, gone...), gone...), 3)
	expect(t, s, fmt.Sprintf("watch 0 rev 3 k@2=%s k@3=%s(%s)", winner, loser, winner))
	check("a delete of what is absent", apply(mesh.Write(3, dagtest.Delete("x")), dag.Transaction{dagtest.Delete("x")}), 0)

	busy := []dag.Transaction{
		{dagtest.Put("a", "1"), dagtest.Put("k", "3"), dagtest.Delete("k"), dagtest.Put("b", "1"), dagtest.DeleteRange("b", ""), dagtest.Put("c", "1")},
		{dagtest.Put("z", ""), dagtest.Delete("z")},
		{dagtest.DeleteRange("a", "d"), dagtest.Put("a", "2")},
		{dagtest.DeleteRange("", "")},
	}
	busy[3][0].Key = []byte{0}
	check("transactions that undo their own writes", apply(mesh.Op(0, mesh.Graph.Heads(), busy...), busy...), 6)
	expect(t, s, fmt.Sprintf("watch 0 rev 6 a@4=1 k@4(%s) c@4=1 a@5=2(1) c@5(1) a@6(2)", loser))
	if n := len(v.live.Items()); n != 0 {
		t.Errorf("%d keys are visible, want none", n)
	}
	s.RequestProgress()
	expect(t, s, "watch -1 rev 6")
}

// TestManyRanges: an operation of another node cannot ask for more than one
// pass over the keys, nor can its own puts in between make it.
func TestManyRanges(t *testing.T) {
	mesh := dagtest.New(t, 3)
	v := New(Config{})
	root := mesh.Graph.Heads()
	const keys = 50_000
	var fill dag.Transaction
	for i := range keys {
		fill = append(fill, dagtest.Put(fmt.Sprintf("k%06d", i), ""))
	}
	log := &testLog{graph: mesh.Graph}
	v.Record(log.next())
	first := mesh.Op(1, root, fill)
	applied(t, v, first, []dag.Transaction{fill}, log)
	log.add(testRecord{op: delivered{op: first, ts: []dag.Transaction{fill}}, trail: v.Trail()})
	v.Record(log.next())
	var ts []dag.Transaction
	for i := range dag.MaxTransactions {
		ts = append(ts, dag.Transaction{dagtest.DeleteRange("k", "l"), dagtest.DeleteRange(fmt.Sprintf("k%06d", i), ""), dagtest.Put(fmt.Sprintf("kk%d", i), "")})
	}
	op := mesh.Op(2, root, ts...) // concurrent with all that it deletes
	start := time.Now()
	applied(t, v, op, ts, log)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("%d transactions took %v", len(ts), d)
	}
	if n := v.live.Len(); n != keys+1 {
		t.Errorf("%d keys are visible, want %d", n, keys+1)
	}
	checkView(t, v)
}

// TestOrderOfEvents: the order of the events of a revision does not depend on what of
// history was freed, so a replay gives the same.
func TestOrderOfEvents(t *testing.T) {
	events := func(free bool) string {
		v := newTurned(t)
		v.do(put("a", "1"), put("c", "1"), del("c", ""), put("x", "1"))
		v.seal()
		v.do(&pb.CompactionRequest{Revision: v.Head()})
		if free {
			v.Publish()
			for v.Prune() {
			}
		}
		s := v.NewWatchStream()
		defer s.Close()
		v.receive(1, v.mesh.Graph.Heads(), dag.Transaction{dagtest.Delete("c"), dagtest.DeleteRange("a", "b"), dagtest.Put("c", "2")})
		v.Publish()
		watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, StartRevision: v.Head()})
		var all string
		for {
			resp, err := s.poll()
			if err != nil {
				t.Fatal(err)
			}
			if resp == nil {
				return all
			}
			for _, e := range resp.Events {
				all += showEvent(e) + " "
			}
		}
	}
	if kept, freed := events(false), events(true); kept != freed || kept == "" {
		t.Errorf("events %s, and %s once the deleted key was freed", kept, freed)
	}
}

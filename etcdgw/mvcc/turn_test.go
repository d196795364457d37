package mvcc

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// turned is a view with a log, whose roster is a list of void ops and local keys.
type turned struct {
	*View
	t    testing.TB
	mesh *dagtest.Mesh
	log  testLog
	open []*Change
}

func newTurned(t testing.TB) *turned {
	mesh := dagtest.New(t, 4)
	return &turned{View: New(Config{Schema: mesh.Graph.Schema}), t: t, mesh: mesh, log: testLog{graph: mesh.Graph}}
}

// do evaluates requests of clients, in a record each.
func (v *turned) do(reqs ...proto.Message) {
	v.t.Helper()
	for _, req := range reqs {
		v.Record(v.log.next())
		_, ch, err := v.Evaluate(req, nil, testNow)
		if err != nil {
			v.t.Fatalf("Evaluate(%v): %v", req, err)
		}
		if ch == nil {
			continue
		}
		v.log.add(testRecord{changes: [][]byte{ch.Append(nil)}})
		if ch.Number > 0 {
			v.open = append(v.open, ch)
		}
	}
}

// seal makes an own op, by author 0.
func (v *turned) seal() *dag.Op {
	v.t.Helper()
	first := v.open[0].Number
	var d delivered
	for _, ch := range v.open {
		d.ts = append(d.ts, v.Transaction(ch, first))
	}
	d.op = v.mesh.Op(0, v.mesh.Graph.Heads(), d.ts...)
	v.Sealed(first, len(v.open), d.op)
	v.log.add(testRecord{op: d, first: first, count: len(v.open)})
	v.open = nil
	return d.op
}

// receive applies an op of another node.
func (v *turned) receive(author int, parents []*dag.Op, ts ...dag.Transaction) *dag.Op {
	v.t.Helper()
	op := v.mesh.Op(author, parents, ts...)
	v.Record(v.log.next())
	_, together := applied(v.t, v.View, op, ts, &v.log)
	v.log.add(testRecord{op: delivered{op: op, ts: ts}, trail: append([]byte(nil), v.Trail()...), together: together})
	return op
}

// forgetAll forgets what is not visible.
func (v *turned) forgetAll() {
	v.do(put("c", "1"))
	v.seal()
	v.do(&pb.CompactionRequest{Revision: v.Head()})
	v.Publish()
	for v.Prune() {
	}
	checkView(v.t, v.View)
}

// only makes the given ops void and no others, and the keys of local local.
func (v *turned) only(local string, void ...*dag.Op) {
	v.t.Helper()
	s := &schedule{voided: make(map[txName]bool), index: make(map[string]uint32), isMine: make(map[string]bool), kept: make(map[dag.ID]bool)}
	var all []*dag.Op
	for _, r := range v.log.records {
		if r.op.op == nil {
			continue
		}
		all = append(all, r.op.op)
		s.kept[r.op.op.ID()] = true
		for i, t := range r.op.ts {
			s.index[r.op.op.ID().String()+string(t.Append(nil))] = uint32(i)
		}
	}
	for _, op := range void {
		for i := range uint32(8) {
			s.voided[txName{op, i}] = true
		}
	}
	for k := range strings.FieldsSeq(local) {
		s.isMine[k] = true
	}
	if err := v.turn(s, []span{{open: true}}, all, &v.log); err != nil {
		v.t.Fatal(err)
	}
	v.log.add(testRecord{turn: s, spans: []span{{open: true}}, changed: all})
	v.Publish()
	checkView(v.t, v.View)
}

// TestTurnEvents: what watchers see of transactions that become void and count again.
func TestTurnEvents(t *testing.T) {
	v := newTurned(t)
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, PrevKv: true})
	expect(t, s, "watch 0 rev 1 created")
	see := func(want ...string) {
		t.Helper()
		v.Publish()
		expect(t, s, want...)
	}
	v.do(&pb.LeaseGrantRequest{ID: 7, TTL: 60}, &pb.PutRequest{Key: []byte("own"), Value: []byte("1"), Lease: 7}, put("both", "mine"))
	own := v.seal()
	theirs := v.receive(1, []*dag.Op{own}, dag.Transaction{dagtest.Put("both", "theirs"), dagtest.Put("new", "1")}, dag.Transaction{dagtest.DeleteRange("o", "p")})
	later := v.receive(2, []*dag.Op{theirs}, dag.Transaction{dagtest.Put("new", "2"), dagtest.Delete("both")})
	see("watch 0 rev 6 own@2=1 both@3=mine both@4=theirs(mine) new@4=1 own@5(1) new@6=2(1) both@6(theirs)")

	// Each key that shows another value has a revision of its own, in the order of the keys.
	// What counts no more leaves no hole: the value before is back, or nothing.
	v.only("", theirs, later)
	see("watch 0 rev 9 both@7=mine new@8(2) own@9=1")
	resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte("own")})
	if err != nil {
		t.Fatal(err)
	}
	if kv := resp.Kvs[0]; kv.Version != 1 || kv.CreateRevision != 9 || kv.Lease != 0 {
		t.Errorf("what came back is %v, want a new key without a lease", kv)
	}
	v.only("", later)
	see("watch 0 rev 12 both@10=theirs(mine) new@11=1 own@12(1)")
	if resp, err = v.Range(t.Context(), &pb.RangeRequest{Key: []byte("both")}); err != nil {
		t.Fatal(err)
	}
	if kv := resp.Kvs[0]; kv.Version != 2 || kv.CreateRevision != 7 {
		t.Errorf("what stayed visible is %v, want version 2 since revision 7", kv)
	}
	v.only("", theirs) // later counts although what it builds on does not
	see("watch 0 rev 15 both@13(theirs) new@14=2(1) own@15=1")
	v.only("", theirs, own)
	see("watch 0 rev 16 own@16(1)")
	v.only("", own) // nothing that is visible
	see()
}

// TestTurnForgotten: a deletion that becomes void brings its key back though the
// key was compacted away, and a forgotten key is found by range.
func TestTurnForgotten(t *testing.T) {
	v := newTurned(t)
	v.do(put("a", "1"), put("b", "1"), put("c", "1"))
	own := v.seal()
	one := v.receive(1, []*dag.Op{own}, dag.Transaction{dagtest.Delete("a")})
	two := v.receive(2, []*dag.Op{one}, dag.Transaction{dagtest.DeleteRange("b", "c")})
	v.forgetAll()
	if len(v.keys) != 1 || v.dead.Len() != 2 {
		t.Fatalf("%d keys live and %d are dead, want 1 and 2", len(v.keys), v.dead.Len())
	}
	v.only("", one, two)
	if got := fmt.Sprint(contents(t, v.View)); got != "map[a:1 b:1 c:1]" {
		t.Errorf("the view shows %s", got)
	}
	if v.dead.Len() != 0 {
		t.Errorf("%d keys are dead, want none", v.dead.Len())
	}
	v.only("")
	v.forgetAll()
	if got := fmt.Sprint(contents(t, v.View)); got != "map[c:1]" {
		t.Errorf("the view shows %s", got)
	}
}

// counted counts the records that a view asks for.
type counted struct {
	*testLog
	asked map[dag.Index]int
}

// Writes implements History.
func (c counted) Writes(at dag.Index) (Writes, error) {
	c.asked[at]++
	return c.testLog.Writes(at)
}

// TestTurnCost: keys computed anew cost the records that may matter, each once,
// however long their trails are.
func TestTurnCost(t *testing.T) {
	v := newTurned(t)
	keys := []string{"a", "b", "c"}
	for i := range 100 {
		for _, k := range keys {
			v.do(put(k, fmt.Sprint(i)))
		}
	}
	own := v.seal()
	var bad dag.Transaction
	for _, k := range keys {
		bad = append(bad, dagtest.Put(k, "bad"))
	}
	worse := v.receive(1, []*dag.Op{own}, bad)
	v.receive(1, []*dag.Op{worse}, dag.Transaction{dagtest.Put("d", "")})
	h := counted{&v.log, make(map[dag.Index]int)}
	s := &schedule{voided: map[txName]bool{{worse, 0}: true}, index: map[string]uint32{}}
	if err := v.turn(s, nil, []*dag.Op{worse}, h); err != nil {
		t.Fatal(err)
	}
	v.Publish()
	if got := fmt.Sprint(contents(t, v.View)); got != "map[a:99 b:99 c:99 d:]" {
		t.Errorf("the view shows %s", got)
	}
	if len(h.asked) != 4 {
		t.Errorf("%d records were read, want that of the void op and the last put of each key", len(h.asked))
	}
	for at, n := range h.asked {
		if n != 1 {
			t.Errorf("record %d was read %d times", at, n)
		}
	}
}

// TestTurnRefuses: a log that does not fit is an error, not another state.
func TestTurnRefuses(t *testing.T) {
	for name, damage := range map[string]func(*testRecord){
		"another trail":          func(r *testRecord) { r.trail = []byte{98} },
		"a trail that goes on":   func(r *testRecord) { r.trail = []byte{1 << 1} },
		"a trail that is short":  func(r *testRecord) { r.trail = nil },
		"a trail that is long":   func(r *testRecord) { r.trail = append(r.trail, 0) },
		"a record without a key": func(r *testRecord) { *r = testRecord{changes: [][]byte{(&Change{}).Append(nil)}} },
		"a record not to be had": func(r *testRecord) { r.count = 1 },
	} {
		v := newTurned(t)
		op := v.receive(1, v.mesh.Graph.Heads(), dag.Transaction{dagtest.Put("k", "")})
		ts := v.log.records[0].op.ts
		damage(&v.log.records[0])
		s := &schedule{voided: map[txName]bool{{op, 0}: true}, index: map[string]uint32{}}
		if err := v.turn(s, nil, []*dag.Op{op}, fixed{&v.log, ts}); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

// fixed is a log with the transactions of one op beside it.
type fixed struct {
	*testLog
	ts []dag.Transaction
}

// Transactions implements History.
func (f fixed) Transactions(*dag.Op) ([]dag.Transaction, error) { return f.ts, nil }

// flatLog is a log whose memory does not grow: of changes one by one, and few operations.
type flatLog struct {
	testLog
	graph *dag.Graph
	b     []byte
	ends  []int
	ops   map[dag.Index]testRecord
}

func (l *flatLog) next() dag.Index { return dag.Index(len(l.ends)) }

// Operation implements History.
func (l *flatLog) Operation(id dag.ID) *dag.Op { return graphOnly{l.graph}.Operation(id) }

// Writes implements History.
func (l *flatLog) Writes(at dag.Index) (Writes, error) {
	if r, ok := l.ops[at]; ok {
		return Writes{Operation: r.op.op, Transactions: r.op.ts, Trail: r.trail}, nil
	}
	ch, err := DecodeChange(l.b[l.ends[at-1]:l.ends[at]])
	return Writes{Changes: []*Change{ch}}, err
}

var trailWrites = flag.Int("writes", 200_000, "how many writes TestTrailMemory makes")

// TestTrailMemory: however often a key is written, whole or by patches, it takes no more memory.
func TestTrailMemory(t *testing.T) {
	t.Run("whole", func(t *testing.T) { testTrailMemory(t, *trailWrites, func(int) string { return "value" }) })
	t.Run("patches", func(t *testing.T) {
		testTrailMemory(t, *trailWrites/4, func(i int) string { return fmt.Sprintf(`{"n":%d,"text":"that does not change"}`, i) })
	})
}

func testTrailMemory(t *testing.T, rounds int, value func(int) string) {
	mesh := dagtest.New(t, 3)
	v := New(Config{})
	const keys, perOp = 64, 4096
	log := &flatLog{graph: mesh.Graph, b: make([]byte, 0, rounds*160), ends: make([]int, 1, rounds+1), ops: make(map[dag.Index]testRecord)}
	first, count := uint64(1), 0
	parents := mesh.Graph.Heads()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	settle := func() {
		op := mesh.Write(0, dagtest.Put("x", ""))
		v.Sealed(first, count, op)
		first, count = first+uint64(count), 0
		must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head()})
		for v.Prune() {
		}
		// Another node's, concurrent with all of these.
		tx := dag.Transaction{dagtest.Put("k1", `{"n":0}`)}
		theirs := mesh.Op(1, parents, tx)
		parents = []*dag.Op{theirs}
		v.Record(log.next())
		applied(t, v, theirs, []dag.Transaction{tx}, log)
		log.ops[log.next()] = testRecord{op: delivered{op: theirs, ts: []dag.Transaction{tx}}, trail: v.Trail()}
		log.ends = append(log.ends, len(log.b))
	}
	var before uint64
	for i := range rounds {
		v.Record(log.next())
		_, ch, err := v.Evaluate(put(fmt.Sprint("k", i%keys), value(i)), nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		log.b = ch.Append(log.b)
		log.ends = append(log.ends, len(log.b))
		if count++; count == perOp {
			settle()
		}
		if i == rounds/4 {
			before = heap()
		}
	}
	settle()
	grown := int64(heap()) - int64(before)
	// Two ops for each perOp writes stay in the graph.
	if grown > int64(1<<20+rounds/perOp*2048) {
		t.Errorf("%d more writes of %d keys keep %d bytes", rounds*3/4, keys, grown)
	}
	for name, it := range v.keys {
		if it.trail.tips != nil && len(*it.trail.tips) > 1 {
			t.Errorf("%q has %d tips", name, len(*it.trail.tips)+1)
		}
	}
	if len(v.ranges) != 0 || v.dead.Len() != 0 {
		t.Errorf("%d range deletes and %d dead keys are kept", len(v.ranges), v.dead.Len())
	}
}

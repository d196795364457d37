package mvcc

import (
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// patchOf returns a patch of key from one value to another, of the life that op's first write began.
func patchOf(t testing.TB, op *dag.Op, key, from, to string) dag.Write {
	t.Helper()
	p, ok := crdt.Diff(crdt.Parse([]byte(from), nil), crdt.Parse([]byte(to), nil))
	if !ok {
		t.Fatalf("no patch makes %s of %s", to, from)
	}
	return dag.Write{Kind: dag.Patch, Key: []byte(key), Value: p.Encoding(), Incarnation: dag.Incarnation{Kind: dag.IncarnationPast, Op: op.ID()}}
}

// checked returns what the view shows, which must be what the definition says.
func (v *turned) checked() map[string]string {
	v.t.Helper()
	v.Publish()
	checkView(v.t, v.View)
	s := &simulation{mesh: v.mesh, ops: make(map[dag.ID]delivered)}
	for _, r := range v.log.records {
		if r.op.op != nil {
			s.ops[r.op.op.ID()] = r.op
		}
	}
	got, want := contents(v.t, v.View), s.judged(&verdicts{judge: v.verdicts.judge})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		v.t.Fatalf("the view shows %v, want %v", got, want)
	}
	return got
}

// TestMergedPuts: two sites change different fields of one object while cut off from each other.
func TestMergedPuts(t *testing.T) {
	v := newTurned(t)
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, PrevKv: true})
	expect(t, s, "watch 0 rev 1 created")
	first := `{"image":"a","replicas":1}`
	v.do(put("k", first))
	own := v.seal()
	v.do(put("k", `{"image":"b","replicas":1}`))
	v.seal()
	theirs := v.receive(1, []*dag.Op{own}, dag.Transaction{patchOf(t, own, "k", first, `{"image":"a","replicas":3}`)})
	merged := `{"image":"b","replicas":3}`
	if got := v.checked()["k"]; got != merged {
		t.Errorf("the merge is %s, want %s", got, merged)
	}
	expect(t, s, fmt.Sprintf("watch 0 rev 4 k@2=%s k@3=%s(%s) k@4=%s(%s)", first, `{"image":"b","replicas":1}`, first, merged, `{"image":"b","replicas":1}`))

	// What they go on to write without having seen ours changes what they see only.
	v.receive(1, []*dag.Op{theirs}, dag.Transaction{patchOf(t, own, "k", first, `{"image":"a","replicas":4}`)})
	if got, want := v.checked()["k"], `{"image":"b","replicas":4}`; got != want {
		t.Errorf("the merge is %s, want %s", got, want)
	}
	// A write that saw both is a patch of the merge.
	v.do(put("k", `{"image":"b","replicas":5}`))
	if w := v.open[0].Writes[0]; w.Kind != dag.Patch {
		t.Errorf("a put on a merge is %v", w.Kind)
	}
	v.seal()
	if len(v.merges.by) != 0 {
		t.Error("the writes of a settled key are kept")
	}
	v.receive(1, v.mesh.Graph.Heads(), dag.Transaction{{Kind: dag.DeleteFinal, Key: []byte("k"), Incarnation: dag.Incarnation{Kind: dag.IncarnationPast, Op: own.ID()}}})
	if got := v.checked(); len(got) != 0 {
		t.Errorf("after a delete there is %v", got)
	}
}

// TestFinalDelete: concurrent updates do not bring back an object that was deleted for good, as they
// do another value.
func TestFinalDelete(t *testing.T) {
	object := `{"apiVersion":"v1","kind":"K","metadata":{"uid":"1"},"x":%d}`
	for _, c := range []struct {
		value, changed, want string
	}{
		{fmt.Sprintf(object, 1), fmt.Sprintf(object, 2), "map[]"},
		{`{"x":1,"y":1}`, `{"x":2,"y":1}`, `map[k:{"x":2,"y":1}]`},
	} {
		v := newTurned(t)
		v.do(put("k", c.value))
		own := v.seal()
		v.do(del("k", ""))
		v.seal()
		v.receive(1, []*dag.Op{own}, dag.Transaction{patchOf(t, own, "k", c.value, c.changed)})
		if got := fmt.Sprint(v.checked()); got != c.want {
			t.Errorf("a put of %s concurrent with a delete leaves %s, want %s", c.changed, got, c.want)
		}
	}
}

// TestOtherObject: watchers of an object that another one takes the place of see it
// deleted first; of other values they see a put.
func TestOtherObject(t *testing.T) {
	object := `{"apiVersion":"v1","kind":"K","metadata":{"uid":"%s"}}`
	for _, c := range []struct {
		ours, theirs string
		revision     int64
	}{
		{fmt.Sprintf(object, "a"), fmt.Sprintf(object, "b"), 4},
		{fmt.Sprintf(object, "a"), fmt.Sprintf(object, "a"), 3},
		{`{"x":1}`, `{"x":2}`, 3},
	} {
		v := newTurned(t)
		v.do(put("k", c.ours))
		v.seal()
		root := v.log.records[1].op.op.Parents()
		deeper := v.receive(1, root, dag.Transaction{dagtest.Put("x", "")})
		before := v.Head()
		v.receive(1, []*dag.Op{deeper}, dag.Transaction{dagtest.Put("k", c.theirs)}) // deeper, and so greater
		if got := v.checked()["k"]; got != c.theirs {
			t.Errorf("the key shows %s, want %s", got, c.theirs)
		}
		if got := v.Head() - before; got != c.revision-2 {
			t.Errorf("%s in place of %s makes %d revisions, want %d", c.theirs, c.ours, got, c.revision-2)
		}
	}
}

// TestManyBranches: each of many branches of one key is read once.
func TestManyBranches(t *testing.T) {
	v := newTurned(t)
	fields := func(changed int, to string) string {
		var b strings.Builder
		for i := range 100 {
			x := "x"
			if i%10 == changed {
				x = to
			}
			fmt.Fprintf(&b, `,"f%d":%q`, i, x)
		}
		return "{" + b.String()[1:] + "}"
	}
	first := fields(-1, "")
	v.do(put("k", first))
	own := v.seal()
	h := counted{&v.log, make(map[dag.Index]int)}
	parent := []*dag.Op{own}
	const branches = 120 // as many as one operation can join
	for i := range branches {
		tx := dag.Transaction{patchOf(t, own, "k", first, fields(i%10, fmt.Sprint(i)))}
		// Each is a fork of one author.
		op := v.mesh.Op(1, parent, tx)
		v.Record(v.log.next())
		applied(t, v.View, op, []dag.Transaction{tx}, h)
		v.log.add(testRecord{op: delivered{op: op, ts: []dag.Transaction{tx}}, trail: v.Trail()})
	}
	v.checked()
	if v.merges.by[v.keys["k"]] == nil || len(h.asked) > 4 {
		t.Errorf("%d records were read, want the first ones only", len(h.asked))
	}
	// Whoever has seen all settles the key.
	v.do(put("k", first))
	v.seal()
	if v.checked()["k"] != first || len(v.merges.by) != 0 {
		t.Error("the key is not settled")
	}
}

// TestManyPatches: however often a key was patched, here and elsewhere, a late write reads
// back to a whole value only.
func TestManyPatches(t *testing.T) {
	v := newTurned(t)
	value := func(n, m int) string { return fmt.Sprintf(`{"n":%d,"m":%d,"x":"some text"}`, n, m) }
	v.do(put("k", value(0, 0)))
	own := v.seal()
	last := own
	const rounds = 5 * wholeEvery
	for i := range rounds {
		if i%3 == 0 {
			v.do(put("k", value(i+1, 0)))
			last = v.seal()
			continue
		}
		last = v.receive(1, []*dag.Op{last}, dag.Transaction{patchOf(t, own, "k", value(i, 0), value(i+1, 0))})
	}
	wholes := 0
	for _, r := range v.log.records {
		if len(r.trail) > 20 {
			wholes++
		}
		for _, b := range r.changes {
			if ch, _ := DecodeChange(b); ch.Writes[0].whole != nil {
				wholes++
			}
		}
	}
	if want := rounds / wholeEvery; wholes != want {
		t.Errorf("the log has %d whole values, want %d", wholes, want)
	}
	late := func() int {
		h := counted{&v.log, make(map[dag.Index]int)}
		tx := dag.Transaction{patchOf(t, own, "k", value(rounds, 0), value(rounds, 7))}
		op := v.mesh.Op(2, []*dag.Op{last}, tx)
		v.do(put("k", value(rounds+1, 0)))
		v.seal()
		v.Record(v.log.next())
		applied(t, v.View, op, []dag.Transaction{tx}, h)
		v.log.add(testRecord{op: delivered{op: op, ts: []dag.Transaction{tx}}, trail: v.Trail()})
		return len(h.asked)
	}
	if n := late(); n == 0 || n > wholeEvery+2 {
		t.Errorf("a late write read %d records, want at most %d", n, wholeEvery+2)
	}
	if got, want := v.checked()["k"], value(rounds+1, 7); got != want {
		t.Errorf("the merge is %s, want %s", got, want)
	}

	// Whole values from before a change of verdicts are not believed.
	var void *dag.Op
	for _, r := range v.log.records {
		if r.op.op != nil && r.trail != nil && void == nil {
			void = r.op.op
		}
	}
	v.only("", void)
	v.checked()
	v.only("")
	if got, want := v.checked()["k"], value(rounds+1, 7); got != want {
		t.Errorf("all counts again, and the merge is %s, want %s", got, want)
	}
	again := v.log.replay(t)
	if got, want := fmt.Sprint(contents(t, again)), fmt.Sprint(contents(t, v.View)); got != want {
		t.Errorf("the replay shows %s, want %s", got, want)
	}
}

// TestLargestPatches: a transaction whose small values become patches that are longer than
// they are still fits into an operation, or is refused.
func TestLargestPatches(t *testing.T) {
	v := New(Config{})
	txn := func(n, x int) *pb.TxnRequest {
		r := &pb.TxnRequest{}
		for i := range n {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put(fmt.Sprintf("k%05d", i), fmt.Sprintf(`{"a%d":0,"b":[%d,2,3],"c":%d}`, x, x, x))}})
		}
		return r
	}
	for n := 20_000; n > 1000; n -= 1000 {
		if _, _, err := v.Evaluate(txn(n, 1), nil, testNow); err != nil {
			continue // larger than an operation
		}
		_, ch, err := v.Evaluate(txn(n, 2), nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if ch.Writes[0].Kind != dag.Patch {
			t.Error("the puts are no patches")
		}
		if size := len(v.Transaction(ch, 1).Append(nil)); size > ch.Size() || size > maxTransactionBytes {
			t.Errorf("%d puts take %d bytes, counted as %d", n, size, ch.Size())
		}
		return
	}
	t.Error("no transaction was small enough")
}

// TestLyingPatch: a patch, or a merge, that makes what policy does not let stand is
// ignored: nobody can give an object another name or kind with a patch.
func TestLyingPatch(t *testing.T) {
	v := newTurned(t)
	object := func(kind, name string, x, y int) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":%q,"metadata":{"name":%q},"x":%d,"y":%d}`, kind, name, x, y)
	}
	first := object("K", "k", 0, 0)
	v.do(put("k", first))
	own := v.seal()
	forms := map[string]*identity.Form{"k": {Kind: "K", Versions: []string{"v1"}}}
	s := &schedule{voided: make(map[txName]bool), index: make(map[string]uint32), kept: make(map[dag.ID]bool), forms: forms}
	free := &schedule{voided: s.voided, index: s.index, kept: s.kept}
	turn := func(next *schedule) {
		t.Helper()
		var all []*dag.Op
		for _, r := range v.log.records {
			if r.op.op != nil {
				all = append(all, r.op.op)
			}
		}
		if err := v.turn(next, nil, all, &v.log); err != nil {
			t.Fatal(err)
		}
		v.log.add(testRecord{turn: next, changed: all})
	}
	turn(s)
	for _, c := range []struct{ lie, made string }{
		{object("K", "other", 0, 0), "K other"},
		{object("L", "k", 0, 0), "L k"},
	} {
		// Having seen all, and concurrent with what this node writes.
		v.receive(1, v.mesh.Graph.Heads(), dag.Transaction{patchOf(t, own, "k", first, c.lie)})
		if got := v.checked()["k"]; got != first {
			t.Errorf("a patch to %s leaves %s", c.made, got)
		}
	}
	heads := v.mesh.Graph.Heads()
	v.do(put("k", object("K", "k", 1, 0)))
	v.seal()
	v.receive(2, heads, dag.Transaction{patchOf(t, own, "k", first, object("K", "other", 0, 7))})
	if got, want := v.checked()["k"], object("K", "k", 1, 0); got != want {
		t.Errorf("a late patch leaves %s, want %s", got, want)
	}
	v.receive(3, heads, dag.Transaction{patchOf(t, own, "k", first, object("K", "k", 0, 7))})
	if got, want := v.checked()["k"], object("K", "k", 1, 7); got != want {
		t.Errorf("the merge is %s, want %s", got, want)
	}
	// Without the policy it all counts, and with it again nothing of it does.
	turn(free)
	if got := v.checked()["k"]; !strings.Contains(got, "other") {
		t.Errorf("without a policy there is %s", got)
	}
	turn(s)
	if got, want := v.checked()["k"], object("K", "k", 1, 7); got != want {
		t.Errorf("the merge is %s, want %s", got, want)
	}
}

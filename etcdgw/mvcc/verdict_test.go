package mvcc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// schedule is a judge whose verdicts are drawn. Transactions are void one by one;
// keys are local, or owned by one author, for the ops that are not kept, as with a policy.
type schedule struct {
	voided map[txName]bool
	index  map[string]uint32 // of the transactions, by encoding and op
	isMine map[string]bool   // local keys
	owner  map[string]string // author's key, by key
	kept   map[dag.ID]bool   // ops, each with its past
	forms  map[string]*identity.Form
}

func (s *schedule) judgementOf(op *dag.Op) judgement { return &scheduled{s, op} }
func (s *schedule) local(key []byte) bool            { return s.isMine[string(key)] }
func (s *schedule) merges(key []byte) bool           { return true }

type scheduled struct {
	*schedule
	op *dag.Op
}

// Passes implements judgement.
func (s *scheduled) Passes(key []byte) bool {
	author := s.op.Author()
	owner, owned := s.owner[string(key)]
	return !s.kept[s.op.ID()] && (s.isMine[string(key)] || owned && owner != string(author[:]))
}

// Form implements judgement.
func (s *scheduled) Form(key []byte) *identity.Form {
	if s.kept[s.op.ID()] {
		return nil
	}
	return s.forms[string(key)]
}

// Void implements judgement.
func (s *scheduled) Void(t dag.Transaction) error {
	void := s.voided[txName{s.op, s.index[s.op.ID().String()+string(t.Append(nil))]}]
	for i := range t {
		void = void || t[i].Kind != dag.DeleteRange && s.Passes(t[i].Key)
		if form := s.Form(t[i].Key); form != nil && t[i].Kind == dag.Replace {
			void = void || dag.CheckForm(form, t[i].Key, t[i].Value) != nil
		}
	}
	if void {
		return errors.New("void")
	}
	return nil
}

// testRecord is a record of a log such as package commit keeps: what is not
// zero of it.
type testRecord struct {
	changes [][]byte  // of a batch of requests
	op      delivered // of an op of another node, or an own one
	trail   []byte    // of an op of another node
	// together is how many of the last transactions of such an op became one revision.
	together int
	first    uint64 // of an own op, with count changes
	count    int
	turn     *schedule // in place of a record that carries statements
	spans    []span
	changed  []*dag.Op
	window   int64 // opened
}

// testLog is a log, and the history of a view.
type testLog struct {
	records []testRecord
	graph   *dag.Graph
	values  Values
	// maxHistory is that of the views that it is replayed into.
	maxHistory int64
}

// Operation implements History.
func (l *testLog) Operation(id dag.ID) *dag.Op {
	op, _ := l.graph.Get(id)
	return op
}

func (l *testLog) next() dag.Index  { return dag.Index(len(l.records) + 1) }
func (l *testLog) add(r testRecord) { l.records = append(l.records, r) }

// Transactions implements History.
func (l *testLog) Transactions(op *dag.Op) ([]dag.Transaction, error) {
	for _, r := range l.records {
		if r.op.op == op {
			return r.op.ts, nil
		}
	}
	return nil, fmt.Errorf("no op %s", op.ID())
}

// Writes implements History.
func (l *testLog) Writes(at dag.Index) (Writes, error) {
	r := l.records[at-1]
	var ws Writes
	for _, b := range r.changes {
		ch, err := DecodeChange(b)
		if err != nil {
			return Writes{}, err
		}
		ws.Changes = append(ws.Changes, ch)
	}
	if r.op.op != nil {
		if r.count > 0 {
			return Writes{}, fmt.Errorf("record %d has no writes of its own", at)
		}
		ws.Operation, ws.Transactions, ws.Trail = r.op.op, r.op.ts, r.trail
	}
	return ws, nil
}

// replay builds a view from the log.
func (l *testLog) replay(t rapid.TB) *View {
	v := New(Config{Schema: l.graph.Schema, Values: l.values, MaxHistory: l.maxHistory})
	var open []*Change
	for i, r := range l.records {
		v.Record(dag.Index(i + 1))
		switch {
		case r.changes != nil:
			for _, b := range r.changes {
				ch, err := DecodeChange(b)
				if err != nil {
					t.Fatal(err)
				}
				if got := ch.Append(nil); !bytes.Equal(got, b) {
					t.Fatalf("change %x is encoded as %x", b, got)
				}
				if err := v.Replay(ch); err != nil {
					t.Fatal(err)
				}
				if ch.Number > 0 {
					open = append(open, ch)
				}
			}
		case r.turn != nil:
			if err := v.turn(r.turn, r.spans, r.changed, l); err != nil {
				t.Fatal(err)
			}
		case r.count > 0:
			for i, ch := range open[:r.count] {
				got, want := v.Transaction(ch, r.first), r.op.ts[i]
				if !bytes.Equal(got.Append(nil), want.Append(nil)) {
					t.Fatalf("change %d is transaction %v, want %v", ch.Number, got, want)
				}
			}
			open = open[r.count:]
			v.Sealed(r.first, r.count, r.op.op)
		case r.window != 0:
			enterWindow(v, r.window)
		default:
			replayed(t, v, r, l)
			if got := v.Trail(); !bytes.Equal(got, r.trail) {
				t.Fatalf("record %d: trail %x when replayed, was %x", i+1, got, r.trail)
			}
		}
	}
	v.Publish()
	return v
}

// owners is what a node may write by a schedule.
type owners struct {
	*schedule
	author []byte
}

// MayWrite implements Authorizer.
func (a owners) MayWrite(key []byte) error {
	if owner, ok := a.owner[string(key)]; ok && owner != string(a.author) {
		return errDenied
	}
	return nil
}

// MayWriteRange implements Authorizer.
func (a owners) MayWriteRange(key, end []byte) error { return nil }

// CheckValue implements Authorizer.
func (a owners) CheckValue(key, value []byte) error {
	if form := a.forms[string(key)]; form != nil && dag.CheckForm(form, key, value) != nil {
		return errRefused
	}
	return nil
}

// site is a node that keeps a log, has a schedule, and a client that watches everything.
type site struct {
	*simulated
	schedule *schedule
	mine     map[string]string // local values
	stream   *WatchStream
	seen     map[string]string
	at       int64
}

// evaluate lets a node evaluate a batch of requests.
func (s *site) evaluate(rt *rapid.T, author []byte) {
	s.view.Record(s.log.next())
	var batch [][]byte
	for range rapid.IntRange(1, 3).Draw(rt, "requests") {
		req := drawRequest(rt)
		_, ch, err := s.view.Evaluate(req, owners{s.schedule, author}, testNow)
		if err != nil && !errors.Is(err, errRefused) {
			rt.Fatal(err)
		}
		if ch == nil {
			continue
		}
		batch = append(batch, ch.Append(nil))
		if ch.Number > 0 {
			s.open = append(s.open, ch)
		}
		for _, w := range ch.Writes {
			if !w.Local {
				continue
			}
			if w.Kind == dag.Replace {
				s.mine[string(w.Key)] = string(w.Value)
				continue
			}
			for k := range s.mine {
				sp := span{string(w.Key), string(w.End), len(w.End) == 0}
				if w.Kind == dag.DeleteRange && sp.contains(k) && s.schedule.isMine[k] || w.Kind == dag.DeleteObserved && k == string(w.Key) {
					delete(s.mine, k)
				}
			}
		}
	}
	if batch != nil {
		s.log.add(testRecord{changes: batch})
	}
}

// compact forgets history, and the keys that are absent.
func (s *site) compact(rt *rapid.T) {
	s.view.Record(s.log.next())
	_, ch, err := s.view.Evaluate(&pb.CompactionRequest{Revision: s.view.Head() - rapid.Int64Range(0, 1).Draw(rt, "back")}, nil, testNow)
	if err != nil {
		return // compacted so far already
	}
	s.log.add(testRecord{changes: [][]byte{ch.Append(nil)}})
	s.view.Publish()
	for s.view.Prune() {
	}
}

// turn gives a node another schedule, unless ops that it keeps are missing.
func (s *site) turn(rt *rapid.T, next *schedule) {
	for id := range next.kept {
		if !s.known[id] {
			return
		}
	}
	r := testRecord{turn: next}
	for _, d := range s.inOrder {
		before, after := s.schedule.judgementOf(d.op), next.judgementOf(d.op)
		differ := rapid.IntRange(0, 9).Draw(rt, "extra") == 0
		for _, t := range d.ts {
			differ = differ || (before.Void(t) == nil) != (after.Void(t) == nil)
		}
		for _, k := range testKeys {
			differ = differ || before.Passes([]byte(k)) != after.Passes([]byte(k)) || !sameForm(before.Form([]byte(k)), after.Form([]byte(k)))
		}
		if differ {
			r.changed = append(r.changed, d.op)
		}
	}
	for _, k := range testKeys {
		if s.schedule.isMine[k] != next.isMine[k] {
			r.spans = append(r.spans, span{key: k, end: k + "\x00"})
		}
	}
	before := s.view.Head()
	if err := s.view.turn(next, r.spans, r.changed, s.log); err != nil {
		rt.Fatal(err)
	}
	for i := s.view.history.since(before + 1); i < s.view.history.next; i++ {
		if before++; s.view.history.at(i).kv.ModRevision != before {
			rt.Fatalf("a turn makes revision %d, want %d", s.view.history.at(i).kv.ModRevision, before)
		}
	}
	s.log.add(r)
	s.schedule = next
	checkView(rt, s.view)
}

// watch applies the events since the last call to what the client has seen.
func (s *site) watch(rt *rapid.T) {
	s.view.Publish()
	for {
		resp, err := s.stream.poll()
		if err != nil {
			rt.Fatal(err)
		}
		if resp == nil {
			break
		}
		touched := make(map[string]bool) // at revision s.at
		for _, e := range resp.Events {
			key := string(e.Kv.Key)
			if e.Kv.ModRevision < s.at {
				rt.Fatalf("event of revision %d after %d", e.Kv.ModRevision, s.at)
			}
			if e.Kv.ModRevision > s.at {
				clear(touched)
			}
			s.at = e.Kv.ModRevision
			old, had := s.seen[key]
			if !touched[key] { // a client's transaction may write a key twice
				if had != (e.PrevKv != nil) || had && string(e.PrevKv.Value) != old {
					rt.Fatalf("the event of %q at %d has prev_kv %v, want %q", key, s.at, e.PrevKv, old)
				}
				if e.Type == mvccpb.Event_DELETE && !had || e.IsCreate() && had {
					rt.Fatalf("%v is no event of %q, seen before: %v", e, key, had)
				}
			}
			touched[key] = true
			if e.Type == mvccpb.Event_PUT {
				s.seen[key] = string(e.Kv.Value)
			} else {
				delete(s.seen, key)
			}
		}
	}
	if got := contents(rt, s.view); fmt.Sprint(got) != fmt.Sprint(s.seen) {
		rt.Fatalf("a watcher has seen %v, the view shows %v", s.seen, got)
	}
}

// drawSchedule draws what comes after last.
func drawSchedule(rt *rapid.T, s *simulation, sites []*site, last *schedule) *schedule {
	next := &schedule{voided: maps.Clone(last.voided), index: last.index, isMine: make(map[string]bool), owner: make(map[string]string), kept: make(map[dag.ID]bool), forms: make(map[string]*identity.Form)}
	var ops []delivered
	for _, d := range s.ops {
		ops = append(ops, d)
	}
	slices.SortFunc(ops, func(a, b delivered) int { return a.op.ID().Compare(b.op.ID()) })
	for _, d := range ops {
		for i, t := range d.ts {
			next.index[d.op.ID().String()+string(t.Append(nil))] = uint32(i)
			if rapid.IntRange(0, 2).Draw(rt, "flip") == 0 {
				next.voided[txName{d.op, uint32(i)}] = !next.voided[txName{d.op, uint32(i)}]
			}
		}
	}
	for _, k := range testKeys {
		switch rapid.IntRange(0, 5).Draw(rt, "policy") {
		case 0:
			next.isMine[k] = true
		case 2:
			next.forms[k] = &identity.Form{Kind: "K", Versions: []string{"v1"}}
		case 1:
			author := s.mesh.Author(rapid.IntRange(0, len(sites)).Draw(rt, "owner"))
			next.owner[k] = string(author[:])
		}
	}
	n := sites[rapid.IntRange(0, len(sites)-1).Draw(rt, "knows")]
	for _, d := range n.inOrder[:rapid.IntRange(0, len(n.inOrder)).Draw(rt, "kept")] {
		next.kept[d.op.ID()] = true
	}
	return next
}

// TestConvergenceOfVerdicts lets nodes write, fork, exchange ops in random orders, and change
// their minds about which transactions count and which keys are local or owned. Every
// view must show what the definition says of the last verdicts, whatever way it
// came there, and a replay of its log the same history.
func TestConvergenceOfVerdicts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSimulation(t, 3)
		latest := &schedule{voided: make(map[txName]bool), index: make(map[string]uint32)}
		founding := s.nodes[0].inOrder[0]
		var sites []*site
		for i := range s.nodes {
			n := s.newNode(i)
			s.nodes[i] = n
			x := &site{simulated: n, schedule: latest, mine: make(map[string]string), stream: n.view.NewWatchStream(), seen: make(map[string]string)}
			defer x.stream.Close()
			err := x.stream.Watch(context.Background(), &pb.WatchCreateRequest{RangeEnd: []byte{0}, PrevKv: true})
			if err != nil {
				rt.Fatal(err)
			}
			x.turn(rt, latest)
			n.take(founding)
			sites = append(sites, x)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			n := sites[rapid.IntRange(0, len(sites)-1).Draw(rt, "node")]
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1:
				s.seal(n.simulated)
				s.deliver(rt, n.simulated, rapid.IntRange(1, 10).Draw(rt, "ops"))
			case 2:
				s.seal(n.simulated)
			case 3:
				s.lie(rt, n.simulated, 3)
			case 4:
				latest = drawSchedule(rt, s, sites, latest)
				fallthrough
			case 5:
				s.seal(n.simulated)
				n.turn(rt, latest)
			case 6:
				n.watch(rt)
				if rapid.Bool().Draw(rt, "compact") {
					n.compact(rt)
				}
			default:
				author := s.mesh.Author(n.author)
				n.evaluate(rt, author[:])
			}
		}
		for _, n := range sites {
			s.seal(n.simulated)
		}
		if rapid.Bool().Draw(rt, "one more") {
			latest = drawSchedule(rt, s, sites, latest)
		}
		want := s.judged(&verdicts{judge: latest})
		shown := maps.Clone(want)
		maps.DeleteFunc(shown, func(k, _ string) bool { return latest.isMine[k] })
		var hash [32]byte
		for i, n := range sites {
			s.deliver(rt, n.simulated, len(s.ops))
			n.turn(rt, latest)
			if n.schedule != latest {
				rt.Fatalf("node %d has not turned", i)
			}
			n.watch(rt)
			n.compare(rt, want)
			n.compareWrites(rt, want)
			maps.DeleteFunc(n.mine, func(k, _ string) bool { return !latest.isMine[k] })
			wantShown := maps.Clone(shown)
			maps.Copy(wantShown, n.mine)
			if diff := cmp.Diff(wantShown, contents(rt, n.view)); diff != "" {
				rt.Fatalf("node %d shows (-want +got):\n%s", i, diff)
			}
			if i == 0 {
				hash = n.view.StateHash()
			} else if n.view.StateHash() != hash {
				rt.Fatalf("node %d has another state hash", i)
			}
			again := n.log.replay(rt)
			checkView(rt, again)
			if diff := cmp.Diff(everything(rt, n.view), everything(rt, again)); diff != "" {
				rt.Fatalf("the replay of node %d differs (-first +again):\n%s", i, diff)
			}
		}
	})
}

// compare compares the replicated values, shown or not.
func (s *site) compare(rt *rapid.T, want map[string]string) {
	got := make(map[string]string)
	for name, it := range s.view.keys {
		if value, ok := it.replicated(); ok {
			got[name] = string(value)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("replicated values (-want +got):\n%s", diff)
	}
}

// compareWrites compares what the writes of each key make, those since the last cut and all of them, with the values.
func (s *site) compareWrites(rt *rapid.T, want map[string]string) {
	unsettled := make(map[string]bool)
	for _, key := range s.view.Unsettled(nil, len(testKeys)) {
		unsettled[string(key)] = true
	}
	if n := s.view.Stats().Unsettled; n != len(unsettled) {
		rt.Fatalf("%d keys are unsettled, %d counted", len(unsettled), n)
	}
	for _, key := range testKeys {
		for _, most := range []int{0, 1 << 20} {
			kw, err := s.view.WritesOf([]byte(key), most, s.log)
			if err != nil {
				rt.Fatal(err)
			}
			value, ok := want[key]
			switch r := kw.History.Value(); {
			case ok != (r.Tree != nil) || ok && string(r.Tree.Value()) != value:
				rt.Fatalf("%d writes of %q do not make %q", len(kw.Writes), key, value)
			case ok && !unsettled[key] && most == 0 && kw.Writes[len(kw.Writes)-1].Counts && r.Merged:
				rt.Fatalf("%q is settled, and a merge", key)
			case most > 0 && !kw.All:
				rt.Fatalf("not all writes of %q", key)
			}
			for i := range kw.Writes {
				if w := &kw.Writes[i]; w.Void && w.Counts || w.Kind == dag.Replace && !w.Void && !w.Counts {
					rt.Fatalf("write %+v of %q", w, key)
				}
			}
		}
	}
}

package commit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
)

// A closed leveldb lets one goroutine live on for a second.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// key returns the key of that name, the same in every run.
func key(name string) *identity.PrivateKey {
	return identity.NewKeyFromSeed(sha256.Sum256([]byte(name)))
}

// found founds a mesh in store with the keys "founder" (node) and "operator".
func found(t *testing.T, store dag.Store) dag.ID {
	t.Helper()
	mesh, err := Found(store, Founding{Node: key("founder"), Operator: key("operator"), Name: "founder", Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// open opens a pipeline that is closed with the test.
func open(t *testing.T, store dag.Store, mesh dag.ID, node string) *Pipeline {
	t.Helper()
	p, err := Open(Config{Store: store, Key: key(node), Mesh: mesh})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// founder returns the pipeline of a fresh mesh's first node.
func founder(t *testing.T) *Pipeline {
	t.Helper()
	store := memstore.New()
	return open(t, store, found(t, store), "founder")
}

// enrol returns the encoded statement by which the founding operator enrols another node.
func enrol(t *testing.T, p *Pipeline, node string, slot uint64) []byte {
	t.Helper()
	operator := key("operator")
	roster := p.Graph().Roster()
	id := roster.Operators()[0].ID
	seq, prev := roster.Next(operator.Public())
	mesh := [32]byte(p.cfg.Mesh)
	s, err := identity.SignStatement(identity.Statement{
		Mesh: &mesh, Issuer: operator.Public(), As: &id, Seq: seq, Prev: prev,
		Content: identity.Enrol{Slot: slot, Node: key(node).Public(), Consent: identity.SignConsent(mesh, id, slot, key(node))},
	}, operator)
	if err != nil {
		t.Fatal(err)
	}
	return s.Encoded()
}

// joined enrols a node at p and returns its pipeline with everything p has.
func joined(t *testing.T, p *Pipeline, node string, slot uint64) *Pipeline {
	t.Helper()
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, node, slot)}); err != nil {
		t.Fatal(err)
	}
	q := open(t, memstore.New(), p.cfg.Mesh, node)
	deliver(t, p, q)
	select {
	case <-q.ReadyCh():
	case <-time.After(10 * time.Second):
		t.Fatal("not ready though its enrolment is delivered")
	}
	return q
}

// deliver admits at to what from has and to lacks.
func deliver(t *testing.T, from, to *Pipeline) {
	t.Helper()
	for i, err := range to.Admit(t.Context(), fetchMissing(t, from, to)) {
		if err != nil {
			t.Fatalf("admit op %d: %v", i, err)
		}
	}
}

func fetchMissing(t *testing.T, from, to *Pipeline) []*dag.Signed {
	t.Helper()
	var ops []*dag.Unverified
	for _, op := range from.Graph().Since(nil) {
		if _, ok := to.Graph().Get(op.ID()); ok {
			continue
		}
		block, body, err := from.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		u, err := dag.Decode(block, body)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, u)
	}
	signed, errs := dag.Verify(ops)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return signed
}

// meet delivers both ways until nothing is missing.
func meet(t *testing.T, a, b *Pipeline) {
	t.Helper()
	settle(t, a)
	settle(t, b)
	for len(fetchMissing(t, a, b))+len(fetchMissing(t, b, a)) > 0 {
		deliver(t, a, b)
		deliver(t, b, a)
	}
}

// settle waits until p has sealed everything it has answered.
func settle(t *testing.T, p *Pipeline) {
	t.Helper()
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "nobody", 60)}); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, p *Pipeline, key, value string) int64 {
	t.Helper()
	resp, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil {
		t.Fatal(err)
	}
	return resp.(*pb.PutResponse).Header.Revision
}

func get(t *testing.T, p *Pipeline, key string) string {
	t.Helper()
	return value(t, p.View(), key)
}

func value(t *testing.T, view *mvcc.View, key string) string {
	t.Helper()
	resp, err := view.Range(t.Context(), &pb.RangeRequest{Key: []byte(key)})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Kvs) == 0 {
		return ""
	}
	return string(resp.Kvs[0].Value)
}

func TestSubmitIsVisibleAndSealed(t *testing.T) {
	p := founder(t)
	if got := put(t, p, "k", "v"); got != 2 {
		t.Errorf("revision of the first put = %d, want 2 as in etcd", got)
	}
	if got := get(t, p, "k"); got != "v" {
		t.Errorf("k = %q, want v", got)
	}
	for start := time.Now(); p.Graph().Len() < 2; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the put was not sealed")
		}
	}
}

// TestReopen replays a log of every kind of record and expects the same state.
func TestReopen(t *testing.T) {
	store := memstore.New()
	mesh := found(t, store)
	p := open(t, store, mesh, "founder")
	q := joined(t, p, "second", 1)
	for i := range 20 {
		put(t, p, fmt.Sprint("k", i%7), fmt.Sprint("p", i))
		put(t, q, fmt.Sprint("k", i%5), fmt.Sprint("q", i))
		if i%6 == 0 {
			meet(t, p, q)
		}
	}
	lease, err := p.Submit(t.Context(), &pb.LeaseGrantRequest{TTL: 100})
	if err != nil {
		t.Fatal(err)
	}
	id := lease.(*pb.LeaseGrantResponse).ID
	if _, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte("leased"), Value: []byte("v"), Lease: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Submit(t.Context(), &pb.CompactionRequest{Revision: 5}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r := open(t, store, mesh, "founder")
	if got, want := r.View().Revision(), p.View().Revision(); got != want {
		t.Errorf("revision after reopening = %d, want %d", got, want)
	}
	if got, want := r.View().CompactRevision(), int64(5); got != want {
		t.Errorf("compact revision after reopening = %d, want %d", got, want)
	}
	if r.View().StateHash() != p.View().StateHash() {
		t.Error("state hash differs after reopening")
	}
	if got, want := r.Graph().Heads()[0].ID(), p.Graph().Heads()[0].ID(); got != want {
		t.Errorf("head after reopening = %v, want %v", got, want)
	}
	// Every own op's body is rebuilt from the log as it was sealed.
	for _, op := range r.Graph().Since(nil) {
		block, body, err := r.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dag.Decode(block, body); err != nil {
			t.Errorf("op %v as fetched: %v", op.ID(), err)
		}
	}
	put(t, r, "after", "v")
	meet(t, r, q)
	if r.View().StateHash() != q.View().StateHash() {
		t.Error("the nodes differ after meeting")
	}
}

// TestConcurrentWritersConverge has two nodes write at once and then meet.
func TestConcurrentWritersConverge(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	for round := range 5 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 50 {
				put(t, q, fmt.Sprint("k", i%9), fmt.Sprint("q", round, i))
			}
		}()
		for i := range 50 {
			put(t, p, fmt.Sprint("k", i%7), fmt.Sprint("p", round, i))
		}
		<-done
		meet(t, p, q)
		if p.View().StateHash() != q.View().StateHash() {
			t.Fatalf("round %d: the nodes differ after meeting", round)
		}
	}
	if n := len(p.Graph().Forks()) + len(q.Graph().Forks()); n != 0 {
		t.Errorf("forks = %d, want 0", n)
	}
}

// TestParentsAreTheSnapshot has a node compare-and-swap a key while another
// node's writes of it are merged in. Every swap records which value it saw. A
// view of exactly an op's past must show that value: had a received op slipped
// in between evaluation and seal, the op would claim to have seen what it had not.
func TestParentsAreTheSnapshot(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			put(t, q, "k", fmt.Sprintf("q%d|", i))
			settle(t, q)
			deliver(t, q, p)
		}
	}()
	swapped := 0
	for i := 0; swapped < 100; i++ {
		seen := get(t, p, "k")
		name, _, _ := strings.Cut(seen, "|")
		resp, err := p.Submit(t.Context(), &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: []byte("k"), Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_Value{Value: []byte(seen)}}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"), Value: fmt.Appendf(nil, "p%d|%s", i, name)}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if resp.(*pb.TxnResponse).Succeeded {
			swapped++
		}
	}
	close(stop)
	<-done
	settle(t, p)
	checked := 0
	for _, op := range p.Graph().Since(nil) {
		if op.Author() != p.self || op.Writes() == 0 {
			continue
		}
		view := mvcc.New(mvcc.Config{})
		log := &received{graph: p.Graph()}
		for _, past := range p.Graph().Since(nil) {
			if op.InPast(past) {
				log.apply(t, view, past, transactions(t, p, past))
			}
		}
		view.Publish()
		shown := value(t, view, "k")
		for i, tx := range transactions(t, p, op) {
			_, saw, _ := strings.Cut(string(tx[0].Value), "|")
			if !strings.HasPrefix(shown, saw+"|") {
				t.Errorf("op %v transaction %d says it saw %q; its past shows %q", op.ID(), i, saw, shown)
			}
			shown = string(tx[0].Value)
			checked++
		}
	}
	if checked != swapped {
		t.Errorf("checked %d swaps of %d", checked, swapped)
	}
}

// transactions returns what an op of p holds.
func transactions(t *testing.T, p *Pipeline, op *dag.Op) []dag.Transaction {
	t.Helper()
	block, body, err := p.Fetch(op.ID())
	if err != nil {
		t.Fatal(err)
	}
	u, err := dag.Decode(block, body)
	if err != nil {
		t.Fatal(err)
	}
	return u.Transactions()
}

// received is a log of received ops only. It implements mvcc.History.
type received struct {
	graph   *dag.Graph
	records []mvcc.Writes
}

func (r *received) next() dag.Index { return dag.Index(len(r.records) + 1) }

func (r *received) apply(t *testing.T, view *mvcc.View, op *dag.Op, ts []dag.Transaction) {
	t.Helper()
	view.Record(r.next())
	if _, err := view.ApplyRemote(op, ts, r); err != nil {
		t.Fatal(err)
	}
	r.records = append(r.records, mvcc.Writes{Operation: op, Transactions: ts, Trail: view.Trail()})
}

// Transactions implements mvcc.History.
func (r *received) Transactions(*dag.Op) ([]dag.Transaction, error) { return nil, ErrNotFound }

// Writes implements mvcc.History.
func (r *received) Writes(at dag.Index) (mvcc.Writes, error) { return r.records[at-1], nil }

// Operation implements mvcc.History.
func (r *received) Operation(id dag.ID) *dag.Op {
	op, _ := r.graph.Get(id)
	return op
}

func TestJoinerRefusesUntilEnrolled(t *testing.T) {
	p := founder(t)
	q := open(t, memstore.New(), p.cfg.Mesh, "second")
	if _, err := q.Submit(t.Context(), &pb.PutRequest{Key: []byte("k")}); !errors.Is(err, ErrNotReady) {
		t.Errorf("put before the first sync: %v, want ErrNotReady", err)
	}
	deliver(t, p, q) // everything but the enrolment
	if q.Ready() {
		t.Error("ready without being enrolled")
	}
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	deliver(t, p, q)
	<-q.ReadyCh()
	if rev := put(t, q, "k", "v"); rev>>windowBits == 0 {
		t.Errorf("revision of the joined node's first put = %d, want none of the founder's window", rev)
	}
}

// TestOldCopyOfTheDisk restores an old copy of a node's store and lets a peer
// return the node's own later ops: the node must not write any more.
func TestOldCopyOfTheDisk(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	put(t, q, "k", "1")
	meet(t, p, q)

	old := open(t, memstore.New(), p.cfg.Mesh, "founder") // an empty disk is the oldest copy
	deliver(t, q, old)
	_, err := old.Submit(t.Context(), &pb.PutRequest{Key: []byte("k"), Value: []byte("2")})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("put with a superseded key: %v, want Unavailable", err)
	}
	if !old.Superseded() {
		t.Error("not superseded")
	}
	if n := len(old.Graph().Forks()); n != 0 {
		t.Errorf("forks = %d, want 0: the node forked itself", n)
	}
}

// TestForeignFoundingOp offers another mesh's founding op.
func TestForeignFoundingOp(t *testing.T) {
	store := memstore.New()
	other, err := Found(store, Founding{Node: key("founder"), Operator: key("operator"), Name: "x", Nonce: [32]byte{1}, Now: time.Unix(2, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, store, other, "founder")
	q := open(t, memstore.New(), dag.ID{7}, "second")
	for _, err := range q.Admit(t.Context(), fetchMissing(t, p, q)) {
		if err == nil {
			t.Error("another mesh's founding op was admitted")
		}
	}
}

func TestCloseSealsWhatWasAnswered(t *testing.T) {
	store := memstore.New()
	mesh := found(t, store)
	p := open(t, store, mesh, "founder")
	put(t, p, "a", "1")
	put(t, p, "b", "2")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Submit(context.Background(), &pb.PutRequest{Key: []byte("c")}); !errors.Is(err, ErrStopped) {
		t.Errorf("put after Close: %v, want ErrStopped", err)
	}
	writes := uint64(0)
	for _, op := range p.Graph().Since(nil) {
		writes = max(writes, op.Writes())
	}
	if writes != 2 {
		t.Errorf("writes sealed = %d, want 2", writes)
	}
}

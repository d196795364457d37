package mvcc

import (
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestLocalModel: clients see local keys, and those of both kinds together, as
// an etcd shows any key; and no local key gets into an operation.
func TestLocalModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := New(Config{})
		policy := &schedule{isMine: make(map[string]bool)}
		for _, k := range testKeys {
			policy.isMine[k] = rapid.Bool().Draw(t, "local")
		}
		if err := v.turn(policy, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		number := uint64(0)
		checkModel(t, v, func(ch *Change) {
			replicated := 0
			for _, w := range ch.Writes {
				if w.Kind != dag.DeleteRange && w.Local != policy.isMine[string(w.Key)] {
					t.Fatalf("%s of %q is local: %v", w.Kind, w.Key, w.Local)
				}
				if !w.Local {
					replicated++
				}
			}
			if replicated > 0 {
				number++
			}
			if (ch.Number != 0) != (replicated > 0) || ch.Number != 0 && ch.Number != number {
				t.Fatalf("change %d of %d replicated writes, after %d", ch.Number, replicated, number-1)
			}
			tx := v.Transaction(ch, 1)
			if len(tx) != replicated {
				t.Fatalf("%d writes travel, want %d", len(tx), replicated)
			}
			for i, w := range tx {
				if w.Kind != dag.DeleteRange && w.Incarnation.Kind == dag.IncarnationLocal && w.Incarnation.Tx == uint32(ch.Number-1) && w.Incarnation.Write >= uint32(i) {
					t.Fatalf("write %d continues the life of write %d", i, w.Incarnation.Write)
				}
			}
			again, err := DecodeChange(ch.Append(nil))
			if err != nil || string(again.Append(nil)) != string(ch.Append(nil)) {
				t.Fatalf("%v decodes as %v, %v", ch, again, err)
			}
		})
	})
}

// TestLocalPolicy: a key shows the namespace that policy says, and keeps the other.
func TestLocalPolicy(t *testing.T) {
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
	v.do(put("a", "all"), put("b", "all"), put("c", "all"))
	v.seal()
	see("watch 0 rev 4 a@2=all b@3=all c@4=all")
	hash := v.StateHash()

	v.only("a b")
	see("watch 0 rev 6 a@5(all) b@6(all)")
	v.do(put("a", "mine"), &pb.LeaseGrantRequest{ID: 7, TTL: 60}, &pb.PutRequest{Key: []byte("b"), Value: []byte("mine"), Lease: 7})
	see("watch 0 rev 8 a@7=mine b@8=mine")
	if len(v.open) != 0 {
		t.Fatalf("there are %d changes to seal", len(v.open))
	}
	v.only("b") // both namespaces have a
	see("watch 0 rev 9 a@9=all(mine)")
	if resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte("a")}); err != nil || resp.Kvs[0].Version != 2 || resp.Kvs[0].CreateRevision != 7 {
		t.Errorf("a is %v, %v, want version 2 since revision 7", resp, err)
	}
	v.only("")
	see("watch 0 rev 10 b@10=all(mine)")
	if v.StateHash() != hash {
		t.Error("local values are in the state hash")
	}
	v.only("a b")
	see("watch 0 rev 12 a@11=mine(all) b@12=mine(all)")
	if keys := leaseKeys(t, v.View, 7); len(keys) != 1 {
		t.Errorf("the lease has keys %v, want b", keys)
	}
	v.only("")
	see("watch 0 rev 14 a@13=all(mine) b@14=all(mine)")
	v.do(&pb.LeaseRevokeRequest{ID: 7})
	see()
	v.only("a b") // the lease took b with it
	see("watch 0 rev 16 a@15=mine(all) b@16(all)")

	// A delete of a range deletes both kinds; other nodes see their part.
	v.do(put("b", "new"), del("\x00", "\x00"))
	see("watch 0 rev 18 b@17=new c@18(all) a@18(mine) b@18(new)")
	ch := v.open[0]
	if tx := v.Transaction(ch, ch.Number); len(tx) != 1 || len(ch.Writes) != 2 {
		t.Errorf("the delete is %+v, of which %v travels", ch.Writes, tx)
	}
	v.seal()
	if value, _ := v.keys["a"].replicated(); string(value) != "all" {
		t.Errorf("the range delete passed over a, and left %q", value)
	}
	v.only("") // without the policy, it has not
	see()
	if got := contents(t, v.View); len(got) != 0 {
		t.Errorf("the view shows %v", got)
	}
}

// TestLocalHidden: what other nodes wrote to a key before it became local stays
// in its namespace, and is judged on.
func TestLocalHidden(t *testing.T) {
	v := newTurned(t)
	root := v.mesh.Graph.Heads()
	one := v.receive(1, root, dag.Transaction{dagtest.Put("k", "1")})
	two := v.receive(2, []*dag.Op{one}, dag.Transaction{dagtest.Put("k", "2")})
	v.only("k")
	v.forgetAll() // makes c visible
	if len(v.keys) != 2 || v.live.Len() != 1 {
		t.Fatalf("%d keys, %d visible, want one more that is hidden", len(v.keys), v.live.Len())
	}
	v.only("k", two)
	if value, ok := v.keys["k"].replicated(); string(value) != "1" || !ok || v.live.Len() != 1 {
		t.Errorf("the hidden value is %q, %v, and %d are visible", value, ok, v.live.Len())
	}
	v.only("k", one, two)
	if len(v.keys) != 1 || v.dead.Len() != 1 {
		t.Errorf("%d keys are kept for nothing, %d are dead", len(v.keys)-1, v.dead.Len())
	}
	v.only("k", one) // from the dead, not to be seen
	if v.live.Len() != 1 {
		t.Errorf("%d keys are visible", v.live.Len())
	}
	v.only("")
	if got := fmt.Sprint(contents(t, v.View)); got != "map[c:1 k:2]" {
		t.Errorf("the view shows %s", got)
	}
}

// TestLocalLease: a lease that ends while a key shows the other namespace takes
// a local value with it, also if its ID is granted again, but no replicated one:
// other nodes keep that.
func TestLocalLease(t *testing.T) {
	v := newTurned(t)
	grant, revoke := &pb.LeaseGrantRequest{ID: 7, TTL: 60}, &pb.LeaseRevokeRequest{ID: 7}
	leased := func(value string) *pb.PutRequest {
		return &pb.PutRequest{Key: []byte("k"), Value: []byte(value), Lease: 7}
	}
	shows := func(want string, lease int64) {
		t.Helper()
		v.Publish()
		resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte("k")})
		switch {
		case err != nil:
			t.Fatal(err)
		case want == "" && len(resp.Kvs) > 0, want != "" && (len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != want || resp.Kvs[0].Lease != lease):
			t.Errorf("k is %v, want %q with lease %d", resp.Kvs, want, lease)
		}
	}
	v.do(grant, leased("all"))
	v.seal()
	v.Publish()
	hash := v.StateHash()
	v.only("k")
	v.only("")
	shows("all", 7)
	v.only("k")
	v.do(revoke, grant)
	v.only("")
	shows("all", 0)
	if v.StateHash() != hash {
		t.Error("another state hash than that of nodes with the same operations")
	}
	v.only("k")
	v.do(leased("mine"))
	v.only("")
	v.do(revoke, grant)
	v.only("k")
	shows("", 0)
}

// strict is an authorizer that refuses in its own ways.
type strict struct{ err error }

func (a strict) MayWrite(key []byte) error {
	if string(key) == "theirs" {
		return a.err
	}
	return nil
}

func (strict) MayWriteRange(key, end []byte) error { return nil }

func (strict) CheckValue(key, value []byte) error {
	if string(value) == "bad" {
		return errors.New("no Pod")
	}
	return nil
}

// TestRefusals: the client is told why a write is refused, and nothing of it is applied.
func TestRefusals(t *testing.T) {
	v := New(Config{})
	if err := v.turn(&schedule{isMine: map[string]bool{"mine": true}}, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	must[*pb.PutResponse](t, v, put("theirs", ""))
	must[*pb.PutResponse](t, v, put("old", "bad"))
	other := status.Error(codes.Unavailable, "etcdserver: not today")
	for _, c := range []struct {
		req  proto.Message
		err  error // of MayWrite
		code codes.Code
		text string
	}{
		{put("theirs", ""), errors.New("owned by another"), codes.PermissionDenied, "etcdserver: permission denied: owned by another"},
		{put("theirs", ""), other, codes.Unavailable, "etcdserver: not today"},
		{put("x", "bad"), nil, codes.InvalidArgument, "etcdserver: value refused: no Pod"},
		{&pb.PutRequest{Key: []byte("old"), IgnoreValue: true}, nil, codes.InvalidArgument, "etcdserver: value refused: no Pod"},
		{del("\x00", "\x00"), errors.New("owned by another"), codes.PermissionDenied, "etcdserver: permission denied: owned by another"},
		{put("mine", ""), errors.New("not asked"), codes.OK, ""},
		{del("a", "n"), errors.New("not asked"), codes.OK, ""},
	} {
		before := v.Head()
		_, ch, err := v.Evaluate(c.req, strict{c.err}, testNow)
		if status.Code(err) != c.code || status.Convert(err).Message() != c.text {
			t.Errorf("Evaluate(%v) = %v, want %v: %s", c.req, err, c.code, c.text)
		}
		if (err == nil) != (ch != nil) || err != nil && v.Head() != before {
			t.Errorf("Evaluate(%v): change %v at revision %d, before %d", c.req, ch, v.Head(), before)
		}
	}
}

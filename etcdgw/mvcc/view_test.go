package mvcc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// testNow is the time in tests that do not care.
var testNow = time.Unix(1_700_000_000, 0)

// must evaluates a request that must succeed, and publishes.
func must[T proto.Message](t testing.TB, v *View, req proto.Message) T {
	t.Helper()
	resp, _, err := v.Evaluate(req, nil, testNow)
	if err != nil {
		t.Fatalf("Evaluate(%v): %v", req, err)
	}
	v.Publish()
	return resp.(T)
}

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

// TestAllOrNothing: a request that fails has changed nothing, whatever stands
// before what fails.
func TestAllOrNothing(t *testing.T) {
	ok := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put("a/1", "new")}}
	op := func(p *pb.PutRequest) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: p}}
	}
	drop := func(key, end string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del(key, end)}}
	}
	nested := func(ops ...*pb.RequestOp) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: ops}}}
	}
	big := make([]byte, maxTransactionBytes/2)
	for name, c := range map[string]struct {
		op   *pb.RequestOp
		auth Authorizer
		want error
	}{
		"permission":                 {op(put("b/1", "")), narrow("a/"), errRefused},
		"permission, nested":         {nested(op(put("b/1", ""))), narrow("a/"), errRefused},
		"permission for a range":     {drop("a/", "b/2"), narrow("a/"), errRefused},
		"lease":                      {op(leased("a/2", 5)), nil, rpctypes.ErrGRPCLeaseNotFound},
		"ignore_value":               {op(&pb.PutRequest{Key: []byte("x"), IgnoreValue: true}), nil, rpctypes.ErrGRPCKeyNotFound},
		"lease before ignore_value":  {op(&pb.PutRequest{Key: []byte("x"), IgnoreValue: true, Lease: 5}), nil, rpctypes.ErrGRPCLeaseNotFound},
		"ignore_lease":               {op(&pb.PutRequest{Key: []byte("x"), IgnoreLease: true}), nil, rpctypes.ErrGRPCKeyNotFound},
		"future":                     {&pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", 4)}}, nil, rpctypes.ErrGRPCFutureRev},
		"far below the beginning":    {&pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", -2)}}, nil, rpctypes.ErrGRPCCompacted},
		"nothing":                    {&pb.RequestOp{}, nil, rpctypes.ErrGRPCKeyNotFound},
		"too large for an operation": {nested(op(&pb.PutRequest{Key: []byte("x"), Value: big}), op(&pb.PutRequest{Key: []byte("y"), Value: big})), nil, rpctypes.ErrGRPCRequestTooLarge},
	} {
		v := New(Config{})
		must[*pb.PutResponse](t, v, put("a/1", "old"))
		must[*pb.PutResponse](t, v, put("b/1", "old"))
		_, ch, err := v.Evaluate(&pb.TxnRequest{Success: []*pb.RequestOp{ok, c.op}}, c.auth, testNow)
		if !errors.Is(err, c.want) || ch != nil {
			t.Errorf("%s: Evaluate() = %v, %v, want %v", name, ch, err, c.want)
		}
		v.Publish()
		if got := contents(t, v); v.Head() != 3 || len(got) != 2 || got["a/1"] != "old" {
			t.Errorf("%s: revision %d, %v", name, v.Head(), got)
		}
	}
}

// TestDeleteTravels: a range goes as one write where the grant allows it.
func TestDeleteTravels(t *testing.T) {
	for _, c := range []struct {
		req  *pb.DeleteRangeRequest
		auth Authorizer
		want string
	}{
		{del("a/", "a0"), nil, "range a/-a0"},
		{del("\x00", "\x00"), nil, "range \x00-"},
		{del("a/", "a0"), narrow("a/"), "delete a/1, delete a/2"},
		{del("a/1", ""), nil, "delete a/1"},
		{del("x", "\x00"), nil, ""},
		{del("b", "a"), nil, ""},
	} {
		v := New(Config{})
		for _, k := range []string{"a/1", "a/2", "b/1"} {
			must[*pb.PutResponse](t, v, put(k, ""))
		}
		_, ch, err := v.Evaluate(c.req, c.auth, testNow)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if ch != nil {
			for _, w := range v.Transaction(ch, 1) {
				switch w.Kind {
				case dag.DeleteRange:
					got = append(got, fmt.Sprintf("range %s-%s", w.Key, w.End))
				case dag.DeleteObserved:
					got = append(got, fmt.Sprintf("delete %s", w.Key))
				}
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%v is %q, want %q", c.req, got, c.want)
		}
	}
	if _, _, err := New(Config{}).Evaluate(&pb.HashRequest{}, nil, testNow); !errors.Is(err, ErrUnknownRequest) {
		t.Errorf("Evaluate(HashRequest) = %v, want %v", err, ErrUnknownRequest)
	}
}

// TestIncarnations follows the references of writes through seals.
func TestIncarnations(t *testing.T) {
	mesh := dagtest.New(t, 2)
	v := New(Config{})
	var open []*Change
	do := func(req proto.Message) {
		t.Helper()
		_, ch, err := v.Evaluate(req, nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, ch)
	}
	seal := func(want ...string) *dag.Op {
		t.Helper()
		var ts []dag.Transaction
		var got []string
		for _, ch := range open {
			tx := v.Transaction(ch, open[0].Number)
			for _, w := range tx {
				s := string(w.Key)
				switch in := w.Incarnation; in.Kind {
				case dag.IncarnationLocal:
					s += fmt.Sprintf(" of %d.%d", in.Tx, in.Write)
				case dag.IncarnationPast:
					s += fmt.Sprintf(" of %s %d.%d", in.Op, in.Tx, in.Write)
				}
				got = append(got, s)
			}
			ts = append(ts, tx)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("incarnations (-want +got):\n%s", diff)
		}
		op := mesh.Op(0, mesh.Graph.Heads(), ts...)
		v.Sealed(open[0].Number, len(open), op)
		open = nil
		return op
	}
	do(put("a", ""))
	do(&pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", "")}},
		{Request: &pb.RequestOp_RequestPut{RequestPut: put("b", "")}},
	}})
	do(put("b", ""))
	first := seal("a", "a of 0.0", "b", "b of 1.1")
	do(put("a", ""))
	do(del("a", ""))
	do(put("a", ""))
	second := seal(fmt.Sprintf("a of %s 0.0", first.ID()), fmt.Sprintf("a of %s 0.0", first.ID()), "a")

	// Another node's writes: a new key, and a put that continues a life.
	theirs := dag.Transaction{dagtest.Put("t", ""), dagtest.Put("b", "")}
	theirs[1].Incarnation = dag.Incarnation{Kind: dag.IncarnationPast, Op: first.ID(), Tx: 1, Write: 1}
	op := mesh.Write(1, theirs...)
	applied(t, v, op, []dag.Transaction{theirs}, graphOnly{mesh.Graph})
	do(put("t", ""))
	do(put("b", ""))
	do(del("a", ""))
	seal(fmt.Sprintf("t of %s 0.0", op.ID()), fmt.Sprintf("b of %s 1.1", first.ID()), fmt.Sprintf("a of %s 2.0", second.ID()))
}

// TestLongReads: a read that takes many steps sees one revision, whatever is
// written and compacted meanwhile.
func TestLongReads(t *testing.T) {
	v := New(Config{})
	const keys = 3 * chunkKeys
	write := func(value string) {
		txn := &pb.TxnRequest{}
		for i := range keys {
			txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put(fmt.Sprintf("%05d", i), value)}})
		}
		must[*pb.TxnResponse](t, v, txn)
	}
	write("before")
	s := v.acquire()
	seen := 0
	err := s.scan(t.Context(), span{open: true}, s.revision, func(x *version) bool {
		if string(x.kv.Value) != "before" {
			t.Fatalf("key %s is %q", x.kv.Key, x.kv.Value)
		}
		if seen++; seen == 10 {
			write("after")
			must[*pb.DeleteRangeResponse](t, v, del("\x00", "\x00"))
			must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head()})
			must[*pb.PutResponse](t, v, put("\x01", "new"))
			for range 20 {
				v.Prune()
			}
		}
		return true
	})
	if err != nil || seen != keys {
		t.Errorf("saw %d keys, %v, want %d", seen, err, keys)
	}
	if n, err := s.count(t.Context(), span{open: true}, s.revision); n != keys || err != nil {
		t.Errorf("count = %d, %v, want %d", n, err, keys)
	}
	s.release()
	for v.Prune() {
	}
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head()})
	for v.Prune() {
	}
	if n := len(v.keys); n != 1 {
		t.Errorf("%d keys are kept, want 1", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Range with a canceled context = %v", err)
	}
}

// TestStateHash: the hash is as docs/view.md says.
func TestStateHash(t *testing.T) {
	v := New(Config{})
	must[*pb.PutResponse](t, v, put("b", strings.Repeat("x", 200)))
	must[*pb.PutResponse](t, v, put("a", ""))
	want := sha256.Sum256([]byte("causeway-state-v0\x00" + "\x01a\x00" + "\x01b\xc8\x01" + strings.Repeat("x", 200)))
	if got := v.StateHash(); got != want {
		t.Errorf("StateHash() = %x, want %x", got, want)
	}
	if _, _, err := v.Evaluate(put("c", ""), nil, testNow); err != nil {
		t.Fatal(err)
	}
	if got := v.StateHash(); got != want {
		t.Error("the hash shows what is not published")
	}
}

// TestOrderOfEquals checks an answer that etcd 3.7.3 gave: keys that are equal in what is
// sorted by are not in key order.
func TestOrderOfEquals(t *testing.T) {
	v := New(Config{})
	for key := 'a'; key < 'a'+16; key++ {
		must[*pb.PutResponse](t, v, put(string(key), ""))
		if key%3 == 0 {
			must[*pb.PutResponse](t, v, put(string(key), ""))
		}
	}
	resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, SortTarget: pb.RangeRequest_VERSION})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, kv := range resp.Kvs {
		got += string(kv.Key)
	}
	if want := "mjpdenbgahklifoc"; got != want {
		t.Errorf("order = %s, want %s", got, want)
	}
}

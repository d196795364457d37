package etcdgw

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// denied is an authorizer that allows nothing.
type denied struct{}

var errDenied = errors.New("denied")

func (denied) MayWrite([]byte) error              { return errDenied }
func (denied) MayWriteRange([]byte, []byte) error { return errDenied }
func (denied) CheckValue([]byte, []byte) error    { return nil }

// TestErrors checks the code and the text of every error that a client's
// request can meet: both are part of the protocol.
func TestErrors(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	s.put(t, "a", "1")           // revision 2
	past := s.put(t, "a", "2")   // 3
	latest := s.put(t, "b", "1") // 4
	if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: past}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: 7, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	cluster, maintenance, auth := pb.NewClusterClient(s.conn), pb.NewMaintenanceClient(s.conn), pb.NewAuthClient(s.conn)
	key := []byte("a")
	manyOps := &pb.TxnRequest{}
	for i := range 129 {
		manyOps.Success = append(manyOps.Success, opPut(fmt.Sprint(i)))
	}
	const invalid, outOfRange = codes.InvalidArgument, codes.OutOfRange

	for _, tt := range []struct {
		name string
		call func() error
		code codes.Code
		text string
	}{
		{"range of no key", call(s.kv.Range, &pb.RangeRequest{}), invalid, "etcdserver: key is not provided"},
		{"range in no order", call(s.kv.Range, &pb.RangeRequest{Key: key, SortOrder: 9}), invalid, "etcdserver: invalid sort option"},
		{"range by no target", call(s.kv.Range, &pb.RangeRequest{Key: key, SortTarget: 9}), invalid, "etcdserver: invalid sort option"},
		{"range in the compacted past", call(s.kv.Range, &pb.RangeRequest{Key: key, Revision: past - 1}), outOfRange, "etcdserver: mvcc: required revision has been compacted"},
		{"range in the future", call(s.kv.Range, &pb.RangeRequest{Key: key, Revision: latest + 1}), outOfRange, "etcdserver: mvcc: required revision is a future revision"},

		{"put of no key", call(s.kv.Put, &pb.PutRequest{Value: key}), invalid, "etcdserver: key is not provided"},
		{"put of a value to be ignored", call(s.kv.Put, &pb.PutRequest{Key: key, Value: key, IgnoreValue: true}), invalid, "etcdserver: value is provided"},
		{"put under a lease to be ignored", call(s.kv.Put, &pb.PutRequest{Key: key, Lease: 7, IgnoreLease: true}), invalid, "etcdserver: lease is provided"},
		{"put keeping the value of an absent key", call(s.kv.Put, &pb.PutRequest{Key: []byte("absent"), IgnoreValue: true}), invalid, "etcdserver: key not found"},
		{"put keeping the lease of an absent key", call(s.kv.Put, &pb.PutRequest{Key: []byte("absent"), IgnoreLease: true}), invalid, "etcdserver: key not found"},
		{"put under an unknown lease", call(s.kv.Put, &pb.PutRequest{Key: key, Lease: 8}), codes.NotFound, "etcdserver: requested lease not found"},
		{"put too large", call(s.kv.Put, &pb.PutRequest{Key: key, Value: make([]byte, DefaultMaxRequestBytes)}), invalid, "etcdserver: request is too large"},
		{"put beyond what is received at all", call(s.kv.Put, &pb.PutRequest{Key: key, Value: make([]byte, 2<<20)}), codes.ResourceExhausted, "grpc: received message larger than max (2097160 vs. 2097152)"},

		{"delete of no key", call(s.kv.DeleteRange, &pb.DeleteRangeRequest{}), invalid, "etcdserver: key is not provided"},

		{"txn with too many operations", call(s.kv.Txn, manyOps), invalid, "etcdserver: too many operations in txn request"},
		{"txn with a key twice", call(s.kv.Txn, &pb.TxnRequest{Success: ops(opPut("a"), opPut("a"))}), invalid, "etcdserver: duplicate key given in txn request"},
		{"txn with an empty operation", call(s.kv.Txn, &pb.TxnRequest{Success: ops(&pb.RequestOp{})}), invalid, "etcdserver: key not found"},
		{"txn with an empty key", call(s.kv.Txn, &pb.TxnRequest{Success: ops(opPut(""))}), invalid, "etcdserver: key is not provided"},
		{"txn with a range in the future", call(s.kv.Txn, &pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{
			RequestRange: &pb.RangeRequest{Key: key, Revision: latest + 5}}})}), outOfRange, "etcdserver: mvcc: required revision is a future revision"},

		{"compaction of the compacted", call(s.kv.Compact, &pb.CompactionRequest{Revision: past}), outOfRange, "etcdserver: mvcc: required revision has been compacted"},
		{"compaction of the future", call(s.kv.Compact, &pb.CompactionRequest{Revision: latest + 1}), outOfRange, "etcdserver: mvcc: required revision is a future revision"},

		{"grant of a lease that exists", call(s.lease.LeaseGrant, &pb.LeaseGrantRequest{ID: 7, TTL: 60}), codes.FailedPrecondition, "etcdserver: lease already exists"},
		{"grant for too long", call(s.lease.LeaseGrant, &pb.LeaseGrantRequest{TTL: 9_000_000_001}), outOfRange, "etcdserver: too large lease TTL"},
		{"revocation of an unknown lease", call(s.lease.LeaseRevoke, &pb.LeaseRevokeRequest{ID: 8}), codes.NotFound, "etcdserver: requested lease not found"},

		{"member add without URL", call(cluster.MemberAdd, &pb.MemberAddRequest{}), invalid, "etcdserver: given member URLs are invalid"},
		{"member add", call(cluster.MemberAdd, &pb.MemberAddRequest{PeerURLs: []string{"http://127.0.0.1:2380"}}), codes.FailedPrecondition, "etcdserver: not capable"},
		{"member remove", call(cluster.MemberRemove, &pb.MemberRemoveRequest{ID: 0xa1}), codes.FailedPrecondition, "etcdserver: not capable"},
		{"member remove of an unknown one", call(cluster.MemberRemove, &pb.MemberRemoveRequest{ID: 1}), codes.NotFound, "etcdserver: member not found"},
		{"member update", call(cluster.MemberUpdate, &pb.MemberUpdateRequest{ID: 0xa1}), codes.FailedPrecondition, "etcdserver: not capable"},
		{"member update of an unknown one", call(cluster.MemberUpdate, &pb.MemberUpdateRequest{ID: 1}), codes.NotFound, "etcdserver: member not found"},
		{"member promote", call(cluster.MemberPromote, &pb.MemberPromoteRequest{ID: 0xa1}), codes.FailedPrecondition, "etcdserver: can only promote a learner member"},
		{"member promote of an unknown one", call(cluster.MemberPromote, &pb.MemberPromoteRequest{ID: 1}), codes.NotFound, "etcdserver: member not found"},

		{"move of the leader away", call(maintenance.MoveLeader, &pb.MoveLeaderRequest{TargetID: 1}), codes.FailedPrecondition, "etcdserver: bad leader transferee"},
		{"hash in the future", call(maintenance.HashKV, &pb.HashKVRequest{Revision: latest + 1}), outOfRange, "etcdserver: mvcc: required revision is a future revision"},
		{"downgrade", call(maintenance.Downgrade, &pb.DowngradeRequest{}), codes.Unimplemented, "causeway: there is no etcd cluster version to downgrade"},
		{"authenticate", call(auth.Authenticate, &pb.AuthenticateRequest{Name: "root", Password: "x"}), codes.FailedPrecondition, "etcdserver: authentication is not enabled"},
		{"unknown method", func() error {
			return s.conn.Invoke(ctx, "/etcdserverpb.KV/Unheard", &pb.RangeRequest{}, &pb.RangeResponse{})
		}, codes.Unimplemented, "unknown method Unheard for service etcdserverpb.KV"},
		{"unknown service", func() error {
			return s.conn.Invoke(ctx, "/etcdserverpb.Unheard/Range", &pb.RangeRequest{}, &pb.RangeResponse{})
		}, codes.Unimplemented, "unknown service etcdserverpb.Unheard"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := status.Convert(tt.call())
			if got.Code() != tt.code || got.Message() != tt.text {
				t.Errorf("%v %q, want %v %q", got.Code(), got.Message(), tt.code, tt.text)
			}
		})
	}
	if got := s.view.Revision(); got != latest {
		t.Errorf("revision %d after refused requests, want %d", got, latest)
	}
}

// rpc is a unary method of a client.
type rpc[Req, Resp any] = func(context.Context, *Req, ...grpc.CallOption) (*Resp, error)

// call makes a unary call that TestErrors runs later.
func call[Req, Resp any](method rpc[Req, Resp], req *Req) func() error {
	return func() error {
		_, err := method(context.Background(), req)
		return err
	}
}

func TestPermissionDenied(t *testing.T) {
	s := newSite(t)
	s.auth = denied{}
	_, err := s.kv.Put(testContext(t), &pb.PutRequest{Key: []byte("a")})
	if got := status.Convert(err); got.Code() != codes.PermissionDenied || got.Message() != "etcdserver: permission denied: denied" {
		t.Errorf("Put = %v, want PermissionDenied with etcd's text", err)
	}
}

// TestNotReady checks that every service is refused while the node is not ready,
// in a way that makes clients try again.
func TestNotReady(t *testing.T) {
	s := newSite(t)
	s.notReady.Store(true)
	ctx := testContext(t)
	unavailable := func(name string, err error) {
		t.Helper()
		if got := status.Convert(err); got.Code() != codes.Unavailable || got.Message() != "etcdserver: no leader" {
			t.Errorf("%s = %v, want Unavailable %q", name, err, "etcdserver: no leader")
		}
	}
	_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	unavailable("Range", err)
	_, err = s.kv.Put(ctx, &pb.PutRequest{Key: []byte("a")})
	unavailable("Put", err)
	_, err = pb.NewMaintenanceClient(s.conn).Status(ctx, &pb.StatusRequest{})
	unavailable("Status", err)
	watch, err := s.watch.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = watch.Recv()
	unavailable("Watch", err)
	s.notReady.Store(false)
	s.put(t, "a", "1")
}

func TestPutGetDelete(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	header := func(rev int64) *pb.ResponseHeader {
		return &pb.ResponseHeader{ClusterId: 0xc1, MemberId: 0xa1, RaftTerm: raftTerm, Revision: rev}
	}
	check := func(name string, got proto.Message, err error, want proto.Message) {
		t.Helper()
		if err != nil {
			t.Errorf("%s = %v", name, err)
		} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	empty, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	check("Range of nothing", empty, err, &pb.RangeResponse{Header: header(1)})

	put, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
	check("Put", put, err, &pb.PutResponse{Header: header(2)})
	put, err = s.kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: []byte("2"), PrevKv: true})
	check("second Put", put, err, &pb.PutResponse{Header: header(3), PrevKv: &mvccpb.KeyValue{
		Key: []byte("a"), Value: []byte("1"), CreateRevision: 2, ModRevision: 2, Version: 1}})

	kv := &mvccpb.KeyValue{Key: []byte("a"), Value: []byte("2"), CreateRevision: 2, ModRevision: 3, Version: 2}
	got, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	check("Range", got, err, &pb.RangeResponse{Header: header(3), Kvs: []*mvccpb.KeyValue{kv}, Count: 1})

	del, err := s.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte("a"), PrevKv: true})
	check("DeleteRange", del, err, &pb.DeleteRangeResponse{Header: header(4), Deleted: 1, PrevKvs: []*mvccpb.KeyValue{kv}})
	past, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: 3})
	check("Range in the past", past, err, &pb.RangeResponse{Header: header(4), Kvs: []*mvccpb.KeyValue{kv}, Count: 1})
}

// TestTxnBranches checks a create, a failed create and its else branch, and a
// read-only transaction, as kube-apiserver sends them.
func TestTxnBranches(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	create := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_ModRevision{}}},
		Success: ops(opPut("a")),
		Failure: ops(opRange("a", "")),
	}
	first, err := s.kv.Txn(ctx, create)
	if err != nil || !first.Succeeded || first.Header.Revision != 2 {
		t.Fatalf("create = %v, %v, want success at revision 2", first, err)
	}
	second, err := s.kv.Txn(ctx, create)
	if err != nil || second.Succeeded || second.Header.Revision != 2 {
		t.Fatalf("second create = %v, %v, want failure at revision 2", second, err)
	}
	if kvs := second.Responses[0].GetResponseRange().GetKvs(); len(kvs) != 1 || kvs[0].ModRevision != 2 {
		t.Errorf("else branch read %v, want the key at revision 2", kvs)
	}
	read, err := s.kv.Txn(ctx, &pb.TxnRequest{Success: ops(opRange("a", ""), opRange("b", ""))})
	if err != nil || !read.Succeeded || len(read.Responses) != 2 || read.Header.Revision != 2 || read.Header.MemberId != 0xa1 {
		t.Errorf("read-only txn = %v, %v, want two answers at revision 2", read, err)
	}
}

// TestTxnReplacesKeyspace checks that, as in etcd, a transaction may delete all
// keys from one on and put some of them anew.
func TestTxnReplacesKeyspace(t *testing.T) {
	s := newSite(t)
	s.put(t, "a", "old")
	s.put(t, "b", "old")
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("b"), Value: []byte("new")}}}
	resp, err := s.kv.Txn(testContext(t), &pb.TxnRequest{Success: ops(opDelete("a", "\x00"), put)})
	if err != nil || resp.Responses[0].GetResponseDeleteRange().GetDeleted() != 2 {
		t.Fatalf("Txn = %v, %v, want two keys deleted", resp, err)
	}
	got, err := s.kv.Range(testContext(t), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "new" || got.Kvs[0].Version != 1 {
		t.Errorf("Range = %v, %v, want one new key", got, err)
	}
}

// TestForeignRevision checks that a revision of another gateway's window, lesser
// or greater, is answered as compacted: its client must start over.
func TestForeignRevision(t *testing.T) {
	m := newMemory(t, mvcc.Config{Base: 5 << 40})
	s := serve(t, testConfig(), m)
	kv := pb.NewKVClient(dial(t, s))
	for _, rev := range []int64{7, 4<<40 + 3, 6<<40 + 1} {
		_, err := kv.Range(testContext(t), &pb.RangeRequest{Key: []byte("a"), Revision: rev})
		if status.Code(err) != codes.OutOfRange || !strings.HasSuffix(err.Error(), "mvcc: required revision has been compacted") {
			t.Errorf("Range at %d = %v, want the compacted error", rev, err)
		}
	}
	resp, err := kv.Put(testContext(t), &pb.PutRequest{Key: []byte("a")})
	if err != nil || resp.Header.Revision != 5<<40+1 {
		t.Errorf("Put = %v, %v, want revision %d", resp, err, int64(5<<40+1))
	}
}

// TestFirstRevision checks what the clients of a joined node see where there never
// was a key: an etcd at revision 1, whose next revision is its window's first.
func TestFirstRevision(t *testing.T) {
	const base = 5 << 40
	m := newMemory(t, mvcc.Config{})
	m.write(func() { m.view.BeginWindow(base) })
	s := &site{memory: m, server: serve(t, testConfig(), m)}
	conn := dial(t, s.server)
	kv := pb.NewKVClient(conn)
	s.watch = pb.NewWatchClient(conn)
	ctx := testContext(t)
	hash, err := pb.NewMaintenanceClient(conn).HashKV(ctx, &pb.HashKVRequest{})
	if err != nil || hash.Header.Revision != 1 || hash.HashRevision != 1 || hash.CompactRevision != -1 {
		t.Errorf("HashKV = %v, %v, want that of revision 1", hash, err)
	}
	w := s.newWatch(t)
	for _, start := range []int64{0, 1, 2} {
		w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: start})
		w.want(fmt.Sprintf("%d@1 created", start))
	}
	if _, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: 102}); status.Code(err) != codes.OutOfRange || !strings.HasSuffix(err.Error(), "compacted") {
		t.Errorf("Range at another gateway's revision = %v, want the compacted error", err)
	}
	resp, err := kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("a"), Value: []byte("1")}}}},
	})
	if err != nil || !resp.Succeeded || resp.Header.Revision != base+1 {
		t.Errorf("the first transaction = %v, %v, want revision %d", resp, err, int64(base+1))
	}
	for range 3 {
		if got := w.recv(); len(got.Events) != 1 || got.Header.Revision != base+1 {
			t.Errorf("received %s, want the put at %d", text(got), int64(base+1))
		}
	}
	if got, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: 1}); err != nil || got.Count != 0 || got.Header.Revision != base+1 {
		t.Errorf("Range at 1 = %v, %v, want no key", got, err)
	}
}

func TestLargeMessages(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	value := make([]byte, 1_400_000)
	for i := range 4 { // together more than gRPC's usual 4 MiB
		s.put(t, fmt.Sprint(i), string(value))
	}
	resp, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil || len(resp.Kvs) != 4 {
		t.Errorf("Range of 5.6 MB = %d keys, %v, want 4, nil", len(resp.GetKvs()), err)
	}
}

func TestRangeStream(t *testing.T) {
	s := newSite(t, func(c *Config) { c.MaxRequestBytes = 10_000 })
	for i := range 200 {
		s.submitPut(t, fmt.Sprintf("k%03d", i), strings.Repeat("v", 200))
	}
	for _, req := range []*pb.RangeRequest{
		{Key: []byte("k"), RangeEnd: []byte("l")},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 57},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 200},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 10},
		{Key: []byte("k"), RangeEnd: []byte("l"), CountOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), KeysOnly: true, Revision: 100},
		{Key: []byte("k005")},
		{Key: []byte("absent")},
	} {
		want, err := s.kv.Range(testContext(t), req)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := s.kv.RangeStream(testContext(t), req)
		if err != nil {
			t.Fatal(err)
		}
		got := &pb.RangeResponse{}
		for {
			chunk, err := stream.Recv()
			if err != nil {
				break
			}
			if size := proto.Size(chunk); size > 50_000 {
				t.Errorf("RangeStream(%v) sent a message of %d bytes", req, size)
			}
			proto.Merge(got, chunk.RangeResponse)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("RangeStream(%v) differs from Range (-want +got):\n%s", req, diff)
		}
	}
	stream, err := s.kv.RangeStream(testContext(t), &pb.RangeRequest{Key: []byte("k"), SortOrder: pb.RangeRequest_DESCEND})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("RangeStream in descending order = %v, want Unimplemented", err)
	}
}

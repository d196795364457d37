package mvcc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func alarm(action pb.AlarmRequest_AlarmAction, member uint64, kind pb.AlarmType) *pb.AlarmRequest {
	return &pb.AlarmRequest{Action: action, MemberID: member, Alarm: kind}
}

const (
	list  = pb.AlarmRequest_GET
	raise = pb.AlarmRequest_ACTIVATE
	end   = pb.AlarmRequest_DEACTIVATE
)

// TestAlarms: what is listed, raised and ended, and that a replay ends where the
// requests did. The answers are etcd's.
func TestAlarms(t *testing.T) {
	v, again := New(Config{}), New(Config{})
	noSpace, corrupt := pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT
	for i, c := range []struct {
		req     *pb.AlarmRequest
		want    string
		changes bool
	}{
		{alarm(list, 0, 0), "", false},
		{alarm(raise, 1, noSpace), "1:NOSPACE", true},
		{alarm(raise, 1, noSpace), "1:NOSPACE", false},
		{alarm(raise, 1, 0), "", false},
		{alarm(raise, 9, 7), "9:7", true},
		{alarm(raise, 2, corrupt), "2:CORRUPT", true},
		{alarm(raise, 0, noSpace), "0:NOSPACE", true},
		{alarm(list, 5, 0), "0:NOSPACE 1:NOSPACE 2:CORRUPT 9:7", false},
		{alarm(list, 0, corrupt), "2:CORRUPT", false},
		{alarm(end, 2, noSpace), "", false},
		{alarm(end, 0, 0), "", false},
		{alarm(end, 0, noSpace), "0:NOSPACE", true},
		{alarm(end, 0, noSpace), "", false},
		{alarm(5, 1, noSpace), "", false}, // an etcd ends there
	} {
		resp, ch, err := v.Evaluate(c.req, nil, testNow)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		var got []string
		for _, a := range resp.(*pb.AlarmResponse).Alarms {
			got = append(got, fmt.Sprintf("%d:%v", a.MemberID, a.Alarm))
		}
		if s := strings.Join(got, " "); s != c.want || (ch != nil) != c.changes {
			t.Errorf("request %d: %q, change %v, want %q, %v", i, s, ch, c.want, c.changes)
		}
		if ch != nil {
			if err := again.Replay(ch); err != nil {
				t.Errorf("replay of request %d: %v", i, err)
			}
			if err := again.Replay(ch); err == nil {
				t.Errorf("a second replay of request %d = nil, want an error", i)
			}
		}
	}
	if got := v.Alarms(); len(got) != 0 {
		t.Errorf("alarms before they are published: %v", got)
	}
	v.Publish()
	again.Publish()
	want := []Alarm{{1, noSpace}, {2, corrupt}, {9, 7}}
	if diff := cmp.Diff(want, v.Alarms()); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, again.Alarms()); diff != "" {
		t.Errorf("alarms after the replay (-want +got):\n%s", diff)
	}
	if v.Head() != 1 {
		t.Errorf("alarms moved the revision to %d", v.Head())
	}
}

// TestManyAlarms: clients cannot make up alarms without bound.
func TestManyAlarms(t *testing.T) {
	v := New(Config{})
	for i := range maxAlarms {
		must[*pb.AlarmResponse](t, v, alarm(raise, uint64(i), pb.AlarmType_NOSPACE))
	}
	if _, _, err := v.Evaluate(alarm(raise, maxAlarms, pb.AlarmType_NOSPACE), nil, testNow); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("one alarm more: %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	must[*pb.AlarmResponse](t, v, alarm(raise, 0, pb.AlarmType_NOSPACE))
	must[*pb.AlarmResponse](t, v, alarm(end, 0, pb.AlarmType_NOSPACE))
}

// TestAlarmsRefuse: what each alarm stops, as etcd's does, and what it does not.
func TestAlarmsRefuse(t *testing.T) {
	putOp := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put("b", "1")}}
	delOp := &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del("b", "")}}
	getOp := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("b")}}}
	nested := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Failure: []*pb.RequestOp{putOp}}}}
	noSpace, corrupt := rpctypes.ErrGRPCNoSpace, rpctypes.ErrGRPCCorrupt
	for _, c := range []struct {
		what                 string
		req                  proto.Message
		withNoSpace, withBad error
	}{
		{"put", put("b", "1"), noSpace, corrupt},
		{"put without permission", &Guarded{put("b", "1"), func(func(int64) [][]byte) error { return rpctypes.ErrGRPCPermissionDenied }}, noSpace, corrupt},
		{"delete", del("c", ""), nil, corrupt},
		{"txn with a put", &pb.TxnRequest{Success: []*pb.RequestOp{getOp, putOp}}, noSpace, corrupt},
		{"txn with a put in the other branch", &pb.TxnRequest{Success: []*pb.RequestOp{getOp}, Failure: []*pb.RequestOp{putOp}}, noSpace, corrupt},
		{"txn with a nested put", &pb.TxnRequest{Success: []*pb.RequestOp{nested}}, noSpace, corrupt},
		{"txn with a delete", &pb.TxnRequest{Success: []*pb.RequestOp{delOp}}, nil, corrupt},
		{"txn that reads", &pb.TxnRequest{Success: []*pb.RequestOp{getOp}}, nil, nil},
		{"compact", &pb.CompactionRequest{Revision: 2}, nil, corrupt},
		{"grant", &pb.LeaseGrantRequest{ID: 8, TTL: 60}, noSpace, corrupt},
		{"revoke", &pb.LeaseRevokeRequest{ID: 7}, nil, corrupt},
		{"list alarms", alarm(list, 0, 0), nil, nil},
	} {
		for kind, want := range map[pb.AlarmType]error{pb.AlarmType_NOSPACE: c.withNoSpace, pb.AlarmType_CORRUPT: c.withBad, 7: nil} {
			if c.what == "put without permission" && kind == 7 {
				want = rpctypes.ErrGRPCPermissionDenied
			}
			v := New(Config{})
			must[*pb.PutResponse](t, v, put("a", "1"))
			must[*pb.PutResponse](t, v, put("b", "1"))
			must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 7, TTL: 60})
			must[*pb.AlarmResponse](t, v, alarm(raise, 3, kind))
			if _, ch, err := v.Evaluate(c.req, nil, testNow); err != want || err != nil && ch != nil {
				t.Errorf("%s with alarm %v = %v, %v, want %v", c.what, kind, ch, err, want)
			}
			must[*pb.AlarmResponse](t, v, alarm(end, 3, kind))
			must[*pb.PutResponse](t, v, put("a", "2"))
		}
	}
}

// TestQuota: clients' puts end at the quota, deletes do not; a compaction makes
// room at once; other nodes' operations are never refused.
func TestQuota(t *testing.T) {
	v := New(Config{Quota: 100 * (versionOverhead + 3)})
	fill := func() (puts int) {
		for ; ; puts++ {
			if _, _, err := v.Evaluate(put("k", fmt.Sprintf("%02d", puts%100)), nil, testNow); err == rpctypes.ErrGRPCNoSpace {
				return puts
			} else if err != nil {
				t.Fatal(err)
			}
			v.Publish()
		}
	}
	if n := fill(); n != 99 {
		t.Errorf("%d puts fit, want 99: less than the quota is stored", n)
	}
	if got, want := v.Stats().Stored, int64(99*(versionOverhead+3)); got != want {
		t.Errorf("stored: %d bytes, want %d", got, want)
	}
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{TTL: 60}) // for which there is room
	for range 3 {
		must[*pb.DeleteRangeResponse](t, v, del("k", ""))
		if _, _, err := v.Evaluate(put("k", "00"), nil, testNow); err != rpctypes.ErrGRPCNoSpace {
			t.Fatalf("a put beyond the quota: %v, want %v", err, rpctypes.ErrGRPCNoSpace)
		}
	}
	mesh := dagtest.New(t, 2)
	v.Sealed(1, 100, mesh.Write(0, dagtest.Put("k", "")))
	theirs := []dag.Transaction{{dagtest.Put("theirs", strings.Repeat("x", 100_000))}, {dagtest.Put("small", "")}}
	op := mesh.Op(1, mesh.Graph.Heads(), theirs...)
	if rev, _ := applied(t, v, op, theirs, nil); rev == 0 {
		t.Error("an operation of another node changed nothing")
	}
	v.Publish()
	checkView(t, v)
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Revision()})
	if _, _, err := v.Evaluate(put("k", "00"), nil, testNow); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("a put beside another node's large value: %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	must[*pb.DeleteRangeResponse](t, v, del("theirs", ""))
	must[*pb.DeleteRangeResponse](t, v, del("small", ""))
	if got := v.CompactRevision(); got != v.Revision() { // what was deleted is theirs, and too much for history
		t.Errorf("compacted to %d, want %d", got, v.Revision())
	}
	if n := fill(); n < 95 {
		t.Errorf("%d puts fit after a compaction, want nearly all again", n)
	}
	checkView(t, v)
}

// TestQuotaDuringRead: history that a read needs is not freed for a put, which
// is refused rather than waiting.
func TestQuotaDuringRead(t *testing.T) {
	v := New(Config{Quota: 10 * (versionOverhead + 3)})
	for range 9 {
		must[*pb.PutResponse](t, v, put("k", "00"))
	}
	s := v.acquire()
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Revision()})
	if _, _, err := v.Evaluate(put("k", "00"), nil, testNow); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("a put during the read: %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	s.release()
	must[*pb.PutResponse](t, v, put("k", "00"))
}

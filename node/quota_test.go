package node

import (
	"context"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/node/admin"
)

// client connects to a node's first client URL until the test ends.
func client(t *testing.T, n *Node) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(n.ClientURLs()[0], "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestQuota fills a node: the alarm is raised, stands across a restart, and ends
// by hand once a compaction has made room, as with an etcd.
func TestQuota(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.QuotaBackendBytes = 10_000
	ctx := context.Background()
	for _, restarted := range []bool{false, true} {
		n, err := Open(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		conn := client(t, n)
		kv, maintenance := pb.NewKVClient(conn), pb.NewMaintenanceClient(conn)
		put := func() error {
			_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: make([]byte, 1000)})
			return err
		}
		if !restarted {
			for range 8 {
				if err := put(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := put(); status.Convert(err).Message() != rpctypes.ErrorDesc(rpctypes.ErrGRPCNoSpace) {
			t.Fatalf("restarted %v: a put beyond the quota = %v, want %v", restarted, err, rpctypes.ErrGRPCNoSpace)
		}
		st, err := maintenance.Status(ctx, &pb.StatusRequest{})
		if err != nil || len(st.Errors) != 1 || st.DbSizeQuota != 10_000 || st.DbSizeInUse < 8000 || st.DbSizeInUse > 10_000 {
			t.Errorf("restarted %v: Status = %v, %v, want an alarm, and a size near the quota", restarted, st, err)
		}
		if own, err := n.Status(ctx); err != nil || !slices.Equal(own.Alarms, []admin.Alarm{admin.AlarmNoSpace}) {
			t.Errorf("restarted %v: alarms of the node's status = %v, %v, want %v", restarted, own.Alarms, err, admin.AlarmNoSpace)
		}
		if !restarted {
			conn.Close()
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		alarms, err := maintenance.Alarm(ctx, &pb.AlarmRequest{})
		if err != nil || len(alarms.Alarms) != 1 || alarms.Alarms[0].MemberID != alarms.Header.MemberId {
			t.Fatalf("Alarm = %v, %v, want one about this member", alarms, err)
		}
		if _, err := kv.Compact(ctx, &pb.CompactionRequest{Revision: st.Header.Revision}); err != nil {
			t.Fatal(err)
		}
		if _, err := maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: alarms.Alarms[0].MemberID, Alarm: pb.AlarmType_NOSPACE}); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if err := put(); err != nil {
				t.Fatalf("a put after the compaction = %v, want nil", err)
			}
		}
		if own, err := n.Status(ctx); err != nil || own.Alarms == nil || len(own.Alarms) > 0 {
			t.Errorf("alarms of the node's status once disarmed = %#v, %v, want none", own.Alarms, err)
		}
	}
}

// TestStatusAlarms: a status has each type of alarm once, and that of the log's space.
func TestStatusAlarms(t *testing.T) {
	standing := []mvcc.Alarm{{Member: 1, Type: pb.AlarmType_NOSPACE}, {Member: 2, Type: pb.AlarmType_NOSPACE}, {Member: 1, Type: pb.AlarmType_CORRUPT}}
	want := []admin.Alarm{admin.AlarmCorrupt, admin.AlarmLogSpace, admin.AlarmNoSpace}
	if got := alarms(standing, true); !slices.Equal(got, want) {
		t.Errorf("alarms = %v, want %v", got, want)
	}
}

// TestFreeSpace: the file system of a directory has some space, and that of one
// that does not exist has none to tell.
func TestFreeSpace(t *testing.T) {
	if free, total, err := fileSystem(t.TempDir()); err != nil || free <= 0 || total < free {
		t.Errorf("fileSystem = %d, %d, %v, want some", free, total, err)
	}
	if _, _, err := fileSystem(t.TempDir() + "/absent"); err == nil {
		t.Error("fileSystem of an absent directory = nil, want an error")
	}
}

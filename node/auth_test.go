package node

import (
	"context"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestUsersSurviveRestart checks that a node keeps users and roles, and that it
// asks for them again after a restart.
func TestUsersSurviveRestart(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.BcryptCost = bcrypt.MinCost
	open := func() (kv pb.KVClient, auth pb.AuthClient, stop func()) {
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := grpc.NewClient(strings.TrimPrefix(n.ClientURLs()[0], "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		return pb.NewKVClient(conn), pb.NewAuthClient(conn), func() {
			conn.Close()
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	put := &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	ctx := t.Context()
	kv, auth, stop := open()
	must(kv.Put(ctx, put))
	must(auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root", Password: "secret"}))
	must(auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}))
	must(auth.AuthEnable(ctx, &pb.AuthEnableRequest{}))
	stop()

	kv, auth, stop = open()
	defer stop()
	if _, err := kv.Put(ctx, put); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Put by nobody after a restart = %v, want it to be refused", err)
	}
	resp, err := auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: "root", Password: "secret"})
	must(resp, err)
	root := metadata.AppendToOutgoingContext(context.WithoutCancel(ctx), "token", resp.Token)
	answer, err := kv.Put(root, put)
	must(answer, err)
	if answer.Header.Revision != 3 {
		t.Errorf("revision = %d after two puts, want 3: users and roles do not move it", answer.Header.Revision)
	}
}

package etcdgw

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// TestAuthPermissions checks who may make which request: all of them by nobody,
// nothing, reader, writer and root (see authSite).
func TestAuthPermissions(t *testing.T) {
	s := newAuthSite(t)
	setup := testContext(t)
	for id, key := range map[int64]string{1: "w/leased", 2: "x/leased", 3: "r/leased"} {
		_, err := s.lease.LeaseGrant(setup, &pb.LeaseGrantRequest{ID: id, TTL: 600})
		fatal(t, err)
		_, err = s.kv.Put(setup, &pb.PutRequest{Key: []byte(key), Lease: id})
		fatal(t, err)
	}
	_, err := s.lease.LeaseGrant(setup, &pb.LeaseGrantRequest{ID: 4, TTL: 600})
	fatal(t, err)
	s.enable(t)

	users := []string{"", "nothing", "reader", "writer", "root"}
	callers := make(map[string]context.Context)
	for _, u := range users {
		callers[u] = s.as(t, u)
	}
	key := func(k string) []byte { return []byte(k) }
	ops := func(op ...*pb.RequestOp) []*pb.RequestOp { return op }
	get := func(k, end string) *pb.RequestOp { return rangeOp(&pb.RangeRequest{Key: key(k), RangeEnd: key(end)}) }
	kv, lease := s.kv, s.lease
	cluster, maintenance := pb.NewClusterClient(s.conn), pb.NewMaintenanceClient(s.conn)
	txn := func(r *pb.TxnRequest) func(context.Context) error { return try(kv.Txn, r) }
	var everybody, known, readers, writers, roots = users, users[1:], []string{"reader", "root"}, []string{"writer", "root"}, []string{"root"}
	for _, tt := range []struct {
		name    string
		call    func(ctx context.Context) error
		allowed []string
	}{
		{"read a key", try(kv.Range, &pb.RangeRequest{Key: key("r/1")}), readers},
		{"read its range", try(kv.Range, &pb.RangeRequest{Key: key("r/"), RangeEnd: key("r0")}), readers},
		{"read less", try(kv.Range, &pb.RangeRequest{Key: key("r/1"), RangeEnd: key("r/2")}), readers},
		{"read more", try(kv.Range, &pb.RangeRequest{Key: key("r/"), RangeEnd: key("r1")}), roots},
		{"read from a key on", try(kv.Range, &pb.RangeRequest{Key: key("r/"), RangeEnd: []byte{0}}), roots},
		{"read what may only be written", try(kv.Range, &pb.RangeRequest{Key: key("o")}), roots},
		{"read the past", try(kv.Range, &pb.RangeRequest{Key: key("w/leased"), Revision: 2}), writers},
		{"stream a range", func(ctx context.Context) error {
			stream, err := kv.RangeStream(ctx, &pb.RangeRequest{Key: key("r/"), RangeEnd: key("r0")})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}, readers},
		{"put", try(kv.Put, &pb.PutRequest{Key: key("w/1")}), writers},
		{"put what may not be read", try(kv.Put, &pb.PutRequest{Key: key("o")}), writers},
		{"put and read what may not be read", try(kv.Put, &pb.PutRequest{Key: key("o"), PrevKv: true}), roots},
		{"put and read", try(kv.Put, &pb.PutRequest{Key: key("w/1"), PrevKv: true}), writers},
		{"put what may only be read", try(kv.Put, &pb.PutRequest{Key: key("r/1")}), roots},
		{"put under one's lease", try(kv.Put, &pb.PutRequest{Key: key("w/1"), Lease: 1}), writers},
		{"put under another's lease", try(kv.Put, &pb.PutRequest{Key: key("w/1"), Lease: 2}), roots},
		{"put under a lease without keys", try(kv.Put, &pb.PutRequest{Key: key("w/1"), Lease: 4}), writers},
		{"delete", try(kv.DeleteRange, &pb.DeleteRangeRequest{Key: key("w/1")}), writers},
		{"delete what may not be read", try(kv.DeleteRange, &pb.DeleteRangeRequest{Key: key("o")}), writers},
		{"delete and read what may not be read", try(kv.DeleteRange, &pb.DeleteRangeRequest{Key: key("o"), PrevKv: true}), roots},
		{"delete more", try(kv.DeleteRange, &pb.DeleteRangeRequest{Key: key("w/z"), RangeEnd: key("w1")}), roots},

		{"compare", txn(&pb.TxnRequest{Compare: []*pb.Compare{{Key: key("r/1")}}}), readers},
		{"compare a range", txn(&pb.TxnRequest{Compare: []*pb.Compare{{Key: key("r/"), RangeEnd: key("r1")}}}), roots},
		{"txn that reads", txn(&pb.TxnRequest{Success: ops(get("r/1", ""))}), readers},
		{"txn that would read", txn(&pb.TxnRequest{Failure: ops(get("r/1", ""))}), readers},
		{"txn that would read what may not be read", txn(&pb.TxnRequest{Success: ops(get("r/1", "")), Failure: ops(get("x", ""))}), roots},
		{"txn that writes", txn(&pb.TxnRequest{Success: ops(putOp(&pb.PutRequest{Key: key("w/1")}))}), writers},
		{"txn that would write", txn(&pb.TxnRequest{Success: ops(putOp(&pb.PutRequest{Key: key("w/1")})), Failure: ops(deleteOp(key("x")))}), roots},
		{"txn that puts under another's lease", txn(&pb.TxnRequest{Success: ops(putOp(&pb.PutRequest{Key: key("w/1"), Lease: 2}))}), roots},
		{"nested txn", txn(&pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{
			Success: ops(putOp(&pb.PutRequest{Key: key("w/1")})), Failure: ops(deleteOp(key("w/2")))}}})}), writers},
		{"nested txn that would write more", txn(&pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{
			Success: ops(putOp(&pb.PutRequest{Key: key("w/1")})), Failure: ops(deleteOp(key("x")))}}})}), roots},
		{"empty txn", txn(&pb.TxnRequest{}), everybody},
		{"compact", try(kv.Compact, &pb.CompactionRequest{Revision: 1}), roots},

		{"grant a lease", try(lease.LeaseGrant, &pb.LeaseGrantRequest{TTL: 60}), known},
		{"time to live", try(lease.LeaseTimeToLive, &pb.LeaseTimeToLiveRequest{ID: 1}), known},
		{"time to live with one's keys", try(lease.LeaseTimeToLive, &pb.LeaseTimeToLiveRequest{ID: 1, Keys: true}), writers},
		{"time to live with keys to read", try(lease.LeaseTimeToLive, &pb.LeaseTimeToLiveRequest{ID: 3, Keys: true}), readers},
		{"time to live with another's keys", try(lease.LeaseTimeToLive, &pb.LeaseTimeToLiveRequest{ID: 2, Keys: true}), roots},
		{"list leases", try(lease.LeaseLeases, &pb.LeaseLeasesRequest{}), roots},
		{"renew one's lease", s.renewal(1), writers},
		{"renew another's lease", s.renewal(2), roots},
		{"renew a lease without keys", s.renewal(4), known},
		{"revoke another's lease", try(lease.LeaseRevoke, &pb.LeaseRevokeRequest{ID: 2}), roots},

		{"watch a key", s.watching("r/1", ""), readers},
		{"watch its range", s.watching("r/", "r0"), readers},
		{"watch more", s.watching("r/", "r1"), roots},
		{"watch everything", s.watching("", "\x00"), roots},

		{"status", try(maintenance.Status, &pb.StatusRequest{}), known},
		{"list alarms", try(maintenance.Alarm, &pb.AlarmRequest{}), known},
		{"disarm an alarm", try(maintenance.Alarm, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE}), roots},
		{"defragment", try(maintenance.Defragment, &pb.DefragmentRequest{}), roots},
		{"hash", try(maintenance.Hash, &pb.HashRequest{}), roots},
		{"hash of keys", try(maintenance.HashKV, &pb.HashKVRequest{}), roots},
		{"move the leader", try(maintenance.MoveLeader, &pb.MoveLeaderRequest{TargetID: 0xa1}), roots},
		{"snapshot", func(ctx context.Context) error {
			stream, err := maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}, roots},
		{"list members", try(cluster.MemberList, &pb.MemberListRequest{}), known},
		{"add a member", try(cluster.MemberAdd, &pb.MemberAddRequest{PeerURLs: []string{"http://127.0.0.1:1"}}), roots},
		{"remove a member", try(cluster.MemberRemove, &pb.MemberRemoveRequest{ID: 0xa1}), roots},
		{"update a member", try(cluster.MemberUpdate, &pb.MemberUpdateRequest{ID: 0xa1}), roots},
		{"promote a member", try(cluster.MemberPromote, &pb.MemberPromoteRequest{ID: 0xa1}), roots},

		{"auth status", try(s.auth.AuthStatus, &pb.AuthStatusRequest{}), everybody},
		{"auth enable", try(s.auth.AuthEnable, &pb.AuthEnableRequest{}), roots},
		{"add a user", try(s.auth.UserAdd, &pb.AuthUserAddRequest{Name: "new"}), roots},
		{"get oneself", try(s.auth.UserGet, &pb.AuthUserGetRequest{Name: "writer"}), writers},
		{"list users", try(s.auth.UserList, &pb.AuthUserListRequest{}), roots},
		{"get one's role", try(s.auth.RoleGet, &pb.AuthRoleGetRequest{Role: "w"}), writers},
		{"list roles", try(s.auth.RoleList, &pb.AuthRoleListRequest{}), roots},
		{"add a role", try(s.auth.RoleAdd, &pb.AuthRoleAddRequest{Name: "new"}), roots},
		{"delete a role", try(s.auth.RoleDelete, &pb.AuthRoleDeleteRequest{Role: "new"}), roots},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, u := range users {
				refused := ""
				if got := status.Convert(tt.call(callers[u])); got.Code() == codes.PermissionDenied ||
					got.Message() == "etcdserver: user name is empty" {
					refused = got.Message()
				}
				want := "etcdserver: permission denied"
				switch {
				case slices.Contains(tt.allowed, u):
					want = ""
				case u == "":
					want = "etcdserver: user name is empty"
				}
				if refused != want {
					t.Errorf("user %q is answered %q, want %q", u, refused, want)
				}
			}
		})
	}
	// Deleting oneself and changing permissions needs the role root as well.
	for name, call := range map[string]func(context.Context) error{
		"delete a user":       try(s.auth.UserDelete, &pb.AuthUserDeleteRequest{Name: "writer"}),
		"change a password":   try(s.auth.UserChangePassword, &pb.AuthUserChangePasswordRequest{Name: "writer"}),
		"grant a role":        try(s.auth.UserGrantRole, &pb.AuthUserGrantRoleRequest{User: "writer", Role: "root"}),
		"revoke a role":       try(s.auth.UserRevokeRole, &pb.AuthUserRevokeRoleRequest{Name: "writer", Role: "w"}),
		"grant a permission":  try(s.auth.RoleGrantPermission, &pb.AuthRoleGrantPermissionRequest{Name: "w", Perm: &authpb.Permission{Key: key("x")}}),
		"revoke a permission": try(s.auth.RoleRevokePermission, &pb.AuthRoleRevokePermissionRequest{Role: "w", Key: key("o")}),
		"auth disable":        try(s.auth.AuthDisable, &pb.AuthDisableRequest{}),
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, call(callers["writer"]), codes.PermissionDenied, "etcdserver: permission denied")
			wantStatus(t, call(callers[""]), codes.InvalidArgument, "etcdserver: user name is empty")
		})
	}
}

// renewal renews a lease once.
func (s *authSite) renewal(id int64) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		stream, err := s.lease.LeaseKeepAlive(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
}

// watching creates a watch; if it is canceled at once the error has the reason.
func (s *authSite) watching(key, end string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := createWatch(ctx, s.watch, &pb.WatchCreateRequest{Key: []byte(key), RangeEnd: []byte(end)})
		if err == nil && resp.Canceled {
			_, reason, _ := strings.Cut(resp.CancelReason, " desc = ")
			return status.Error(codes.PermissionDenied, reason)
		}
		return err
	}
}

func createWatch(ctx context.Context, client pb.WatchClient, r *pb.WatchCreateRequest) (*pb.WatchResponse, error) {
	stream, err := client.Watch(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
		return nil, err
	}
	return stream.Recv()
}

// TestAuthWatchRefused checks the answer to a watch that is refused: created and
// canceled, with etcd's reason, while other watches of the stream go on.
func TestAuthWatchRefused(t *testing.T) {
	s := newAuthSite(t)
	s.enable(t)
	for _, tt := range []struct {
		ctx  context.Context
		want string
	}{
		{s.as(t, ""), "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"},
		{withToken(testContext(t), "no.such"), "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"},
		{s.as(t, "writer"), "rpc error: code = PermissionDenied desc = etcdserver: permission denied"},
	} {
		resp, err := createWatch(tt.ctx, s.watch, &pb.WatchCreateRequest{Key: []byte("r/1"), WatchId: 7})
		if err != nil || !resp.Created || !resp.Canceled || resp.WatchId != -1 || resp.CancelReason != tt.want {
			t.Errorf("watch = %v, %v, want created and canceled, ID -1, %q", resp, err, tt.want)
		}
	}
	// A start in the negative is refused first, as in etcd.
	resp, err := createWatch(s.as(t, ""), s.watch, &pb.WatchCreateRequest{Key: []byte("r/1"), StartRevision: -1})
	if err != nil || resp.CancelReason != "etcdserver: mvcc: required revision has been compacted" {
		t.Errorf("watch = %v, %v, want it to be compacted", resp, err)
	}
}

// TestAuthOrder checks that a write is refused if what allowed it is taken away
// before its turn, and that an answer to the change means that no such write
// follows.
func TestAuthOrder(t *testing.T) {
	s := newAuthSite(t)
	s.enable(t)
	root, writer := s.as(t, "root"), s.as(t, "writer")
	hold := make(chan struct{})
	s.hold.Store(&hold)
	put := make(chan error, 1)
	go func() {
		_, err := s.kv.Put(writer, &pb.PutRequest{Key: []byte("w/1")})
		put <- err
	}()
	for s.held.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	revoked := make(chan error, 1)
	go func() {
		_, err := s.auth.UserRevokeRole(root, &pb.AuthUserRevokeRoleRequest{Name: "writer", Role: "w"})
		revoked <- err
	}()
	for s.server.auth.Revision() == 16 {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-revoked:
		t.Fatalf("UserRevokeRole = %v while a write it may not pass is under way", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(hold)
	wantStatus(t, <-put, codes.InvalidArgument, "etcdserver: revision of auth store is old")
	fatal(t, <-revoked)
}

// TestAuthCertificate checks that the common name of a client's certificate is
// its user with --client-cert-auth, unless there is a token, and not otherwise.
func TestAuthCertificate(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(t, "server", false)
	dialAs := func(s *Server, name string) *grpc.ClientConn {
		ca.issue(t, name, false)
		return dial(t, s, grpc.WithTransportCredentials(credentials.NewTLS(ca.client(t, name))))
	}
	for _, certAuth := range []bool{true, false} {
		cfg := testConfig()
		cheapHashes(&cfg)
		cfg.ClientURLs = []string{"https://127.0.0.1:0"}
		cfg.TLS = TLS{CertFile: ca.file("server.crt"), KeyFile: ca.file("server.key"), ClientCAFile: ca.file("ca.crt"), ClientCertAuth: certAuth}
		server := serve(t, cfg, newMemory(t, mvcc.Config{}))
		root := dialAs(server, "root")
		auth, ctx := pb.NewAuthClient(root), testContext(t)
		for _, name := range []string{"root", "writer", "cert"} {
			_, err := auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: name, Password: name, Options: &authpb.UserAddOptions{NoPassword: name == "cert"}})
			fatal(t, err)
		}
		_, err := auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "w"})
		fatal(t, err)
		_, err = auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "w", Perm: &authpb.Permission{PermType: authpb.Permission_WRITE, Key: []byte("w")}})
		fatal(t, err)
		for user, role := range map[string]string{"root": "root", "cert": "w"} {
			_, err := auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: user, Role: role})
			fatal(t, err)
		}
		_, err = auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
		fatal(t, err)
		token, err := auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: "writer", Password: "writer"})
		fatal(t, err)
		put := func(name string, ctx context.Context) string {
			_, err := pb.NewKVClient(dialAs(server, name)).Put(ctx, &pb.PutRequest{Key: []byte("w")})
			return status.Convert(err).Message()
		}
		const empty, denied = "etcdserver: user name is empty", "etcdserver: permission denied"
		for _, tt := range []struct {
			name, cert string
			ctx        context.Context
			with       string // the answer with --client-cert-auth
			without    string
		}{
			{"a user of the certificate", "cert", ctx, "", empty},
			{"no user of that name", "stranger", ctx, denied, empty},
			{"a token goes before", "cert", withToken(ctx, token.Token), denied, denied},
			{"a bad token goes before", "cert", withToken(ctx, "no.such"), "etcdserver: invalid auth token", "etcdserver: invalid auth token"},
			{"a proxy's certificate", "cert", metadata.AppendToOutgoingContext(ctx, gatewayAcceptKey, "x"), empty, empty},
		} {
			want := tt.with
			if !certAuth {
				want = tt.without
			}
			if got := put(tt.cert, tt.ctx); got != want {
				t.Errorf("client-cert-auth %v, %s: %q, want %q", certAuth, tt.name, got, want)
			}
		}
	}
}

// TestAuthExpiry checks that a lease that runs out deletes its keys, whoever may
// write them.
func TestAuthExpiry(t *testing.T) {
	s := newAuthSite(t)
	s.enable(t)
	root := s.as(t, "root")
	_, err := s.lease.LeaseGrant(root, &pb.LeaseGrantRequest{ID: 9, TTL: 1})
	fatal(t, err)
	_, err = s.kv.Put(root, &pb.PutRequest{Key: []byte("x"), Lease: 9})
	fatal(t, err)
	for {
		resp, err := s.kv.Range(root, &pb.RangeRequest{Key: []byte("x")})
		fatal(t, err)
		if len(resp.Kvs) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

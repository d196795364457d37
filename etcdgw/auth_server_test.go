package etcdgw

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// authMemory is a storage of users and roles in memory.
type authMemory struct {
	mu   sync.Mutex
	b    []byte
	fail error
}

func (m *authMemory) LoadAuth() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b, nil
}

func (m *authMemory) SaveAuth(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.b = b
	return nil
}

// authSite is a site with the users root (role root), reader (reads "r/"),
// writer (reads and writes "w/", writes "o"), both with their names as
// passwords, and nothing, who may do nothing. The role all of nobody reads and
// writes every key.
type authSite struct {
	*site
	auth pb.AuthClient
}

func cheapHashes(cfg *Config) { cfg.BcryptCost = bcrypt.MinCost }

func newAuthSite(t *testing.T, change ...func(*Config)) *authSite {
	t.Helper()
	s := newSite(t, append(change, cheapHashes)...)
	a := &authSite{s, pb.NewAuthClient(s.conn)}
	ctx := testContext(t)
	for _, user := range []string{"root", "reader", "writer", "nothing"} {
		_, err := a.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: user, Password: user})
		fatal(t, err)
	}
	for role, permissions := range map[string][]*authpb.Permission{
		"root": nil,
		"r":    {{PermType: authpb.Permission_READ, Key: []byte("r/"), RangeEnd: []byte("r0")}},
		"w": {
			{PermType: authpb.Permission_READWRITE, Key: []byte("w/"), RangeEnd: []byte("w0")},
			{PermType: authpb.Permission_WRITE, Key: []byte("o")},
		},
		"all": {{PermType: authpb.Permission_READWRITE, Key: []byte{0}, RangeEnd: []byte{0}}},
	} {
		_, err := a.auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: role})
		fatal(t, err)
		for _, p := range permissions {
			_, err := a.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: p})
			fatal(t, err)
		}
	}
	for user, role := range map[string]string{"root": "root", "reader": "r", "writer": "w"} {
		_, err := a.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: user, Role: role})
		fatal(t, err)
	}
	return a
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enable enables authentication.
func (s *authSite) enable(t *testing.T) {
	t.Helper()
	_, err := s.auth.AuthEnable(testContext(t), &pb.AuthEnableRequest{})
	fatal(t, err)
}

// token authenticates the user, whose password is its name.
func (s *authSite) token(t *testing.T, user string) string {
	t.Helper()
	resp, err := s.auth.Authenticate(testContext(t), &pb.AuthenticateRequest{Name: user, Password: user})
	fatal(t, err)
	return resp.Token
}

// as returns a context whose requests are the user's; "" is nobody.
func (s *authSite) as(t *testing.T, user string) context.Context {
	t.Helper()
	if user == "" {
		return testContext(t)
	}
	return withToken(testContext(t), s.token(t, user))
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token)
}

// wantStatus checks the code and the text of an error.
func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	got := status.Convert(err)
	if got.Code() != code || got.Message() != text {
		t.Errorf("%v %q, want %v %q", got.Code(), got.Message(), code, text)
	}
}

// TestAuthErrors checks every refusal of the Auth service, first while
// authentication is disabled, then for root while it is enabled.
func TestAuthErrors(t *testing.T) {
	s := newAuthSite(t)
	a := s.auth
	_, err := a.UserAdd(testContext(t), &pb.AuthUserAddRequest{Name: "cert", Options: &authpb.UserAddOptions{NoPassword: true}})
	fatal(t, err)
	const precondition, invalid = codes.FailedPrecondition, codes.InvalidArgument
	type refusal struct {
		name string
		call func(ctx context.Context) error
		code codes.Code
		text string
	}
	anyway := []refusal{
		{"add a user without name", try(a.UserAdd, &pb.AuthUserAddRequest{}), invalid, "etcdserver: user name is empty"},
		{"add a user again", try(a.UserAdd, &pb.AuthUserAddRequest{Name: "reader"}), precondition, "etcdserver: user name already exists"},
		{"add a user with too long a password", try(a.UserAdd, &pb.AuthUserAddRequest{Name: "l", Password: strings.Repeat("x", 73)}), codes.Unknown, "bcrypt: password length exceeds 72 bytes"},
		{"get no user", try(a.UserGet, &pb.AuthUserGetRequest{Name: "x"}), precondition, "etcdserver: user name not found"},
		{"delete no user", try(a.UserDelete, &pb.AuthUserDeleteRequest{Name: "x"}), precondition, "etcdserver: user name not found"},
		{"password of no user", try(a.UserChangePassword, &pb.AuthUserChangePasswordRequest{Name: "x", Password: "y"}), precondition, "etcdserver: user name not found"},
		{"password that is no base64", try(a.UserChangePassword, &pb.AuthUserChangePasswordRequest{Name: "reader", HashedPassword: "?"}), codes.Unknown, "auth: authentication failed, password was given for no password user"},
		{"grant to no user", try(a.UserGrantRole, &pb.AuthUserGrantRoleRequest{User: "x", Role: "r"}), precondition, "etcdserver: user name not found"},
		{"grant of no role", try(a.UserGrantRole, &pb.AuthUserGrantRoleRequest{User: "reader", Role: "x"}), precondition, "etcdserver: role name not found"},
		{"revoke from no user", try(a.UserRevokeRole, &pb.AuthUserRevokeRoleRequest{Name: "x", Role: "r"}), precondition, "etcdserver: user name not found"},
		{"revoke of a role not granted", try(a.UserRevokeRole, &pb.AuthUserRevokeRoleRequest{Name: "reader", Role: "w"}), precondition, "etcdserver: role is not granted to the user"},
		{"add a role without name", try(a.RoleAdd, &pb.AuthRoleAddRequest{}), invalid, "etcdserver: role name is empty"},
		{"add a role again", try(a.RoleAdd, &pb.AuthRoleAddRequest{Name: "r"}), precondition, "etcdserver: role name already exists"},
		{"get no role", try(a.RoleGet, &pb.AuthRoleGetRequest{Role: "x"}), precondition, "etcdserver: role name not found"},
		{"delete no role", try(a.RoleDelete, &pb.AuthRoleDeleteRequest{Role: "x"}), precondition, "etcdserver: role name not found"},
		{"grant to no role", try(a.RoleGrantPermission, &pb.AuthRoleGrantPermissionRequest{Name: "x", Perm: &authpb.Permission{Key: []byte("k")}}), precondition, "etcdserver: role name not found"},
		{"grant of nothing", try(a.RoleGrantPermission, &pb.AuthRoleGrantPermissionRequest{Name: "r"}), invalid, "etcdserver: permission not given"},
		{"grant of no key", try(a.RoleGrantPermission, &pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: &authpb.Permission{RangeEnd: []byte{0}}}), invalid, "etcdserver: invalid auth management"},
		{"grant of an empty range", try(a.RoleGrantPermission, &pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: &authpb.Permission{Key: []byte("b"), RangeEnd: []byte("b")}}), invalid, "etcdserver: invalid auth management"},
		{"revoke from no role", try(a.RoleRevokePermission, &pb.AuthRoleRevokePermissionRequest{Role: "x", Key: []byte("k")}), precondition, "etcdserver: role name not found"},
		{"revoke of a permission not granted", try(a.RoleRevokePermission, &pb.AuthRoleRevokePermissionRequest{Role: "r", Key: []byte("r/")}), precondition, "etcdserver: permission is not granted to the role"},
	}
	check := func(t *testing.T, ctx context.Context, refusals []refusal) {
		for _, r := range refusals {
			t.Run(r.name, func(t *testing.T) { wantStatus(t, r.call(ctx), r.code, r.text) })
		}
	}
	before := s.server.auth.Revision()
	t.Run("disabled", func(t *testing.T) {
		check(t, testContext(t), append([]refusal{
			{"authenticate", try(a.Authenticate, &pb.AuthenticateRequest{Name: "root", Password: "root"}), precondition, "etcdserver: authentication is not enabled"},
		}, anyway...))
	})
	s.enable(t)
	t.Run("enabled", func(t *testing.T) {
		check(t, s.as(t, "root"), append([]refusal{
			{"wrong password", try(a.Authenticate, &pb.AuthenticateRequest{Name: "root", Password: "x"}), invalid, "etcdserver: authentication failed, invalid user ID or password"},
			{"unknown user", try(a.Authenticate, &pb.AuthenticateRequest{Name: "x", Password: "x"}), invalid, "etcdserver: authentication failed, invalid user ID or password"},
			{"user without password", try(a.Authenticate, &pb.AuthenticateRequest{Name: "cert"}), codes.Unknown, "auth: authentication failed, password was given for no password user"},
			{"delete root", try(a.UserDelete, &pb.AuthUserDeleteRequest{Name: "root"}), invalid, "etcdserver: invalid auth management"},
			{"delete root's role", try(a.RoleDelete, &pb.AuthRoleDeleteRequest{Role: "root"}), invalid, "etcdserver: invalid auth management"},
			{"revoke root from root", try(a.UserRevokeRole, &pb.AuthUserRevokeRoleRequest{Name: "root", Role: "root"}), invalid, "etcdserver: invalid auth management"},
		}, anyway...))
	})
	if got := s.server.auth.Revision(); got != before {
		t.Errorf("auth revision %d after refused requests, want %d", got, before)
	}
	if got := s.view.Revision(); got != 1 {
		t.Errorf("revision %d after changes of users and roles, want 1", got)
	}
}

// try calls a unary method with a copy of the request.
func try[Req, Resp any](method rpc[Req, Resp], req *Req) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := method(ctx, proto.Clone(any(req).(proto.Message)).(any).(*Req))
		return err
	}
}

func TestAuthEnableNeedsRoot(t *testing.T) {
	s := newSite(t, cheapHashes)
	a, ctx := pb.NewAuthClient(s.conn), testContext(t)
	enable := try(a.AuthEnable, &pb.AuthEnableRequest{})
	wantStatus(t, enable(ctx), codes.FailedPrecondition, "etcdserver: root user does not exist")
	_, err := a.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root"})
	fatal(t, err)
	wantStatus(t, enable(ctx), codes.FailedPrecondition, "etcdserver: root user does not have root role")
	_, err = a.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	fatal(t, err) // the role need not exist
	fatal(t, enable(ctx))
	// root has the empty password
	resp, err := a.Authenticate(ctx, &pb.AuthenticateRequest{Name: "root"})
	fatal(t, err)
	fatal(t, enable(withToken(ctx, resp.Token)))
}

// TestAuthAnswers checks what the Auth service shows, and that its revision
// counts changes: each but enabling, and not what changes nothing.
func TestAuthAnswers(t *testing.T) {
	s := newAuthSite(t)
	a, ctx := s.auth, testContext(t)
	header := &pb.ResponseHeader{ClusterId: 0xc1, MemberId: 0xa1, Revision: 1, RaftTerm: raftTerm}
	want := func(what string, want proto.Message, got proto.Message, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	const revision = 1 + 4 + 4 + 4 + 3 // users, roles, permissions, grants
	got, err := a.AuthStatus(ctx, &pb.AuthStatusRequest{})
	want("status", &pb.AuthStatusResponse{Header: header, AuthRevision: revision}, got, err)
	if _, metrics := s.do(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, fmt.Sprintf("\netcd_debugging_auth_revision %d\n", revision)) {
		t.Errorf("the metrics do not show auth revision %d", revision)
	}
	_, err = a.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "reader", Role: "r"}) // again
	fatal(t, err)
	_, err = a.AuthDisable(ctx, &pb.AuthDisableRequest{}) // it is
	fatal(t, err)
	s.enable(t)
	root := s.as(t, "root")
	got, err = a.AuthStatus(root, &pb.AuthStatusRequest{})
	want("status", &pb.AuthStatusResponse{Header: header, Enabled: true, AuthRevision: revision}, got, err)
	users, err := a.UserList(root, &pb.AuthUserListRequest{})
	want("users", &pb.AuthUserListResponse{Header: header, Users: []string{"nothing", "reader", "root", "writer"}}, users, err)
	roles, err := a.RoleList(root, &pb.AuthRoleListRequest{})
	want("roles", &pb.AuthRoleListResponse{Header: header, Roles: []string{"all", "r", "root", "w"}}, roles, err)
	user, err := a.UserGet(root, &pb.AuthUserGetRequest{Name: "writer"})
	want("user", &pb.AuthUserGetResponse{Header: header, Roles: []string{"w"}}, user, err)
	role, err := a.RoleGet(root, &pb.AuthRoleGetRequest{Role: "w"})
	want("role", &pb.AuthRoleGetResponse{Header: header, Perm: []*authpb.Permission{
		{PermType: authpb.Permission_WRITE, Key: []byte("o")},
		{PermType: authpb.Permission_READWRITE, Key: []byte("w/"), RangeEnd: []byte("w0")},
	}}, role, err)
	role, err = a.RoleGet(root, &pb.AuthRoleGetRequest{Role: "root"})
	want("role root", &pb.AuthRoleGetResponse{Header: header, Perm: []*authpb.Permission{
		{PermType: authpb.Permission_READWRITE, RangeEnd: []byte{0}},
	}}, role, err)
	_, err = a.RoleDelete(root, &pb.AuthRoleDeleteRequest{Role: "w"})
	fatal(t, err)
	user, err = a.UserGet(root, &pb.AuthUserGetRequest{Name: "writer"})
	want("user without its role", &pb.AuthUserGetResponse{Header: header}, user, err)
	_, err = a.AuthDisable(root, &pb.AuthDisableRequest{})
	fatal(t, err)
	got, err = a.AuthStatus(ctx, &pb.AuthStatusRequest{})
	want("status", &pb.AuthStatusResponse{Header: header, AuthRevision: revision + 2}, got, err)
}

// TestAuthRestart checks that users and roles are there after a restart, and
// that tokens are not.
func TestAuthRestart(t *testing.T) {
	storage := &authMemory{}
	s := newAuthSite(t, func(cfg *Config) { cfg.AuthStorage = storage })
	s.enable(t)
	old := s.token(t, "writer")
	cfg := testConfig()
	cfg.AuthStorage = storage
	again := serve(t, cfg, newMemory(t, mvcc.Config{}))
	conn := dial(t, again)
	kv, auth := pb.NewKVClient(conn), pb.NewAuthClient(conn)
	put := func(ctx context.Context) error {
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("w/1")})
		return err
	}
	ctx := testContext(t)
	wantStatus(t, put(withToken(ctx, old)), codes.Unauthenticated, "etcdserver: invalid auth token")
	wantStatus(t, put(ctx), codes.InvalidArgument, "etcdserver: user name is empty")
	resp, err := auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: "writer", Password: "writer"})
	fatal(t, err)
	fatal(t, put(withToken(ctx, resp.Token)))
	if got, want := again.auth.Revision(), s.server.auth.Revision(); got != want {
		t.Errorf("auth revision %d after the restart, want %d", got, want)
	}
}

// TestAuthNotSaved checks that a change that cannot be saved has no effect.
func TestAuthNotSaved(t *testing.T) {
	storage := &authMemory{}
	s := newAuthSite(t, func(cfg *Config) { cfg.AuthStorage = storage })
	storage.mu.Lock()
	storage.fail = errors.New("the disk is full")
	storage.mu.Unlock()
	_, err := s.auth.UserDelete(testContext(t), &pb.AuthUserDeleteRequest{Name: "reader"})
	wantStatus(t, err, codes.Unknown, "auth: save: the disk is full")
	if _, err := s.auth.UserGet(testContext(t), &pb.AuthUserGetRequest{Name: "reader"}); err != nil {
		t.Errorf("UserGet = %v, want the user to be there", err)
	}
}

// TestAuthTokens checks what ends a token.
func TestAuthTokens(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	s := newAuthSite(t, func(cfg *Config) {
		cfg.AuthTokenTTL = time.Minute
		cfg.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	pass := func(d time.Duration) {
		mu.Lock()
		now = now.Add(d)
		mu.Unlock()
	}
	s.enable(t)
	valid := func(token string) error {
		_, err := s.kv.Range(withToken(testContext(t), token), &pb.RangeRequest{Key: []byte("r/1")})
		return err
	}
	ended := func(token string) {
		t.Helper()
		wantStatus(t, valid(token), codes.Unauthenticated, "etcdserver: invalid auth token")
	}
	ended("no.such")
	ended("")
	token := s.token(t, "reader")
	for range 3 { // each use lets it last anew
		pass(50 * time.Second)
		fatal(t, valid(token))
	}
	fatal(t, valid("Bearer "+token))
	pass(61 * time.Second)
	ended(token)

	root := s.as(t, "root")
	token = s.token(t, "reader")
	_, err := s.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "reader", Password: "reader"})
	fatal(t, err)
	ended(token)
	token = s.token(t, "reader")
	_, err = s.auth.UserDelete(root, &pb.AuthUserDeleteRequest{Name: "reader"})
	fatal(t, err)
	ended(token)
	token = s.token(t, "writer")
	_, err = s.auth.AuthDisable(root, &pb.AuthDisableRequest{})
	fatal(t, err)
	fatal(t, valid(token)) // nobody looks at it
	s.enable(t)
	ended(token)
}

// TestAuthHashedPassword checks that a password may be changed by its hash.
func TestAuthHashedPassword(t *testing.T) {
	s := newAuthSite(t)
	b, err := bcrypt.GenerateFromPassword([]byte("other"), bcrypt.MinCost)
	fatal(t, err)
	_, err = s.auth.UserChangePassword(testContext(t), &pb.AuthUserChangePasswordRequest{Name: "reader", HashedPassword: base64.StdEncoding.EncodeToString(b)})
	fatal(t, err)
	s.enable(t)
	_, err = s.auth.Authenticate(testContext(t), &pb.AuthenticateRequest{Name: "reader", Password: "other"})
	fatal(t, err)
}

// TestAuthPasswordNotHashed checks that a password is hashed only for those who may
// set one: for others its length does not matter.
func TestAuthPasswordNotHashed(t *testing.T) {
	s := newAuthSite(t)
	s.enable(t)
	long := strings.Repeat("x", 73)
	add := try(s.auth.UserAdd, &pb.AuthUserAddRequest{Name: "u", Password: long})
	change := try(s.auth.UserChangePassword, &pb.AuthUserChangePasswordRequest{Name: "writer", Password: long})
	for _, call := range []func(context.Context) error{add, change} {
		wantStatus(t, call(s.as(t, "root")), codes.Unknown, "bcrypt: password length exceeds 72 bytes")
		wantStatus(t, call(s.as(t, "writer")), codes.PermissionDenied, "etcdserver: permission denied")
		wantStatus(t, call(s.as(t, "")), codes.InvalidArgument, "etcdserver: user name is empty")
	}
}

// TestAuthJSON checks that the token of a request over HTTP is taken from its
// header Authorization.
func TestAuthJSON(t *testing.T) {
	s := newAuthSite(t)
	s.enable(t)
	for _, tt := range []struct {
		token string
		want  int
	}{
		{s.token(t, "writer"), http.StatusOK},
		{"Bearer " + s.token(t, "writer"), http.StatusOK},
		{s.token(t, "reader"), http.StatusForbidden},
		{"no.such", http.StatusUnauthorized},
		{"", http.StatusBadRequest},
	} {
		var header []string
		if tt.token != "" {
			header = []string{"Authorization", tt.token}
		}
		resp, text := s.do(t, http.MethodPost, "/v3/kv/put", `{"key":"dy8x","value":"dg=="}`, header...) // w/1
		if resp.StatusCode != tt.want {
			t.Errorf("put with the token %q = %d %s, want %d", tt.token, resp.StatusCode, text, tt.want)
		}
	}
}

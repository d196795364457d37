package snapshot

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/integration/harness"
)

// contents returns the keys of a site with their values and leases, but
// without revisions.
func (s *site) contents(t *testing.T) []string {
	t.Helper()
	resp, err := s.kv.Range(t.Context(), all(0))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, kv := range resp.Kvs {
		out = append(out, describe(kv, false))
	}
	return out
}

// users returns the names of users and roles.
func (s *site) users(t *testing.T) (names []string) {
	t.Helper()
	users, err := s.auth.UserList(t.Context(), &pb.AuthUserListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := s.auth.RoleList(t.Context(), &pb.AuthRoleListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users.Users {
		names = append(names, "user "+u)
	}
	for _, r := range roles.Roles {
		names = append(names, "role "+r)
	}
	return names
}

// addUser makes a user who may read what begins with /registry/.
func (s *site) addUser(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	_, err := s.auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "viewer"})
	if err == nil {
		_, err = s.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "viewer", Perm: &authpb.Permission{
			PermType: authpb.READ, Key: []byte("/registry/"), RangeEnd: []byte("/registry0"),
		}})
	}
	if err == nil {
		_, err = s.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "ann", Password: "secret"})
	}
	if err == nil {
		_, err = s.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "ann", Role: "viewer"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestArrive: a node restored from an etcd's snapshot shows the same keys,
// values, leases and users, and answers what the etcd's clients remember of it
// as compacted. From the node it goes back to an etcd, with the same.
func TestArrive(t *testing.T) {
	etcd := startEtcd(t, filepath.Join(t.TempDir(), "etcd"))
	fill(t, etcd, seeded(t))
	etcd.addUser(t)
	old, err := etcd.kv.Range(t.Context(), all(0))
	if err != nil {
		t.Fatal(err)
	}
	same := func(s *site, where string) {
		t.Helper()
		for what, read := range map[string]func(*site) []string{
			"keys":   func(s *site) []string { return s.contents(t) },
			"leases": func(s *site) []string { return s.leases(t) },
			"users":  func(s *site) []string { return s.users(t) },
		} {
			if want, got := read(etcd), read(s); !cmp.Equal(want, got) {
				t.Errorf("%s %s differ (-etcd +%s):\n%s", what, where, where, cmp.Diff(want, got))
			}
		}
	}

	saved := filepath.Join(t.TempDir(), "snapshot.db")
	run(t, "etcdctl", "--endpoints", etcd.addr, "snapshot", "save", saved)
	checkStatus(t, saved)
	again := filepath.Join(t.TempDir(), "again.db")
	harness.Run(t, "", "snapshot", "save", again, "--endpoint", etcd.addr) // from an etcd, too
	checkStatus(t, again)

	dir := filepath.Join(t.TempDir(), "node")
	harness.Run(t, "", "snapshot", "restore", saved, "--data-dir", dir)
	node := startNode(t, dir)
	same(node, "at the node")
	if _, err := node.kv.Range(t.Context(), all(old.Header.Revision)); status.Code(err) != codes.OutOfRange {
		t.Errorf("Range at the old etcd's revision = %v, want OutOfRange: it is compacted", err)
	}

	back := filepath.Join(t.TempDir(), "back.db")
	harness.Run(t, "", "snapshot", "save", back, "--endpoint", node.addr)
	checkStatus(t, back)
	same(toEtcd(t, back), "back at an etcd")
}

// TestArriveFromDatabase restores the database of an etcd that was stopped.
func TestArriveFromDatabase(t *testing.T) {
	tool(t, "server") // skips here what the subtest would skip alone
	data := filepath.Join(t.TempDir(), "etcd")
	var want []string
	t.Run("etcd", func(t *testing.T) {
		etcd := startEtcd(t, data)
		fill(t, etcd, seeded(t))
		want = etcd.contents(t)
	})
	db, dir := filepath.Join(data, "member", "snap", "db"), filepath.Join(t.TempDir(), "node")
	if stderr, err := harness.TryRun(t, "", "snapshot", "restore", db, "--data-dir", dir); err == nil {
		t.Error("restored a file without a checksum")
	} else if stderr == "" {
		t.Error("refused a file without a checksum, without a word")
	}
	harness.Run(t, "", "snapshot", "restore", db, "--data-dir", dir, "--skip-hash-check")
	if got := startNode(t, dir).contents(t); !cmp.Equal(want, got) {
		t.Errorf("keys (-etcd +node):\n%s", cmp.Diff(want, got))
	}
}

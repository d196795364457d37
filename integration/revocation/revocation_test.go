// Package revocation tests, over real nodes and a patched one, that an operator
// writes what it was granted and no more, and what becomes of what it wrote once
// it is thrown out.
package revocation

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/liar"
)

func TestMain(m *testing.M) { harness.Main(m) }

// within bounds every wait.
const within = 20 * time.Second

const team = "/registry/pods/team-a/"

func put(n *harness.Node, key, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_, err := n.KV().Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	return err
}

func mustPut(t *testing.T, n *harness.Node, key, value string) {
	t.Helper()
	if err := put(n, key, value); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

// read returns a key's value, empty if it is absent.
func read(n *harness.Node, key string) (string, error) {
	resp, err := n.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte(key)})
	if err != nil || len(resp.Kvs) == 0 {
		return "", err
	}
	return string(resp.Kvs[0].Value), nil
}

// get is read for a node that must answer.
func get(t *testing.T, n *harness.Node, key string) string {
	t.Helper()
	value, err := read(n, key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return value
}

// becomes waits until key has value at n; an empty one means absent. A node
// that rotates its key restarts meanwhile.
func becomes(t *testing.T, n *harness.Node, key, value string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		got, err := read(n, key)
		if err == nil && got == value {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s = %q, %v at %s after %v, want %q", key, got, err, filepath.Base(n.Dir), within, value)
		}
	}
}

// refused waits until a put of key is refused, and returns why.
func refused(t *testing.T, n *harness.Node, key string) string {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if err := put(n, key, "refused"); err != nil {
			return err.Error()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still written at %s after %v", key, filepath.Base(n.Dir), within)
		}
	}
}

func parseID(t *testing.T, text string) dag.ID {
	t.Helper()
	id, err := dag.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// stolen returns the key of a node that does not run.
func stolen(t *testing.T, n *harness.Node) *identity.PrivateKey {
	t.Helper()
	key, err := identity.ReadKeyFile(filepath.Join(n.Dir, "node.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestNarrowGrant: whoever was admitted for some keys writes no others, neither
// at its own node nor with a patched one.
func TestNarrowGrant(t *testing.T) {
	a, b := harness.NewNode(t), harness.NewNode(t)
	a.Start()
	mustPut(t, a, "/registry/pods/other/x", "a's")
	b.Join(a, "--pattern", "/registry/*/team-a/**")
	b.Start()
	mustPut(t, b, team+"x", "b's")
	becomes(t, a, team+"x", "b's")

	for _, key := range []string{"/registry/pods/other/x", "/registry/pods/team-a", "/registry/pods/x/team-a/y", "/x"} {
		err := put(b, key, "stolen")
		if s, _ := status.FromError(err); s.Code() != codes.PermissionDenied || !strings.Contains(s.Message(), "outside") {
			t.Errorf("put %s at its own node = %v, want PermissionDenied and the reason", key, err)
		}
	}
	_, err := b.KV().DeleteRange(context.Background(), &pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("delete of everything = %v, want PermissionDenied", err)
	}

	sa := harness.WaitEqual(t, within, a, b)
	b.Stop()
	l := liar.New(t, stolen(t, b), parseID(t, sa.Mesh), a.Status().PeerAddrs...)
	for _, h := range sa.Heads {
		l.WaitFor(parseID(t, h), within)
	}
	bad := l.Put(l.Tip(), nil, "/registry/pods/other/x", "stolen")
	good := l.Put(l.Tip(), nil, team+"x", "patched")
	l.Say(bad) // and is shut out for it
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if connected(a) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("whoever sent an op outside its grant is still connected")
		}
	}
	if got := get(t, a, "/registry/pods/other/x"); got != "a's" {
		t.Errorf("a key outside the grant = %q, want a's", got)
	}
	if err := l.Admit(context.Background(), []*dag.Signed{bad})[0]; err == nil {
		t.Error("the op outside the grant is valid by the rules, want a refusal")
	}
	if err := l.Admit(context.Background(), []*dag.Signed{good})[0]; err != nil {
		t.Errorf("the op within the grant: %v", err)
	}
}

func connected(n *harness.Node) (peers int) {
	for _, p := range n.Status().Peers {
		if p.Connected {
			peers++
		}
	}
	return peers
}

// TestRevokedWhileCutOff: of an operator that is thrown out while cut off, what
// the revoker had seen stands; the rest has no effect anywhere, whenever and
// by whomever it arrives, backdated or not; and undoing the revocation brings it back.
func TestRevokedWhileCutOff(t *testing.T) {
	a, b, c := harness.NewNode(t), harness.NewNode(t), harness.NewNode(t)
	a.Start()
	b.Join(a, "--pattern", "/registry/*/team-a/**")
	c.Join(a)
	b.Start()
	c.Start()
	mustPut(t, b, team+"seen", "before")
	mustPut(t, a, team+"shared", "a's")
	becomes(t, c, team+"seen", "before")
	becomes(t, b, team+"shared", "a's")
	before := harness.WaitEqual(t, within, a, b, c)

	// b is cut off and goes on; a revokes it; c knows of neither.
	c.Stop()
	a.Stop()
	mustPut(t, b, team+"seen", "after")
	mustPut(t, b, team+"shared", "b's")
	mustPut(t, b, team+"late", "b's")
	b.Stop()
	a.Start()
	preview := harness.Run(t, "", "member", "revoke", filepath.Base(b.Dir), "--data-dir", a.Dir, "--dry-run")
	if strings.Contains(preview, "become void") {
		t.Errorf("the revocation of a node all of whose ops are kept shows:\n%s", preview)
	}
	harness.Run(t, "", "member", "revoke", filepath.Base(b.Dir), "--data-dir", a.Dir, "--yes")
	a.Stop()

	// c, which has not heard, takes what b wrote, as it must: it is valid.
	c.Start()
	b.Start("--peers", c.Status().PeerAddrs[0])
	becomes(t, c, team+"late", "b's")
	harness.WaitEqual(t, within, b, c)
	b.Stop()

	// A thief of b's key backdates: on top of what there was before the cut.
	l := liar.New(t, stolen(t, b), parseID(t, before.Mesh), c.Status().PeerAddrs...)
	for _, h := range c.Status().Heads {
		l.WaitFor(parseID(t, h), within)
	}
	var parents []*dag.Op
	for _, h := range before.Heads {
		op, _ := l.Graph().Get(parseID(t, h))
		parents = append(parents, op)
	}
	backdated := l.Put(l.Last(parents), parents, team+"backdated", "stolen")
	l.Take(backdated)
	l.Say(backdated)
	becomes(t, c, team+"backdated", "stolen")
	l.Close()

	// Once c meets a, all of it is void, at both, and what was before shows again.
	a.Start()
	for _, n := range []*harness.Node{a, c} {
		becomes(t, n, team+"late", "")
		becomes(t, n, team+"backdated", "")
		becomes(t, n, team+"seen", "before")
		becomes(t, n, team+"shared", "a's")
	}
	harness.WaitEqual(t, within, a, c)

	// b learns of it: it says so and stops writing, and shows the same.
	b.Start()
	refused(t, b, team+"probe") // for the thief's sake, or for the revocation's
	becomes(t, b, team+"late", "")
	if story := b.Status().Story; story.State != "revoked" || !strings.Contains(story.Reason, "revoked by the root") {
		t.Errorf("the status of a revoked node says %+v, want that it is, and by whom", story)
	}
	becomes(t, b, team+"seen", "before")

	// Undone, it is as if it had never been.
	out := harness.Run(t, "", "member", "readmit", filepath.Base(b.Dir), "--data-dir", a.Dir, "--yes")
	if !strings.Contains(out, "statement") {
		t.Errorf("readmit printed %q", out)
	}
	for _, n := range []*harness.Node{a, b, c} {
		becomes(t, n, team+"late", "b's")
		becomes(t, n, team+"seen", "after")
		becomes(t, n, team+"backdated", "stolen")
	}
	harness.WaitEqual(t, within, a, c)

	// The thief has b's key: b has found another holder of its place, and goes on with a new one.
	for deadline := time.Now().Add(within); put(b, team+"again", "b's") != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("b does not write again: %+v", b.Status().Story)
		}
	}
	if story := b.Status().Story; len(story.Past) != 1 {
		t.Errorf("b's status tells of %d past keys, want 1: %+v", len(story.Past), story)
	}
	becomes(t, a, team+"again", "b's")
}

package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testKey(b byte) identity.PublicKey { return identity.NewKeyFromSeed([32]byte{b}).Public() }

// fakeNode answers with fixed values, or with err.
type fakeNode struct {
	status admin.Status
	op     admin.OpDetail
	roster admin.Roster
	err    error

	site  admin.InviteSite
	limit int
	block chan struct{} // if not nil, Status waits for it
}

func (f *fakeNode) Status(ctx context.Context) (admin.Status, error) {
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
		}
	}
	return f.status, f.err
}
func (f *fakeNode) InviteSite(_ context.Context, issuer identity.PublicKey) (admin.InviteSite, error) {
	if issuer != testKey(1) {
		return admin.InviteSite{}, admin.ErrDenied
	}
	return f.site, f.err
}
func (f *fakeNode) Heads(context.Context) ([]admin.Op, error) { return []admin.Op{f.op.Op}, f.err }
func (f *fakeNode) Log(_ context.Context, limit int) ([]admin.Op, error) {
	f.limit = limit
	return []admin.Op{f.op.Op, f.op.Op}, f.err
}
func (f *fakeNode) Op(_ context.Context, id dag.ID) (admin.OpDetail, error) {
	if id != f.op.ID {
		return admin.OpDetail{}, fmt.Errorf("op %s: %w", id, admin.ErrNotFound)
	}
	return f.op, f.err
}

func (f *fakeNode) Roster(context.Context) (admin.Roster, error) { return f.roster, f.err }
func (f *fakeNode) Issuer(_ context.Context, key identity.PublicKey) (admin.Issuer, error) {
	return admin.Issuer{Mesh: dag.ID{7}, Key: key, Seq: 1}, f.err
}
func (f *fakeNode) Explain(_ context.Context, key []byte) (admin.Explanation, error) {
	return admin.Explanation{Key: key, Mode: identity.ModeLocal}, f.err
}
func (f *fakeNode) Blocks(context.Context, dag.ID) (admin.Blocks, error) {
	return admin.Blocks{Block: []byte("block"), Body: []byte("body")}, f.err
}
func (f *fakeNode) Keep(_ context.Context, subject identity.StatementID, key *identity.PublicKey, before time.Time) ([]dag.ID, error) {
	if f.err == nil && (subject == (identity.StatementID{}) || key == nil || before.IsZero()) {
		return nil, admin.ErrNotFound
	}
	return []dag.ID{{1}}, f.err
}
func (f *fakeNode) Carry(_ context.Context, statements []*identity.Statement) (dag.ID, error) {
	return dag.ID(statements[0].ID()), f.err
}
func (f *fakeNode) Preview(_ context.Context, statements []*identity.Statement) (admin.Preview, error) {
	return admin.Preview{Effect: true, Statements: []admin.StatementEffect{{ID: statements[0].ID(), Kind: statements[0].Kind().String()}}}, f.err
}
func (f *fakeNode) Value(_ context.Context, key []byte) (admin.KeyValue, error) {
	return admin.KeyValue{Key: key, Value: []byte("v\x00"), ModRevision: 7}, f.err
}
func (f *fakeNode) History(_ context.Context, key []byte, limit int) (admin.KeyHistory, error) {
	return admin.KeyHistory{Key: key, Writes: make([]admin.KeyWrite, limit), All: true}, f.err
}
func (f *fakeNode) Blame(_ context.Context, key []byte, limit int) (admin.KeyBlame, error) {
	return admin.KeyBlame{Key: key, Places: make([]admin.KeyPlace, limit)}, f.err
}
func (f *fakeNode) Conflicts(_ context.Context, from []byte, limit int) (admin.ConflictPage, error) {
	return admin.ConflictPage{Keys: []admin.KeyConflicts{{Key: append([]byte("from "), from...)}}, Next: []byte{byte(limit)}}, f.err
}
func (f *fakeNode) Rotate(context.Context) (identity.PublicKey, error) { return testKey(9), f.err }

func newFakeNode() *fakeNode {
	op := admin.Op{ID: dag.ID{1}, Author: testKey(1), Seq: 2, Depth: 3, Wall: time.UnixMilli(4).UTC(), Parents: []dag.ID{{5}}, Prev: &dag.ID{6}, BodyBytes: 10}
	return &fakeNode{
		status: admin.Status{
			Mesh: dag.ID{7}, Node: testKey(1), Name: "default", Operator: "founder", Ready: true,
			Heads: []dag.ID{{1}, {2}}, Ops: 9, Revision: 1 << 40, StateHash: admin.StateHash{0xab},
			ClientURLs: []string{"http://127.0.0.1:2379"}, PeerAddresses: []string{}, Started: time.Unix(1, 0).UTC(),
			Peers: []admin.Peer{{ID: testKey(2), Connected: true, LagOps: 3}, {ID: testKey(3)}},
		},
		site: admin.InviteSite{Mesh: dag.ID{7}, Node: testKey(1), Addresses: []string{"/ip4/127.0.0.1/tcp/1"}, Seq: 3, Prev: &identity.StatementID{8}},
		op: admin.OpDetail{
			Op: op, BlockBytes: 200,
			Transactions: [][]admin.Write{{{Kind: "put", Key: []byte("k\x00\xff"), Value: []byte("v")}}},
			Statements:   []admin.StatementDetail{{ID: identity.StatementID{9}, Kind: "enrol", Issuer: testKey(1)}},
		},
	}
}

// serve starts a server in dir and returns its client.
func serve(t *testing.T, dir string, n admin.Node) *admin.Client {
	t.Helper()
	s, err := admin.Serve(t.Context(), dir, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return admin.NewClient(dir)
}

func TestAnswers(t *testing.T) {
	n := newFakeNode()
	c := serve(t, t.TempDir(), n)
	ctx := t.Context()

	st, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(n.status, st); d != "" {
		t.Errorf("Status() differs (-want +got):\n%s", d)
	}
	peers, err := c.Peers(ctx)
	if d := cmp.Diff(n.status.Peers, peers); err != nil || d != "" {
		t.Errorf("Peers() = %v, differs (-want +got):\n%s", err, d)
	}
	heads, err := c.Heads(ctx)
	if d := cmp.Diff([]admin.Op{n.op.Op}, heads); err != nil || d != "" {
		t.Errorf("Heads() = %v, differs (-want +got):\n%s", err, d)
	}
	log, err := c.Log(ctx, 7)
	if err != nil || len(log) != 2 || n.limit != 7 {
		t.Errorf("Log(7) = %d ops, %v, asked for %d", len(log), err, n.limit)
	}
	if _, err := c.Log(ctx, 0); err != nil || n.limit != admin.DefaultLogOps {
		t.Errorf("Log(0): %v, asked for %d, want %d", err, n.limit, admin.DefaultLogOps)
	}
	op, err := c.Op(ctx, n.op.ID)
	if d := cmp.Diff(n.op, op); err != nil || d != "" {
		t.Errorf("Op() = %v, differs (-want +got):\n%s", err, d)
	}
}

func TestInviteSite(t *testing.T) {
	n := newFakeNode()
	c := serve(t, t.TempDir(), n)
	site, err := c.InviteSite(t.Context(), testKey(1))
	if d := cmp.Diff(n.site, site); err != nil || d != "" {
		t.Errorf("InviteSite() = %v, differs (-want +got):\n%s", err, d)
	}
	if _, err := c.InviteSite(t.Context(), testKey(2)); !errors.Is(err, admin.ErrDenied) {
		t.Errorf("InviteSite(stranger) = %v, want %v", err, admin.ErrDenied)
	}
}

func TestInviteRequestComplete(t *testing.T) {
	got, err := admin.InviteRequest{}.Complete()
	want := admin.InviteRequest{Role: identity.RoleWriter, Patterns: []string{"**"}, Nodes: 1, Lifetime: admin.DefaultInviteLifetime}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("Complete() = %v, differs (-want +got):\n%s", err, d)
	}
	for name, r := range map[string]admin.InviteRequest{
		"role":     {Role: 77},
		"patterns": {Patterns: make([]string, identity.MaxPatterns+1)},
		"pattern":  {Patterns: []string{"a*b"}},
		"nodes":    {Nodes: admin.MaxInviteNodes + 1},
		"lifetime": {Lifetime: admin.MaxInviteLifetime + 1},
		"negative": {Lifetime: -1},
	} {
		if _, err := r.Complete(); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("Complete() of bad %s = %v, want %v", name, err, admin.ErrInvalid)
		}
	}
}

func TestErrorsTravel(t *testing.T) {
	n := newFakeNode()
	c := serve(t, t.TempDir(), n)
	if _, err := c.Op(t.Context(), dag.ID{0xee}); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("Op(unknown) = %v, want %v", err, admin.ErrNotFound)
	}
	if _, err := c.Log(t.Context(), admin.MaxLogOps+1); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("Log(too many) = %v, want %v", err, admin.ErrInvalid)
	}
	for _, want := range []error{admin.ErrDenied, admin.ErrNotReady, context.DeadlineExceeded} {
		n.err = fmt.Errorf("because: %w", want)
		_, err := c.Status(t.Context())
		if !errors.Is(err, want) || err.Error() != n.err.Error() {
			t.Errorf("Status() = %v, want %v", err, n.err)
		}
	}
	n.err = errors.New("something else")
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "something else" {
		t.Errorf("Status() = %v, want its text", err)
	}
}

// request sends bytes to the socket in dir as they are and returns the status.
func request(t *testing.T, dir, method, path, body string) int {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, admin.SocketName))
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestBadRequests(t *testing.T) {
	dir := shortDir(t)
	serve(t, dir, newFakeNode())
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/v0/status", "", 200},
		{"GET", "/", "", 404},
		{"GET", "/v1/status", "", 404},
		{"DELETE", "/v0/status", "", 404},
		{"GET", "/v0/dag/ops/nonsense", "", 400},
		{"GET", "/v0/dag/log?limit=-1", "", 400},
		{"GET", "/v0/dag/log?limit=x", "", 400},
		{"GET", "/v0/invite-site", "", 400},
		{"GET", "/v0/invite-site?issuer=x", "", 400},
		{"POST", "/v0/status", "{}", 404},
		{"GET", "/v0/status", "not JSON", 200}, // a body is not read
		{"GET", "/v0/status?" + strings.Repeat("a", 2*admin.MaxRequestBytes), "", 431},
	} {
		if got := request(t, dir, tc.method, tc.path, tc.body); got != tc.want {
			t.Errorf("%s %s %.40q = %d, want %d", tc.method, tc.path, tc.body, got, tc.want)
		}
	}
}

func TestBusy(t *testing.T) {
	n := newFakeNode()
	n.block = make(chan struct{})
	c := serve(t, t.TempDir(), n)
	results := make(chan error)
	const extra = 5
	for range admin.MaxRequests + extra {
		go func() {
			_, err := c.Status(context.Background())
			results <- err
		}()
	}
	for range extra { // the others wait, so the refused come first
		if err := <-results; !errors.Is(err, admin.ErrBusy) {
			t.Errorf("Status() = %v, want %v", err, admin.ErrBusy)
		}
	}
	close(n.block)
	for range admin.MaxRequests {
		if err := <-results; err != nil {
			t.Errorf("Status() = %v", err)
		}
	}
}

func TestStateHashText(t *testing.T) {
	h := admin.StateHash{1, 0xab}
	b, err := h.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var got admin.StateHash
	if err := got.UnmarshalText(b); err != nil || got != h {
		t.Errorf("UnmarshalText(%s) = %v, %v, want %v", b, got, err, h)
	}
	for _, bad := range []string{"", "state:", string(b[6:]), string(b) + "0", strings.ToUpper(string(b)), "state:" + strings.Repeat("zz", 32),
		"state:" + strings.Repeat("AB", 32)} {
		if err := got.UnmarshalText([]byte(bad)); err == nil || got != h {
			t.Errorf("UnmarshalText(%q) = %v, value %v", bad, err, got)
		}
	}
}

// shortDir returns a temporary directory in which a socket's path fits.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

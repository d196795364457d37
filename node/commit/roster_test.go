package commit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// state signs a statement of the founding operator, as the root or as itself,
// by the roster of p.
func state(t *testing.T, p *Pipeline, root bool, content identity.Content, supersedes ...identity.StatementID) *identity.Statement {
	t.Helper()
	roster := p.Graph().Roster()
	operator := key("operator")
	draft := identity.Statement{Issuer: operator.Public(), Supersedes: supersedes, Content: content}
	draft.Seq, draft.Prev = roster.Next(draft.Issuer)
	mesh := [32]byte(p.cfg.Mesh)
	draft.Mesh = &mesh
	if id := founding(p); !root {
		draft.As = &id
	}
	s, err := identity.SignStatement(draft, operator)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// founding returns the founding operator.
func founding(p *Pipeline) identity.StatementID {
	for _, o := range p.Graph().Roster().Operators() {
		if o.Name == "founder" {
			return o.ID
		}
	}
	panic("no founding operator")
}

// carryOut has p carry statements.
func carryOut(t *testing.T, p *Pipeline, statements ...*identity.Statement) {
	t.Helper()
	var encoded [][]byte
	for _, s := range statements {
		encoded = append(encoded, s.Encoded())
	}
	if _, err := p.Carry(t.Context(), encoded); err != nil {
		t.Fatal(err)
	}
}

// sealed waits until p has sealed everything it has answered.
func sealed(t *testing.T, p *Pipeline) {
	t.Helper()
	p.Admit(t.Context(), nil)
}

func tryPut(t *testing.T, p *Pipeline, key, value string) error {
	t.Helper()
	_, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	return err
}

// replaysEqual closes p and replays its log, which must give the same state.
func replaysEqual(t *testing.T, p *Pipeline) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenOffline(p.store, p.cfg.Mesh)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := again.View().StateHash(), p.View().StateHash(); a != b {
		t.Errorf("the log replays to state %x, it was %x", a, b)
	}
	if a, b := again.View().Revision(), p.View().Revision(); a != b {
		t.Errorf("the log replays to revision %d, it was %d", a, b)
	}
}

// TestRevokedAndReadmitted revokes a node that is out of reach. What it wrote
// since is void everywhere, it may not write and makes no op; a
// readmission brings back what was void.
func TestRevokedAndReadmitted(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	put(t, q, "kept", "q")
	put(t, q, "both", "q kept")
	sealed(t, q)
	deliver(t, q, p)
	author, _ := p.Graph().Roster().Author(q.Key())
	keep := q.Graph().Tips(q.Key())[0].ID()

	put(t, q, "both", "q later")
	put(t, q, "later", "q")
	sealed(t, q)
	revoke := state(t, p, true, identity.Revoke{Subject: author.ID, Keep: [][32]byte{keep}})
	carryOut(t, p, revoke)
	deliver(t, p, q)
	for i, x := range []*Pipeline{p, q} {
		if i == 0 {
			deliver(t, q, p)
		}
		if a, b, c := get(t, x, "kept"), get(t, x, "both"), get(t, x, "later"); a != "q" || b != "q kept" || c != "" {
			t.Errorf("%d: kept, both and later are %q, %q, %q after the revocation, want q, q kept and nothing", i, a, b, c)
		}
	}
	err := tryPut(t, q, "k", "v")
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a put at the revoked node = %v, want PermissionDenied with the reason", err)
	}
	if _, err := q.Carry(t.Context(), [][]byte{revoke.Encoded()}); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("Carry at the revoked node = %v, want ErrRevoked", err)
	}
	if _, err := q.Rotate(t.Context()); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("Rotate at the revoked node = %v, want ErrRevoked", err)
	}
	if s := q.Story(); s.State != StateRevoked || s.Reason == "" {
		t.Errorf("the revoked node's story is %+v", s)
	}

	carryOut(t, p, state(t, p, true, identity.Readmit{}, revoke.ID()))
	deliver(t, p, q)
	put(t, q, "again", "q")
	sealed(t, q)
	deliver(t, q, p)
	for i, x := range []*Pipeline{p, q} {
		if a, b, c := get(t, x, "both"), get(t, x, "later"), get(t, x, "again"); a != "q later" || b != "q" || c != "q" {
			t.Errorf("%d: both, later and again are %q, %q, %q after the readmission, want q later, q, q", i, a, b, c)
		}
	}
	replaysEqual(t, p)
	replaysEqual(t, q)
}

// TestStatementsInOneBatch delivers a revocation with what it voids and what
// brings that back in one batch: none of it is in the log when it is asked for.
func TestStatementsInOneBatch(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	r := open(t, memstore.New(), p.cfg.Mesh, "watching")
	put(t, q, "k", "q")
	sealed(t, q)
	author, _ := p.Graph().Roster().Author(q.Key())
	deliver(t, q, p)
	revoke := state(t, p, true, identity.Revoke{Subject: author.ID})
	carryOut(t, p, revoke)
	put(t, p, "other", "p")
	sealed(t, p)
	carryOut(t, p, state(t, p, true, identity.Readmit{}, revoke.ID()))
	deliver(t, p, r) // one batch
	if got := get(t, r, "k"); got != "q" {
		t.Errorf("k = %q, want q", got)
	}
	replaysEqual(t, r)
}

// TestQuotaOfTheRoster: clients are refused before the chain's quota is reached,
// own statements are not, and a renewal lets them go on.
func TestQuotaOfTheRoster(t *testing.T) {
	p := founder(t)
	author, _ := p.Graph().Roster().Author(p.Key())
	const most = 64 << 10
	quota := state(t, p, true, identity.Quota{Subject: author.ID, Bytes: most})
	carryOut(t, p, quota)
	value := strings.Repeat("v", 1000)
	n, err := 0, error(nil)
	for ; n < 200 && err == nil; n++ {
		if err = tryPut(t, p, fmt.Sprint("k", n), value); n%10 == 0 {
			sealed(t, p)
		}
	}
	if !errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) {
		t.Fatalf("the put beyond the quota = %v, want ErrNoSpace", err)
	}
	if err := tryPut(t, p, "small", "v"); err == nil {
		n++ // a little room may be left for less
	}
	sealed(t, p)
	s := p.Story()
	if s.Bytes > most || s.Bytes < most/2 || s.MaxBytes != most || Percent(s.Bytes, most) < 50 {
		t.Errorf("%d of %d bytes are used after %d puts of 1000", s.Bytes, s.MaxBytes, n)
	}
	if alarms := p.View().Alarms(); len(alarms) > 0 {
		t.Errorf("alarms %v stand", alarms)
	}
	carryOut(t, p, state(t, p, true, identity.Quota{Subject: author.ID, Bytes: 4 * most}, quota.ID()))
	put(t, p, "renewed", value)
	replaysEqual(t, p)
}

// TestUnknownVersion: a node that does not know the version of the mesh writes
// nothing, and lives.
func TestUnknownVersion(t *testing.T) {
	p := founder(t)
	put(t, p, "k", "v")
	carryOut(t, p, state(t, p, true, identity.Version{Version: dag.Version + 1}))
	if err := tryPut(t, p, "k", "w"); err != ErrVersion {
		t.Errorf("a put = %v, want ErrVersion", err)
	}
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != ErrVersion {
		t.Errorf("Carry = %v, want ErrVersion", err)
	}
	if s := p.Story(); s.State != StateVersion || get(t, p, "k") != "v" {
		t.Errorf("the story is %+v, k = %q", s, get(t, p, "k"))
	}
	replaysEqual(t, p)
}

// TestConsider: what others show is carried if it would change the roster.
func TestConsider(t *testing.T) {
	p := founder(t)
	q := joined(t, p, "second", 1)
	put(t, p, "k", "v")
	sealed(t, p)
	consider := func(s ...*identity.Statement) int {
		t.Helper()
		before := q.Graph().Len()
		ids, err := q.Consider(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if ops := q.Graph().Len() - before; (len(ids) > 0) != (ops > 0) {
			t.Errorf("%d statements in %d ops", len(ids), ops)
		}
		return len(ids)
	}
	author, _ := p.Graph().Roster().Author(q.Key())
	quota := state(t, p, true, identity.Quota{Subject: author.ID, Bytes: 1 << 30})
	if got := consider(quota); got != 1 {
		t.Errorf("a quota of the root: %d carried, want 1", got)
	}
	if got := consider(quota); got != 0 {
		t.Errorf("the same again: %d carried, want 0", got)
	}
	stranger := key("stranger")
	mesh := [32]byte(p.cfg.Mesh)
	bad, err := identity.SignStatement(identity.Statement{Mesh: &mesh, Issuer: stranger.Public(), Seq: 1, Content: identity.Quota{Subject: author.ID, Bytes: 1}}, stranger)
	if err != nil {
		t.Fatal(err)
	}
	if got := consider(bad); got != 0 {
		t.Errorf("a stranger's quota: %d carried, want 0", got)
	}
	ahead := p.Graph().Tips(p.Key())[0].ID() // not delivered at q
	policy := state(t, p, true, identity.Policy{Rules: []identity.PolicyRule{{Pattern: "/x/**", Priority: 1, Mode: identity.ModeLocal}}, Keep: [][32]byte{ahead}})
	if got := consider(policy); got != 0 {
		t.Errorf("a policy whose keep head is missing: %d carried, want 0", got)
	}
	deliver(t, p, q)
	if got := consider(policy); got != 1 {
		t.Errorf("the policy once its keep head is delivered: %d carried, want 1", got)
	}
	if got := (&considerations{}).take(100, time.Unix(1, 0)); got != considerBurst {
		t.Errorf("%d statements at once, want %d", got, considerBurst)
	}
}

// TestLocalKeys: by policy a key is the node's own; it is in no op.
func TestLocalKeys(t *testing.T) {
	p := founder(t)
	policy := state(t, p, true, identity.Policy{Rules: []identity.PolicyRule{{Pattern: "/local/**", Priority: 1, Mode: identity.ModeLocal}}})
	carryOut(t, p, policy)
	ops := p.Graph().Len()
	put(t, p, "/local/k", "v")
	sealed(t, p)
	if got := p.Graph().Len(); got != ops || get(t, p, "/local/k") != "v" {
		t.Errorf("%d ops more, /local/k = %q; want none, and v", got-ops, get(t, p, "/local/k"))
	}
	put(t, p, "shared", "v")
	replaysEqual(t, p)
}

// TestStatementsOverQuota: statements that the quota has no room for are
// refused, and the node lives.
func TestStatementsOverQuota(t *testing.T) {
	p := founder(t)
	author, _ := p.Graph().Roster().Author(p.Key())
	carryOut(t, p, state(t, p, true, identity.Quota{Subject: author.ID, Bytes: 1}))
	var refusal *dag.Refusal
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); !errors.As(err, &refusal) || refusal.Reason != dag.ReasonQuota {
		t.Errorf("Carry beyond the quota = %v, want a refusal", err)
	}
	if err := tryPut(t, p, "k", "v"); !errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) || p.Err() != nil {
		t.Errorf("a put = %v, the pipeline %v; want ErrNoSpace, and nil", err, p.Err())
	}
	replaysEqual(t, p)
}

// TestFoldOverQuota: a node whose chain is beyond a quota that came later makes no
// op by itself, and goes on.
func TestFoldOverQuota(t *testing.T) {
	p := founder(t)
	put(t, p, "k", "v")
	sealed(t, p)
	var statements [][]byte
	for i := range uint64(foldHeads + 1) {
		statements = append(statements, enrol(t, p, fmt.Sprint("node ", i), i+1))
		if _, err := p.Carry(t.Context(), statements[i:]); err != nil {
			t.Fatal(err)
		}
	}
	author, _ := p.Graph().Roster().Author(p.Key())
	carryOut(t, p, state(t, p, true, identity.Quota{Subject: author.ID, Bytes: 1}))
	var nodes []*Pipeline
	for i := range statements {
		q := open(t, memstore.New(), p.cfg.Mesh, fmt.Sprint("node ", i))
		deliver(t, p, q)
		nodes = append(nodes, q)
	}
	for _, q := range nodes { // each opens a window with an op of its own
		<-q.ReadyCh()
		deliver(t, q, p)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Graph().Heads()); n <= foldHeads {
		t.Fatalf("%d heads", n)
	}
	p.foldAt = time.Now().Add(-time.Second)
	p.foldWhenIdle()
	if err := p.Err(); err != nil {
		t.Errorf("the node stopped: %v", err)
	}
	p.claimWindow()
	if err := p.Err(); err != nil {
		t.Errorf("the node stopped: %v", err)
	}
}

package node

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// sign signs a statement of the founding operator, as the root, with what the
// admin socket says that it must name.
func sign(t *testing.T, c *admin.Client, dir string, content identity.Content, supersedes ...identity.StatementID) *identity.Statement {
	t.Helper()
	operator, err := identity.ReadKeyFile(filepath.Join(dir, OperatorKeyFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := c.Issuer(t.Context(), operator.Public())
	if err != nil {
		t.Fatal(err)
	}
	if !issuer.Founder || len(issuer.Operators) != 1 || len(issuer.Heads) == 0 {
		t.Errorf("the founder as issuer: %+v", issuer)
	}
	mesh := [32]byte(issuer.Mesh)
	s, err := identity.SignStatement(identity.Statement{Mesh: &mesh, Issuer: issuer.Key, Seq: issuer.Seq, Prev: issuer.Prev,
		Supersedes: supersedes, Content: content}, operator)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStatementsByTheSocket previews statements, carries them, and finds in the
// roster and in the keyspace what the preview said.
func TestStatementsByTheSocket(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	n, err := Open(ctx, config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	conn := client(t, n)
	kv := pb.NewKVClient(conn)
	put := func(key string) error {
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte("v")})
		return err
	}
	for _, key := range []string{"/a/1", "/a/2", "/b/1"} {
		if err := put(key); err != nil {
			t.Fatal(err)
		}
	}
	n.pipeline.Admit(ctx, nil) // seals them
	c := admin.NewClient(dir)
	before, err := c.Roster(ctx)
	if err != nil || len(before.Operators) != 1 || len(before.Operators[0].Nodes) != 1 || len(before.Policies) != 1 || before.Threshold != 1 {
		t.Fatalf("the roster of a mesh of one: %+v, %v", before, err)
	}
	founder := before.Operators[0]

	// Narrowed to /a, and nothing kept: what is elsewhere is void.
	narrow := sign(t, c, dir, identity.Narrow{Operator: founder.ID, Role: identity.RoleWriter, Patterns: []identity.Pattern{"/a/**"}, Nodes: 64})
	p, err := c.Preview(ctx, narrow)
	if err != nil || !p.Effect || !p.Statements[0].Stands || p.Statements[0].Known || len(p.Operators) != 1 {
		t.Fatalf("the preview: %+v, %v", p, err)
	}
	if p.Void.Transactions != 1 || p.Void.Keys != 1 || !slices.EqualFunc(p.Void.Sample, [][]byte{[]byte("/b/1")}, bytes.Equal) || p.Counting.Ops != 0 {
		t.Errorf("the preview says that %+v would be void, want one transaction of /b/1", p.Void)
	}
	if st, err := c.Roster(ctx); err != nil || len(st.Restrictions) != 0 {
		t.Errorf("the preview changed the roster: %+v, %v", st.Restrictions, err)
	}
	if _, err := c.Carry(ctx, narrow); err != nil {
		t.Fatal(err)
	}
	count := func() int64 {
		r, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return r.Count
	}
	if got := count(); got != 2 {
		t.Errorf("%d keys after the narrowing, want 2", got)
	}
	if err := put("/b/2"); err == nil {
		t.Error("a put outside the narrowed grant succeeded")
	}
	if e, err := c.Explain(ctx, []byte("/b/2")); err != nil || e.MayWrite || e.Reason == "" {
		t.Errorf("explain of a key outside the grant: %+v, %v", e, err)
	}
	st, err := c.Roster(ctx)
	if err != nil || len(st.Restrictions) != 1 || !st.Restrictions[0].InForce || !slices.Contains(st.Operators[0].Restrictions, narrow.ID()) {
		t.Errorf("the roster after the narrowing: %+v, %v", st, err)
	}

	readmit := sign(t, c, dir, identity.Readmit{}, narrow.ID())
	if p, err := c.Preview(ctx, readmit); err != nil || p.Counting.Keys != 1 || p.Void.Ops != 0 || len(p.Fall) != 1 {
		t.Errorf("the preview of the readmission: %+v, %v", p, err)
	}
	if _, err := c.Carry(ctx, readmit); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 3 {
		t.Errorf("%d keys after the readmission, want 3", got)
	}

	policy := sign(t, c, dir, identity.Policy{Rules: []identity.PolicyRule{
		{Pattern: "/l/**", Priority: 1, Mode: identity.ModeLWW}, {Pattern: "/l/**", Priority: 2, Mode: identity.ModeLocal},
	}})
	if _, err := c.Carry(ctx, policy); err != nil {
		t.Fatal(err)
	}
	e, err := c.Explain(ctx, []byte("/l/k"))
	if err != nil || e.Mode != identity.ModeLocal || !e.MayWrite || e.Statement == nil || *e.Statement != policy.ID() || len(e.Others) != 2 || e.Others[0].Why != "priority" {
		t.Errorf("explain of a local key: %+v, %v", e, err)
	}
	if e, err := c.Explain(ctx, []byte("/x")); err != nil || e.Mode != identity.ModeMerge || e.Rule == nil || len(e.Others) != 0 {
		t.Errorf("explain of another key: %+v, %v", e, err)
	}
}

// TestCarryRefuses: what is malformed or signed badly never reaches the node.
func TestCarryRefuses(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	n, err := Open(ctx, config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c := admin.NewClient(dir)
	good := sign(t, c, dir, identity.Version{Version: 0})
	forged := bytes.Clone(good.Encoded())
	forged[len(forged)-1] ^= 1
	bad, err := identity.DecodeStatement(forged)
	if err != nil {
		t.Fatal(err)
	}
	for _, statements := range [][]*identity.Statement{{}, {bad}, slices.Repeat([]*identity.Statement{good}, 65)} {
		if _, err := c.Carry(ctx, statements...); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("Carry of %d statements = %v, want ErrInvalid", len(statements), err)
		}
	}
}

package admin_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func (f *fakeNode) Before(_ context.Context, id dag.ID, limit int) ([]admin.Op, error) {
	f.limit = limit
	if id != f.op.ID {
		return nil, admin.ErrNotFound
	}
	return []admin.Op{f.op.Op}, f.err
}

func (f *fakeNode) Forked(context.Context) ([]admin.ForkedAuthor, error) {
	return []admin.ForkedAuthor{{Author: testKey(1), Operator: "o", Branches: 2, A: dag.ID{1}, B: dag.ID{2}}}, f.err
}

func (f *fakeNode) ForkProof(_ context.Context, author identity.PublicKey) (admin.ForkProof, error) {
	if author != testKey(1) {
		return admin.ForkProof{}, admin.ErrNotFound
	}
	return admin.ForkProof{Author: author, Proof: []byte("proof")}, f.err
}

// Export writes some pieces, then fails with err if that is set.
func (f *fakeNode) Export(_ context.Context, w io.Writer) error {
	for range exportPieces {
		if _, err := io.WriteString(w, "piece"); err != nil {
			return err
		}
	}
	return f.err
}

const exportPieces = 10000

// TestExport: a file comes whole or with an error, never cut short in silence.
func TestExport(t *testing.T) {
	n, dir := newFakeNode(), t.TempDir()
	s, err := admin.Serve(t.Context(), dir, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b strings.Builder
	if err := admin.NewClient(dir).Export(t.Context(), &b); err != nil || b.Len() != exportPieces*len("piece") {
		t.Errorf("Export() = %d bytes, %v", b.Len(), err)
	}
	n.err = errors.New("disk")
	if err := admin.NewClient(dir).Export(t.Context(), io.Discard); err == nil {
		t.Error("an export that failed on the way gave no error")
	}
	if err := admin.NewClient(t.TempDir()).Export(t.Context(), io.Discard); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("Export without a node = %v, want ErrNotRunning", err)
	}
}

func TestForked(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1 -> b2
		     |  -> b2'
		     |  -> b2''
		G -> c1
		G -> c1'{/k=v}
	`)
	c.Add()
	got := admin.Forked(m.Graph, nil)
	if len(got) != 2 || got[0].Author.Compare(got[1].Author) >= 0 {
		t.Fatalf("Forked() = %+v, want two authors, ascending", got)
	}
	fetch := func(id dag.ID) ([]byte, []byte, error) {
		s := c.Signed(c.Name(id))
		return s.Block(), s.Body(), nil
	}
	for _, f := range got {
		if want := map[identity.PublicKey]int{m.Author(1): 3, m.Author(2): 2}[f.Author]; f.Branches != want || f.Operator == "" {
			t.Errorf("%+v, want %d branches and the operator", f, want)
		}
		p, err := admin.ProveFork(m.Graph, nil, f.Author, fetch)
		if err != nil {
			t.Fatal(err)
		}
		proven, err := dag.ParseForkProof(p.Proof)
		if want := (dag.Fork{Author: f.Author, A: f.A, B: f.B}); err != nil || proven != want || p.Author != f.Author {
			t.Errorf("the proof says %+v, %v, want %+v", proven, err, want)
		}
	}
	if _, err := admin.ProveFork(m.Graph, nil, m.Author(0), fetch); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("proof against an honest author: %v, want ErrNotFound", err)
	}
	errFetch := errors.New("disk")
	if _, err := admin.ProveFork(m.Graph, nil, m.Author(1), func(dag.ID) ([]byte, []byte, error) { return nil, nil, errFetch }); !errors.Is(err, errFetch) {
		t.Errorf("proof with no disk: %v, want %v", err, errFetch)
	}
}

// TestForkShown has a proof whose ops are not in the graph.
func TestForkShown(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw(`
		G -> b1
		G -> b1'{/k=v}
	`)
	c.Add("b1")
	proof, err := dag.AppendForkProof(nil, c.Signed("b1").Block(), c.Signed("b1'").Block())
	if err != nil {
		t.Fatal(err)
	}
	shown := admin.Proofs{m.Author(1): proof}
	fetch := func(dag.ID) ([]byte, []byte, error) { return nil, nil, dag.ErrNotFound }
	got := admin.Forked(m.Graph, shown)
	if len(got) != 1 || got[0].Author != m.Author(1) || !got[0].Shown || got[0].Branches != 1 || got[0].Operator == "" {
		t.Errorf("Forked() = %+v, want the author with one branch, shown", got)
	}
	if p, err := admin.ProveFork(m.Graph, shown, m.Author(1), fetch); err != nil || string(p.Proof) != string(proof) {
		t.Errorf("ProveFork() = %v, %v, want the proof shown", p, err)
	}
	forked := 0
	for _, n := range admin.NewRoster(m.Founding.ID(), m.Graph, shown).Operators[0].Nodes {
		if n.Keys[0].Forked {
			forked++
		}
	}
	if forked != 1 {
		t.Errorf("%d keys are forked in the roster, want 1", forked)
	}
	// Once both ops are here they are what proves it.
	c.Add("b1'")
	if got := admin.Forked(m.Graph, shown); len(got) != 1 || got[0].Shown || got[0].Branches != 2 {
		t.Errorf("Forked() with both ops = %+v, want two branches, not shown", got)
	}
}

func TestArchiveRequests(t *testing.T) {
	n, ctx := newFakeNode(), t.Context()
	dir := t.TempDir()
	s, err := admin.Serve(ctx, dir, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := admin.NewClient(dir)
	ops, err := c.Before(ctx, n.op.ID, 7)
	if err != nil || len(ops) != 1 || n.limit != 7 {
		t.Errorf("Before() = %v, %v, asked for %d", ops, err, n.limit)
	}
	if _, err := c.Before(ctx, dag.ID{9}, 7); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("Before(unknown) = %v, want ErrNotFound", err)
	}
	if _, err := c.Before(ctx, n.op.ID, admin.MaxLogOps+1); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("Before(too many) = %v, want ErrInvalid", err)
	}
	forked, err := c.Forked(ctx)
	want, _ := n.Forked(ctx)
	if err != nil || cmp.Diff(forked, want) != "" {
		t.Errorf("Forked() = %v, %v, want %v", forked, err, want)
	}
	proof, err := c.ForkProof(ctx, testKey(1))
	if err != nil || string(proof.Proof) != "proof" || proof.Author != testKey(1) {
		t.Errorf("ForkProof() = %v, %v", proof, err)
	}
	if _, err := c.ForkProof(ctx, testKey(2)); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("ForkProof(honest) = %v, want ErrNotFound", err)
	}
	if _, err := c.ForkProof(ctx, identity.PublicKey{}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("ForkProof(no key) = %v, want ErrInvalid", err)
	}
}

package commit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/memstore"
)

// TestSmallPatches: what small patches of a large value make is published on the way, and so
// freed, within one batch too; and transactions that became one revision are one again when the log is replayed.
func TestSmallPatches(t *testing.T) {
	const size, bound = 200 << 10, 4 << 20
	store := memstore.New()
	cfg := Config{Store: store, Key: key("founder"), Mesh: found(t, store), Quota: 4 * bound}
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.Close() }()
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	l := newLiar(t, p, "second")
	value := func(n, pad int) string { return fmt.Sprintf(`{"n":%d,"pad":"%s"}`, n, strings.Repeat("x", pad)) }
	var tip *dag.Op
	next := func(writes ...dag.Write) *dag.Signed {
		t.Helper()
		var body dag.Body
		for _, w := range writes {
			body.Transactions = append(body.Transactions, dag.Transaction{w}.Append(nil))
		}
		h, _ := l.graph.Draft(tip, len(body.Encode()), len(writes))
		s, err := dag.Sign(h, body, key(l.name))
		if err != nil {
			t.Fatal(err)
		}
		if tip, _, err = l.graph.Add(s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	ops := []*dag.Signed{next(dag.Write{Kind: dag.Replace, Key: []byte("k"), Value: []byte(value(0, size)), Incarnation: dag.Incarnation{Kind: dag.IncarnationSelf}})}
	life := dag.Incarnation{Kind: dag.IncarnationPast, Op: tip.ID()}
	n := 0
	patches := func(many int) (writes []dag.Write) {
		for range many {
			patch, ok := crdt.Diff(crdt.Parse([]byte(value(n, 0)), nil), crdt.Parse([]byte(value(n+1, 0)), nil))
			if !ok {
				t.Fatal("there is no patch")
			}
			n++
			writes = append(writes, dag.Write{Kind: dag.Patch, Key: []byte("k"), Value: patch.Encoding(), Incarnation: life})
		}
		return writes
	}
	ops = append(ops, next(patches(100)...))
	for range 2 * publishBytes / size {
		ops = append(ops, next(patches(1)...))
	}
	records := store.Last()
	if err := errors.Join(p.Admit(t.Context(), ops)...); err != nil {
		t.Fatal(err)
	}
	if got := get(t, p, "k"); got != value(n, size) {
		t.Errorf("k is %.20s of %d bytes, want %.20s", got, len(got), value(n, 0))
	}
	bounded := func() {
		t.Helper()
		if st := p.View().Stats(); st.Remote > bound+publishBytes/8 || p.View().Trims() == 0 {
			t.Errorf("%d bytes of others are in history, compacted %d times", st.Remote, p.View().Trims())
		}
	}
	bounded()
	together := uint64(0)
	if err := store.Scan(records+1, func(_ dag.Index, rec dag.Record) error {
		if rec.Kind == recordOp {
			o, err := decodeOp(rec.Payload)
			together += o.together
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if together == 0 || together > 99 {
		t.Errorf("%d transactions became one revision with others, want most of 100", together)
	}
	revision := p.View().Revision()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if got := p.View().Revision(); got != revision || get(t, p, "k") != value(n, size) {
		t.Errorf("replayed to revision %d, want %d", got, revision)
	}
	bounded()
}

package commit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
)

// TestKeyWrites: what is told of a key is what it shows, also of what is not sealed yet.
func TestKeyWrites(t *testing.T) {
	p := founder(t)
	q := open(t, memstore.New(), p.cfg.Mesh, "second")
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	deliver(t, p, q)
	<-q.ReadyCh()
	put(t, p, "k", `{"a":1,"b":1}`)
	settle(t, p)
	deliver(t, p, q)
	put(t, p, "k", `{"a":2,"b":1}`)
	put(t, q, "k", `{"a":1,"b":2}`)
	settle(t, p)
	settle(t, q)
	deliver(t, q, p)
	deliver(t, p, q)
	for _, n := range []*Pipeline{p, q} {
		kw, err := n.KeyWrites(t.Context(), []byte("k"), 0)
		if err != nil {
			t.Fatal(err)
		}
		r := kw.History.Value()
		if got := string(r.Tree.Value()); got != `{"a":2,"b":2}` || got != value(t, n.View(), "k") || !r.Merged {
			t.Errorf("the writes make %s, the view shows %s", got, value(t, n.View(), "k"))
		}
		if len(kw.Writes) != 3 || kw.Writes[1].Kind != dag.Patch || kw.Writes[0].Kind != dag.Replace || len(kw.History.Blame()) != 2 {
			t.Errorf("%d writes, blame %v", len(kw.Writes), kw.History.Blame())
		}
		if keys, err := n.Unsettled(t.Context(), nil, 10); err != nil || fmt.Sprintf("%s", keys) != "[k]" {
			t.Errorf("unsettled are %s, %v", keys, err)
		}
	}
	put(t, p, "k", `{"a":3,"b":2}`)
	kw, err := p.KeyWrites(t.Context(), []byte("k"), 100)
	if err != nil || !kw.All || len(kw.Writes) != 4 || !kw.Writes[3].Counts {
		t.Errorf("all writes: %d, %v", len(kw.Writes), err)
	}
	if keys, err := p.Unsettled(t.Context(), nil, 10); err != nil || len(keys) > 0 {
		t.Errorf("unsettled are %s, %v", keys, err)
	}
	if kw, err = p.KeyWrites(t.Context(), []byte("x"), 0); err != nil || len(kw.Writes) > 0 {
		t.Errorf("a key never written has %v, %v", kw, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.KeyWrites(t.Context(), []byte("k"), 0); !errors.Is(err, ErrStopped) {
		t.Errorf("of a stopped pipeline: %v", err)
	}
}

package commit

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
)

// TestReplayChecksBodies: a node whose own op no longer has the body that it
// signed does not open: it would serve peers something else than it shows.
func TestReplayChecksBodies(t *testing.T) {
	store := memstore.New()
	mesh := found(t, store)
	p := open(t, store, mesh, "founder")
	for i := range 20 {
		if _, err := p.Submit(t.Context(), &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("as it was signed")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	// The records of the log, one value changed on the way.
	copied := func(change bool) dag.Store {
		to := memstore.New()
		err := store.Scan(1, func(_ dag.Index, rec dag.Record) error {
			rec.Payload = bytes.Clone(rec.Payload)
			if change && rec.Kind == recordLocal && bytes.Contains(rec.Payload, []byte("k17")) {
				copy(rec.Payload[bytes.Index(rec.Payload, []byte("signed")):], "forged")
			}
			_, err := to.Append([]dag.Record{rec}, true)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	q := open(t, copied(false), mesh, "founder")
	if got, want := q.View().StateHash(), p.View().StateHash(); got != want {
		t.Errorf("state after a replay = %x, want %x", got, want)
	}
	_, err := Open(Config{Store: copied(true), Key: key("founder"), Mesh: mesh})
	if !errors.Is(err, ErrReplay) || dag.ReasonOf(err) != dag.ReasonRoots {
		t.Errorf("Open of a log whose value was changed: %v, want ErrReplay for the roots", err)
	}
}

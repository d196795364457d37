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

// TestRivalMetBeforeACrash: a node that went down between another's claim of
// its window and its answer to that gives the answer when it is up again.
func TestRivalMetBeforeACrash(t *testing.T) {
	p := founder(t)
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1), enrol(t, p, "third", 2)}); err != nil {
		t.Fatal(err)
	}
	var nodes []*Pipeline
	for _, name := range []string{"second", "third"} {
		q := openPicking(t, memstore.New(), p.cfg.Mesh, name, 9, 10)
		deliver(t, p, q)
		<-q.ReadyCh()
		put(t, q, name, "")
		nodes = append(nodes, q)
	}
	before := []int64{nodes[0].View().Revision(), nodes[1].View().Revision()}
	meet(t, nodes[0], nodes[1])
	for i, q := range nodes {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		// The log as it was when the rival's claim had just been appended.
		cut := memstore.New()
		errCut := errors.New("cut")
		windows := 0
		err := q.store.Scan(1, func(_ dag.Index, rec dag.Record) error {
			rec.Payload = bytes.Clone(rec.Payload)
			if _, err := cut.Append([]dag.Record{rec}, true); err != nil {
				return err
			}
			if rec.Kind == recordWindow {
				windows++
			}
			if windows == 1 && rec.Kind == recordOp {
				return errCut
			}
			return nil
		})
		if !errors.Is(err, errCut) {
			t.Fatalf("scan: %v, want an op after the first window", err)
		}
		again := openPicking(t, cut, p.cfg.Mesh, []string{"second", "third"}[i], 10)
		if err := again.Close(); err != nil { // waits for the writer
			t.Fatal(err)
		}
		if got := again.View().CompactRevision(); got <= before[i] || got <= before[1-i] {
			t.Errorf("node %d: compacted to %d, want beyond what either gave before: %v", i, got, before)
		}
	}
}

package verify_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/verify"
)

// TestLocalKeys: what policy makes local is the node's own, whoever wrote it: it is in no
// operation and not in the hash, also not where it was left unsealed.
func TestLocalKeys(t *testing.T) {
	s := newSite(t)
	s.put("mine/a", "replicated, and hidden by the policy to come")
	s.write(2, dag.Transaction{dagtest.Put("mine/b", "another site's"), dagtest.Put("theirs", "seen by all")})
	s.learn()
	c := s.mesh.Draw(`
		P = policy mine/**:9=local
		G -> a1{!P}
	`)
	s.deliver(c.Signed("a1"))
	s.put("mine/a", "local")
	s.submit(&pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("mine/c"), Value: []byte("local")}}},
		{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("ours"), Value: []byte("seen by all")}}},
	}})
	s.learn()
	s.write(2, dag.Transaction{dagtest.DeleteRange("m", "n")}) // passes over mine/
	s.put("mine/d", "local")
	dir := s.close()
	if r := run(t, dir, verify.Options{Closed: true}); r.Verdict != verify.Sound || r.Keys != 1 {
		t.Errorf("%+v, want sound, with one key that all nodes show", r)
	}
	for n := range last(t, dir) {
		cut := rewrite(t, dir, func(i dag.Index, rec dag.Record) []dag.Record {
			if i > n+1 {
				return nil
			}
			return []dag.Record{rec}
		})
		if r := run(t, cut, verify.Options{}); r.Verdict != verify.Sound {
			t.Errorf("the first %d records: %+v", n+1, r)
		}
	}
}

// TestWorlds: the values of meshes whose operators restrict and widen, and whose
// nodes lie, are those of the node's view: what is void is in neither.
func TestWorlds(t *testing.T) {
	void := 0
	for seed := range uint64(8) {
		w := dagtest.Grow(t, seed, 40)
		dir := t.TempDir()
		store, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		node, err := commit.Open(commit.Config{Store: store, Key: w.Mesh.Key("onlooker"), Mesh: w.Mesh.Founding.ID()})
		if err != nil {
			t.Fatal(err)
		}
		node.Admit(t.Context(), w.Shuffle(rand.New(rand.NewPCG(seed, 0)))) // some are invalid
		want, ops := node.View().StateHash(), node.Graph().Len()
		if err := errors.Join(node.Close(), store.Close()); err != nil {
			t.Fatal(err)
		}
		r := run(t, dir, verify.Options{Closed: true})
		if r.Verdict != verify.Sound || r.Operations != ops {
			t.Errorf("world %d: %+v; the node had %d operations and hash %x", seed, r, ops, want)
		}
		void += r.Void
	}
	if void == 0 {
		t.Error("no world with a void transaction")
	}
}

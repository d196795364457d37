package verify_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/verify"
)

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

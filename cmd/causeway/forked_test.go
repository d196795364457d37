package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/commit"
)

// scriptForked implements "forked DIR": it makes the data directory of a node,
// stopped, which holds three branches of one author. AUTHOR, FINGERPRINT and HONEST become
// the author's key and its fingerprint, and the key of another.
func scriptForked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forked dir")
	}
	mesh := dagtest.New(ts.Value(tbKey{}).(testing.TB), 3)
	dir := ts.MkAbs(args[0])
	store, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{})
	ts.Check(err)
	ts.Check(identity.WriteKeyFile(filepath.Join(dir, node.NodeKeyFile), mesh.Node(1), "", nil))
	p, err := commit.Open(commit.Config{Store: store, Key: mesh.Node(1), Mesh: mesh.Founding.ID()})
	ts.Check(err)
	ops := []*dag.Signed{mesh.Founding}
	for _, value := range []string{"one", "another", "a third"} {
		ops = append(ops, mesh.Sign(dagtest.Draft{
			Author: 2, Parents: []dag.ID{mesh.Founding.ID()},
			Transactions: []dag.Transaction{{dagtest.Put("/k", value)}},
		}))
	}
	ts.Check(errors.Join(p.Admit(context.Background(), ops)...))
	<-p.ReadyCh()
	ts.Check(errors.Join(p.Close(), store.Close()))
	ts.Setenv("AUTHOR", mesh.Author(2).String())
	ts.Setenv("FINGERPRINT", mesh.Author(2).Fingerprint())
	ts.Setenv("HONEST", mesh.Author(1).String())
}

// tbKey is where a script's environment keeps the test that runs it.
type tbKey struct{}

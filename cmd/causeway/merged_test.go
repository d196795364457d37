package main

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/commit"
)

// A Node in protobuf as an API server stores it, with the label a, and what two
// sites make of it: the one changes the label and adds one, the other changes it, too, and makes the Node unschedulable.
const (
	nodeBase = "azhzAAoKCgJ2MRIETm9kZRITCg8KAm4xKgExWgYKAWESATESAA=="
	nodeOne  = "azhzAAoKCgJ2MRIETm9kZRIbChcKAm4xKgExWgYKAWESATJaBgoBYhIBMhIA"
	nodeTwo  = "azhzAAoKCgJ2MRIETm9kZRIVCg8KAm4xKgExWgYKAWESATMSAiAB"
)

// scriptMerged implements "merged DIR": it makes the data directory of a node,
// stopped, in which two sites, the founder's and that of the operator "bee", wrote the
// keys doc, text and /registry/minions/n1 without having seen each other.
func scriptMerged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: merged dir")
	}
	mesh := dagtest.NewMesh(ts.Value(tbKey{}).(testing.TB), dagtest.Config{Authors: 2})
	value := func(text string) []byte {
		b, err := base64.StdEncoding.DecodeString(text)
		ts.Check(err)
		return b
	}
	schema, ok := kube.SchemaFor(value(nodeBase))
	if !ok {
		ts.Fatalf("no schema for a Node")
	}
	life := func(op *dag.Signed, i uint32) dag.Incarnation {
		return dag.Incarnation{Kind: dag.IncarnationPast, Op: op.ID(), Write: i}
	}
	patch := func(key string, s *crdt.Schema, in dag.Incarnation, from, to []byte) dag.Write {
		p, ok := crdt.Diff(crdt.Parse(from, s), crdt.Parse(to, s))
		if !ok {
			ts.Fatalf("no patch of %s", key)
		}
		return dag.Write{Kind: dag.Patch, Key: []byte(key), Value: p.Encoding(), Incarnation: in}
	}
	const at = "/registry/minions/n1"
	c := mesh.Draw(`
		Bee = admit writer ** nodes=1
		x = enrol Bee
		G -> a1{!Bee !x}
	`)
	first := mesh.Sign(dagtest.Draft{Parents: []dag.ID{c.ID("a1")}, Schemas: [][]byte{schema.Encoding()}, Transactions: []dag.Transaction{{
		dagtest.Put("doc", `{"title":"one","pages":1}`), dagtest.Put("text", "some text"), dagtest.PutUnder(schema.ID(), at, string(value(nodeBase))),
	}}})
	doc := []byte(`{"title":"one","pages":1}`)
	edit := func(d dagtest.Draft, doc2, text, node string) *dag.Signed {
		d.Parents = []dag.ID{first.ID()}
		d.Transactions = []dag.Transaction{{
			patch("doc", nil, life(first, 0), doc, []byte(doc2)),
			{Kind: dag.Replace, Key: []byte("text"), Value: []byte(text), Incarnation: life(first, 1)},
			patch(at, schema, life(first, 2), value(nodeBase), value(node)),
		}}
		return mesh.Sign(d)
	}
	one := edit(dagtest.Draft{Author: 0}, `{"title":"two","pages":2}`, "here", nodeOne)
	other := edit(dagtest.Draft{Key: mesh.Key("node x")}, `{"title":"three","pages":1,"lang":"en"}`, "there", nodeTwo)

	dir := ts.MkAbs(args[0])
	store, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{})
	ts.Check(err)
	ts.Check(identity.WriteKeyFile(filepath.Join(dir, node.NodeKeyFile), mesh.Node(1), "", nil))
	p, err := commit.Open(commit.Config{Store: store, Key: mesh.Node(1), Mesh: mesh.Founding.ID()})
	ts.Check(err)
	ops := append([]*dag.Signed{}, mesh.Enrolled...)
	ts.Check(errors.Join(p.Admit(context.Background(), append(ops, c.Signed("a1"), first, one, other))...))
	<-p.ReadyCh()
	ts.Check(errors.Join(p.Close(), store.Close()))
}

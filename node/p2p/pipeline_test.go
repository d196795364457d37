package p2p_test

import (
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

func key(b byte) *identity.PrivateKey { return identity.NewKeyFromSeed([32]byte{b}) }

// openNode runs a real commit pipeline behind a network on loopback.
func openNode(t *testing.T, store dag.Store, mesh dag.ID, k *identity.PrivateKey, peers ...string) (*commit.Pipeline, *p2p.Network) {
	t.Helper()
	pipeline, err := commit.Open(commit.Config{Store: store, Key: k, Mesh: mesh})
	if err != nil {
		t.Fatalf("commit.Open: %v", err)
	}
	network, err := p2p.Open(t.Context(), p2p.Config{Key: k, Mesh: mesh, Backend: pipeline, Meta: store, Peers: peers})
	if err != nil {
		t.Fatalf("p2p.Open: %v", err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Errorf("network: %v", err)
		}
		if err := pipeline.Close(); err != nil {
			t.Errorf("pipeline: %v", err)
		}
	})
	return pipeline, network
}

// TestPipelines founds a mesh, joins it by ticket, and writes on both sides.
func TestPipelines(t *testing.T) {
	founderStore := memstore.New()
	operator := key(1)
	mesh, err := commit.Found(founderStore, commit.Founding{Node: key(2), Operator: operator, Name: "founder", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	founder, network := openNode(t, founderStore, mesh, key(2))

	seq, prev := founder.Graph().Roster().Next(operator.Public())
	where := [32]byte(mesh)
	invite, err := identity.SignStatement(identity.Statement{Mesh: &where, Issuer: operator.Public(), Seq: seq, Prev: prev, Content: identity.Invite{
		Ticket: key(3).Public(), Host: key(2).Public(), Expires: uint64(time.Now().Add(time.Hour).UnixMilli()),
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"**"}, Nodes: 1},
	}}, operator)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := p2p.NewTicket(mesh, key(3), invite, network.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	joined, err := p2p.Redeem(t.Context(), p2p.RedeemConfig{Ticket: ticket, Node: key(4), Operator: key(5), Name: "newcomer"})
	if err != nil {
		t.Fatalf("Redeem: %v", err)
	}
	store := memstore.New()
	if err := p2p.SaveJoined(store, joined); err != nil {
		t.Fatal(err)
	}
	newcomer, _ := openNode(t, store, mesh, key(4))
	select {
	case <-newcomer.ReadyCh():
	case <-time.After(10 * time.Second):
		t.Fatal("the newcomer is not ready after 10 s")
	}

	for i := range 50 {
		for side, p := range []*commit.Pipeline{founder, newcomer} {
			req := &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%d of side %d", i, side)}
			if _, err := p.Submit(t.Context(), req); err != nil {
				t.Fatalf("Submit: %v", err)
			}
		}
	}
	start := time.Now()
	for founder.View().StateHash() != newcomer.View().StateHash() {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the states differ after 10 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("equal %v after the last write", time.Since(start))
}

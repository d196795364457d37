package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// Status implements admin.Node.
func (n *Node) Status(context.Context) (admin.Status, error) {
	graph, view := n.pipeline.Graph(), n.pipeline.View()
	stats := view.Stats()
	s := admin.Status{
		Mesh: n.mesh, Node: n.self, Name: n.cfg.Name, Operator: operatorName(graph.Roster(), n.self),
		Version: n.cfg.Version, Ready: n.pipeline.Ready(), Superseded: n.pipeline.Superseded(),
		Ops: uint64(graph.Len()), Forks: len(graph.Forks()),
		Revision: view.Revision(), CompactRevision: view.CompactRevision(), Keys: int64(stats.Keys), Unsettled: int64(stats.Unsettled), StateHash: admin.StateHash(view.StateHash()),
		ClientURLs: n.ClientURLs(), PeerAddresses: n.PeerAddrs(), Started: n.started.UTC(), Heads: []dag.ID{},
		Forked: admin.Forked(graph, n.proofs()), Peers: n.peers(), Key: n.story(), Alarms: alarms(view.Alarms(), n.pipeline.LogSpaceLow()),
	}
	s.Short, s.Waiting = n.waiting()
	for _, h := range graph.Heads() {
		s.Heads = append(s.Heads, h.ID())
	}
	return s, nil
}

// waiting returns the spaces that are short, and for whom that means to wait.
func (n *Node) waiting() ([]admin.Space, []admin.WaitingAuthor) {
	spaces, authors := []admin.Space{}, []admin.WaitingAuthor{}
	short, waiting := n.network.Shortages()
	for _, s := range short {
		spaces = append(spaces, admin.Space{Space: s.Space, Free: s.Free, Reserve: s.Reserve})
	}
	roster := n.pipeline.Graph().Roster()
	for _, author := range waiting {
		authors = append(authors, admin.WaitingAuthor{Author: author, Operator: operatorName(roster, author)})
	}
	return spaces, authors
}

// alarms returns the types of the alarms that stand.
func alarms(standing []mvcc.Alarm, logSpaceLow bool) []admin.Alarm {
	types := []admin.Alarm{}
	for _, a := range standing {
		types = append(types, admin.Alarm(a.Type.String()))
	}
	if logSpaceLow {
		types = append(types, admin.AlarmLogSpace)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func operatorName(roster *identity.Roster, node identity.PublicKey) string {
	if a, ok := roster.Author(node); ok {
		return a.OperatorName
	}
	return ""
}

// peers describes the other nodes, by ID.
func (n *Node) peers() []admin.Peer {
	peers := []admin.Peer{}
	for _, p := range n.network.Peers() {
		address := ""
		if len(p.Addresses) > 0 {
			address = p.Addresses[0]
		}
		peer := admin.Peer{
			ID: p.Node, PeerID: p.ID, Operator: p.Operator, State: string(p.State), Address: address, Connected: p.Connected, Pinned: p.Pinned,
			LagOps: p.LagOps, LastSync: p.LastSync, LastError: p.LastError, Misconduct: p.Misconduct, BannedUntil: p.BannedUntil,
			BytesIn: p.BytesIn, BytesOut: p.BytesOut,
		}
		if p.RevokedBy != nil {
			peer.RevokedBy, peer.RevokedAs = &p.RevokedBy.Statement, p.RevokedBy.Operator
		}
		peers = append(peers, peer)
	}
	slices.SortFunc(peers, func(a, b admin.Peer) int { return a.ID.Compare(b.ID) })
	return peers
}

// InviteSite implements admin.Node.
func (n *Node) InviteSite(_ context.Context, issuer identity.PublicKey) (admin.InviteSite, error) {
	if !n.pipeline.Ready() {
		return admin.InviteSite{}, admin.ErrNotReady
	}
	roster := n.pipeline.Graph().Roster()
	seq, prev := roster.Next(issuer)
	s := admin.InviteSite{Mesh: n.mesh, Node: n.self, Addresses: n.PeerAddrs(), Seq: seq, Prev: prev}
	for _, o := range roster.Operators() {
		if o.Role == identity.RoleAdmin && slices.Contains(o.Keys, issuer) {
			s.Operator = o.ID
			return s, nil
		}
	}
	return admin.InviteSite{}, fmt.Errorf("%w: the key %s belongs to no admin operator of this mesh", admin.ErrDenied, issuer.Fingerprint())
}

// Heads implements admin.Node.
func (n *Node) Heads(context.Context) ([]admin.Op, error) {
	return n.markVoid(admin.Heads(n.pipeline.Graph()), nil)
}

// Log implements admin.Node.
func (n *Node) Log(_ context.Context, limit int) ([]admin.Op, error) {
	return n.markVoid(admin.Latest(n.pipeline.Graph(), limit), nil)
}

// Op implements admin.Node.
func (n *Node) Op(_ context.Context, id dag.ID) (admin.OpDetail, error) {
	graph := n.pipeline.Graph()
	op, ok := graph.Get(id)
	if !ok {
		return admin.OpDetail{}, fmt.Errorf("op %s: %w", id, admin.ErrNotFound)
	}
	block, body, err := n.pipeline.Fetch(id)
	if err != nil {
		return admin.OpDetail{}, err
	}
	return admin.NewOpDetail(op, graph.Roster(), block, body)
}

var _ admin.Node = (*Node)(nil)

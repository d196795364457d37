package commit

import (
	"fmt"
	"slices"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

const (
	// founderNodes is how many nodes the founding operator may enrol.
	founderNodes = 64
)

// Founding says who founds a mesh.
type Founding struct {
	Node     *identity.PrivateKey     // the first node's key
	Operator identity.StatementSigner // the founding operator's key
	Name     string                   // the operator's name, for people
	// Founders are further founders; the operator's key is one. Threshold of them
	// act as the root, 0 means 1.
	Founders  []identity.PublicKey
	Threshold uint64
	Nonce     [32]byte // fresh random bytes: two meshes of one founder must differ
	// Epoch is the revision window to begin in, at most dag.MaxEpoch. 0 counts
	// from 1, as etcd does; another one is claimed by a second op.
	Epoch uint64
	Now   time.Time
}

// Found writes the founding op of a new mesh into an empty store, with the
// default policy and the first node's enrolment, opens the revision window, and
// returns the mesh's ID. The store is durable when it returns.
func Found(store dag.Store, f Founding) (dag.ID, error) {
	if store.Last() != 0 {
		return dag.ID{}, fmt.Errorf("commit: found a mesh: the store is not empty")
	}
	statements, err := foundingStatements(f)
	if err != nil {
		return dag.ID{}, err
	}
	if f.Epoch > dag.MaxEpoch {
		return dag.ID{}, fmt.Errorf("commit: found a mesh: revision window %d is beyond the last, %d", f.Epoch, dag.MaxEpoch)
	}
	body := dag.Body{Statements: statements}
	h, _ := dag.NewGraph().Draft(nil, len(body.Encode()), 0)
	h.Wall = uint64(f.Now.UnixMilli())
	signed, err := dag.Sign(h, body, f.Node)
	if err != nil {
		return dag.ID{}, fmt.Errorf("commit: found a mesh: %w", err)
	}
	mesh := signed.ID()
	graph := dag.NewGraphOf(mesh)
	tip, _, err := graph.Add(signed)
	if err != nil {
		return dag.ID{}, fmt.Errorf("commit: found a mesh: %w", err)
	}
	recs := []dag.Record{{Kind: recordSeal, Payload: sealRecord{revision: 1, block: signed.Block(), statements: statements}.append(nil), Ops: []dag.ID{mesh}}}
	if f.Epoch > 0 {
		h, _ := graph.Draft(tip, len(dag.Body{}.Encode()), 0)
		h.Wall, h.Epoch = uint64(f.Now.UnixMilli()), f.Epoch
		claim, err := dag.Sign(h, dag.Body{}, f.Node)
		if err != nil {
			return dag.ID{}, fmt.Errorf("commit: found a mesh: %w", err)
		}
		if tip, _, err = graph.Add(claim); err != nil {
			return dag.ID{}, fmt.Errorf("commit: found a mesh: %w", err)
		}
		recs = append(recs, dag.Record{Kind: recordSeal, Payload: sealRecord{revision: 1, block: claim.Block()}.append(nil), Ops: []dag.ID{tip.ID()}})
	}
	recs = append(recs, dag.Record{Kind: recordWindow, Payload: windowRecord{epoch: f.Epoch}.append(nil)})
	_, err = store.Append(recs, true)
	return mesh, err
}

// foundingStatements returns the encoded statements of a founding op: found,
// admit the founder as an operator, default policy, enrol the first node.
func foundingStatements(f Founding) ([][]byte, error) {
	operator := f.Operator.Public()
	var encoded [][]byte
	var prev *identity.StatementID
	var ids []identity.StatementID
	sign := func(as *identity.StatementID, content identity.Content) error {
		s, err := identity.SignStatement(identity.Statement{
			Issuer: operator, As: as, Seq: uint64(len(ids) + 1), Prev: prev, Content: content,
		}, f.Operator)
		if err != nil {
			return fmt.Errorf("commit: found a mesh: %w", err)
		}
		id := s.ID()
		prev, ids, encoded = &id, append(ids, id), append(encoded, s.Encoded())
		return nil
	}
	everything := identity.Pattern("**")
	grant := identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{everything}, Nodes: founderNodes}
	founders := append([]identity.PublicKey{operator}, f.Founders...)
	slices.SortFunc(founders, identity.PublicKey.Compare)
	found := identity.Found{Nonce: f.Nonce, Threshold: max(f.Threshold, 1), Founders: slices.Compact(founders)}
	if err := sign(nil, found); err != nil {
		return nil, err
	}
	if err := sign(nil, identity.Admit{Name: f.Name, Keys: []identity.PublicKey{operator}, Grant: grant}); err != nil {
		return nil, err
	}
	if err := sign(nil, identity.Policy{Rules: []identity.PolicyRule{{Pattern: everything, Priority: 0, Mode: identity.ModeMerge}}}); err != nil {
		return nil, err
	}
	admit := ids[1]
	consent := identity.SignConsent(ids[0], admit, 0, f.Node)
	err := sign(&admit, identity.Enrol{Slot: 0, Node: f.Node.Public(), Rotations: identity.DefaultRotations, Consent: consent})
	return encoded, err
}

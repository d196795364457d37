package p2p

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// proofMeta is the prefix of the names under which received proofs are kept.
const proofMeta = "p2p/proof/"

// proofs holds who has forked: by the log, whose two ops prove it, or by a
// proof that a peer showed (docs/p2p.md, section 12). It is safe for concurrent use.
type proofs struct {
	n    *Network
	wake chan struct{} // there is a new one

	mu      sync.Mutex
	held    map[identity.PublicKey]proof
	version int // grows with each new one
}

// A proof is that of one author.
type proof struct {
	fork  dag.Fork
	bytes []byte // as received; nil if the ops are in the log
}

func openProofs(n *Network) (*proofs, error) {
	ps := &proofs{n: n, wake: make(chan struct{}, 1), held: make(map[identity.PublicKey]proof)}
	received, err := LoadProofs(n.meta)
	if err != nil {
		return nil, err
	}
	for author, b := range received {
		fork, err := dag.ParseForkProof(b)
		if err != nil {
			return nil, err // LoadProofs has just parsed it
		}
		ps.held[author] = proof{fork, b}
	}
	for _, f := range n.backend.Graph().Forks() {
		ps.logged(f)
	}
	ps.version = len(ps.held)
	return ps, nil
}

// LoadProofs returns the proofs of forks that a node took from its peers, by
// author. One that is damaged is passed over: it comes again. Errors are the store's.
func LoadProofs(meta Meta) (map[identity.PublicKey][]byte, error) {
	received := make(map[identity.PublicKey][]byte)
	err := meta.ScanMeta(proofMeta, func(name string, v []byte) error {
		fork, err := dag.ParseForkProof(v)
		if err == nil && name == proofName(fork.Author) && len(received) < maxProofs {
			received[fork.Author] = slices.Clone(v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("p2p: read proofs of forks: %w", err)
	}
	return received, nil
}

func proofName(author identity.PublicKey) string { return proofMeta + hex.EncodeToString(author[:]) }

// logged records a fork whose ops are in the log, and reports whether the
// author is a forker that was not known. The caller wakes the loop.
func (ps *proofs) logged(f dag.Fork) (fresh bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	_, known := ps.held[f.Author]
	ps.held[f.Author] = proof{fork: f} // as many as there are authors in the log
	if !known {
		ps.version++
	}
	return !known
}

// delivered looks whether an op of author exposed a fork.
func (ps *proofs) delivered(author identity.PublicKey) {
	g := ps.n.backend.Graph()
	if !g.Forked(author) || ps.inLog(author) {
		return
	}
	for _, f := range g.Forks() {
		if f.Author == author {
			if ps.logged(f) {
				ps.name(author)
			}
			return
		}
	}
}

func (ps *proofs) inLog(author identity.PublicKey) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p, ok := ps.held[author]
	return ok && p.bytes == nil
}

// name says, once per author, that it forked, and passes that on.
func (ps *proofs) name(author identity.PublicKey) {
	name := ""
	if a, ok := ps.n.backend.Graph().Roster().Author(author); ok {
		name = a.OperatorName
	}
	ps.n.log.Warn("an author forked its chain", "author", author.String(), "operator", name)
	poke(ps.wake)
}

// errUnplaced says that a proof is of an author that has no place here yet.
var errUnplaced = errors.New("p2p: a proof of an unknown author")

// take verifies a proof that a peer showed and stores it, unless one of that
// author is held. Errors: errUnplaced, ErrMesh, dag.ErrForkProof, the store's.
func (ps *proofs) take(b []byte) error {
	fork, headers, err := dag.ForkHeaders(b)
	if err != nil {
		return err
	}
	if mesh := headers[0].Mesh; mesh == nil || *mesh != ps.n.mesh {
		return fmt.Errorf("%w: proof of a fork", ErrMesh)
	}
	if _, ok := ps.n.backend.Graph().Roster().Author(fork.Author); !ok {
		return errUnplaced
	}
	ps.mu.Lock()
	if _, known := ps.held[fork.Author]; known || len(ps.held) >= maxProofs {
		ps.mu.Unlock()
		return nil
	}
	ps.held[fork.Author] = proof{fork, slices.Clone(b)}
	ps.version++
	ps.mu.Unlock()
	if err := ps.n.meta.PutMeta(proofName(fork.Author), b); err != nil {
		return err // it is held all the same, until the process ends
	}
	ps.name(fork.Author)
	return nil
}

// has reports whether the author is proven to have forked.
func (ps *proofs) has(author identity.PublicKey) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	_, ok := ps.held[author]
	return ok
}

// authors returns the proven forkers, ascending, at most maxProofs, and the version that this is.
func (ps *proofs) authors() ([]identity.PublicKey, int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	all := slices.SortedFunc(maps.Keys(ps.held), identity.PublicKey.Compare)
	return all[:min(len(all), maxProofs)], ps.version
}

// of returns the author's proof; the error is dag.ErrNotFound or the log's.
func (ps *proofs) of(author identity.PublicKey) ([]byte, error) {
	ps.mu.Lock()
	p, ok := ps.held[author]
	ps.mu.Unlock()
	switch {
	case !ok:
		return nil, fmt.Errorf("proof of %s: %w", author, dag.ErrNotFound)
	case p.bytes != nil:
		return p.bytes, nil
	}
	a, _, err := ps.n.backend.Fetch(p.fork.A)
	if err != nil {
		return nil, err
	}
	b, _, err := ps.n.backend.Fetch(p.fork.B)
	if err != nil {
		return nil, err
	}
	return dag.AppendForkProof(nil, a, b)
}

// Proofs returns the proofs of forks that peers showed and whose two ops are
// not both in the log, by author. The caller does not change them.
func (n *Network) Proofs() map[identity.PublicKey][]byte {
	n.proofs.mu.Lock()
	defer n.proofs.mu.Unlock()
	received := make(map[identity.PublicKey][]byte)
	for author, p := range n.proofs.held {
		if p.bytes != nil {
			received[author] = p.bytes
		}
	}
	return received
}

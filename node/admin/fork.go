package admin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// ForkedAuthor is an author who has signed two ops on one predecessor: a liar,
// a thief beside the owner, or a disk that was copied.
type ForkedAuthor struct {
	Author   identity.PublicKey `json:"author"`
	Operator string             `json:"operator"` // of the author; empty if unknown
	Branches int                `json:"branches"` // its ops here that are prev of no other
	// Shown says that a peer showed the proof: not both of its ops are here.
	Shown bool `json:"shown"`
	// A and B are two ops that prove it, ascending: the least pair that the node knows.
	A dag.ID `json:"a"`
	B dag.ID `json:"b"`
}

// ForkProof is a fork proof, for the wire.
type ForkProof struct {
	Author identity.PublicKey `json:"author"`
	Proof  []byte             `json:"proof"` // docs/op.md section 3
}

// Proofs are proofs of forks that peers showed to a node, by author: see p2p.LoadProofs.
type Proofs map[identity.PublicKey][]byte

// Forked returns the authors that have forked, ascending: by the ops of g, or by a proof.
func Forked(g *dag.Graph, shown Proofs) []ForkedAuthor {
	roster := g.Roster()
	least := make(map[identity.PublicKey]dag.Fork)
	for author, proof := range shown {
		if f, err := dag.ParseForkProof(proof); err == nil && f.Author == author && !g.Forked(author) {
			least[author] = f
		}
	}
	for _, f := range g.Forks() {
		if l, ok := least[f.Author]; !ok || cmp.Or(f.A.Compare(l.A), f.B.Compare(l.B)) < 0 {
			least[f.Author] = f
		}
	}
	authors := []ForkedAuthor{}
	for author, f := range least {
		a := ForkedAuthor{Author: author, Branches: len(g.Tips(author)), Shown: !g.Forked(author), A: f.A, B: f.B}
		if o, ok := roster.Author(author); ok {
			a.Operator = o.OperatorName
		}
		authors = append(authors, a)
	}
	slices.SortFunc(authors, func(a, b ForkedAuthor) int { return a.Author.Compare(b.Author) })
	return authors
}

// ProveFork returns the proof that author has forked, one of those shown if g
// does not hold both ops; fetch returns an op's block and body. An author who has not is ErrNotFound.
func ProveFork(g *dag.Graph, shown Proofs, author identity.PublicKey, fetch func(dag.ID) (block, body []byte, err error)) (ForkProof, error) {
	for _, f := range Forked(g, shown) {
		if f.Author != author {
			continue
		}
		if f.Shown {
			return ForkProof{Author: author, Proof: shown[author]}, nil
		}
		a, _, err := fetch(f.A)
		if err != nil {
			return ForkProof{}, err
		}
		b, _, err := fetch(f.B)
		if err != nil {
			return ForkProof{}, err
		}
		proof, err := dag.AppendForkProof(nil, a, b)
		return ForkProof{Author: author, Proof: proof}, err
	}
	return ForkProof{}, fmt.Errorf("fork of %s: %w", author, ErrNotFound)
}

// Before returns the limit deepest ops among the one with that ID and its past,
// children before their parents. An ID that g does not hold is ErrNotFound.
func Before(g *dag.Graph, id dag.ID, limit int) ([]Op, error) {
	op, ok := g.Get(id)
	if !ok {
		return nil, fmt.Errorf("op %s: %w", id, ErrNotFound)
	}
	return latest(g.Roster(), []*dag.Op{op}, limit), nil
}

// Archive is the part of Node that is about operations delivered before.
type Archive interface {
	// Before returns the latest ops, children first, among one and its past.
	Before(ctx context.Context, id dag.ID, limit int) ([]Op, error)
	Forked(ctx context.Context) ([]ForkedAuthor, error)
	ForkProof(ctx context.Context, author identity.PublicKey) (ForkProof, error)
	// Export writes all operations as a CAR file (docs/export.md).
	Export(ctx context.Context, w io.Writer) error
}

// archiveRoutes adds the paths of Archive.
func archiveRoutes(n Archive, get func(path string, f func(r *http.Request) (any, error))) {
	get("/v0/dag/before/{id}", func(r *http.Request) (any, error) {
		id, err := dag.ParseID(r.PathValue("id"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		limit, err := checkLimit(r.URL.Query().Get("limit"))
		if err != nil {
			return nil, err
		}
		ops, err := n.Before(r.Context(), id, limit)
		return opList{Ops: ops}, err
	})
	get("/v0/forks", func(r *http.Request) (any, error) {
		authors, err := n.Forked(r.Context())
		return forkedList{Forked: authors}, err
	})
	get("/v0/fork-proof", func(r *http.Request) (any, error) {
		author, err := identity.ParsePublicKey(r.URL.Query().Get("author"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return n.ForkProof(r.Context(), author)
	})
}

// forkedList is an object, so that fields can be added.
type forkedList struct {
	Forked []ForkedAuthor `json:"forked"`
}

// Before returns the limit latest ops among the one with that ID and its past,
// children before their parents. An ID the node does not know is ErrNotFound.
func (c *Client) Before(ctx context.Context, id dag.ID, limit int) ([]Op, error) {
	var l opList
	err := c.get(ctx, "/v0/dag/before/"+id.String()+"?limit="+strconv.Itoa(limit), &l)
	return l.Ops, err
}

// Forked returns the authors that have forked, ascending.
func (c *Client) Forked(ctx context.Context) ([]ForkedAuthor, error) {
	var l forkedList
	err := c.get(ctx, "/v0/forks", &l)
	return l.Forked, err
}

// ForkProof returns the proof that author has forked. Who has not is ErrNotFound.
func (c *Client) ForkProof(ctx context.Context, author identity.PublicKey) (ForkProof, error) {
	var p ForkProof
	err := c.get(ctx, "/v0/fork-proof?author="+url.QueryEscape(author.String()), &p)
	return p, err
}

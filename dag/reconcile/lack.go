package reconcile

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// knowsAnchor reports whether g holds every op of s's anchor: without them s
// says too little to be answered.
func knowsAnchor(g *dag.Graph, s *summary) bool {
	for _, a := range s.anchor {
		if _, ok := g.Get(a.id); !ok {
			return false
		}
	}
	return true
}

// lacks returns the ops of g that the sender of s lacks, parents first.
//
// What the sender holds is the past of those ops it states which g knows. Of
// an op that g does not know, an author's chain that g holds in one branch and
// that ends before it is presumed to be a prefix, unless strict: for an honest
// author that is so. Where it is not, the sender finds ops it stated or needs
// missing, and asks again with a repair, which is answered strictly
// (docs/sync.md section 4).
//
// If strict, the result is never less than what an honest sender lacks. It is
// exactly that if g knows all that s states, or if not strict and no author
// forked. The error wraps ErrProtocol: s names an op with another author or seq than
// it has.
func lacks(g *dag.Graph, s *summary, strict bool) ([]*dag.Op, error) {
	known := make([]*dag.Op, 0, len(s.anchor)+len(s.tips))
	for _, a := range s.anchor {
		if op, ok := g.Get(a.id); ok {
			known = append(known, op)
		}
	}
	for i := 0; i < len(s.tips); {
		author := s.tips[i].author
		first, unknown := i, 0
		for ; i < len(s.tips) && s.tips[i].author == author; i++ {
			t := s.tips[i]
			op, ok := g.Get(t.id)
			switch {
			case !ok:
				unknown++
			case op.Author() != author || op.Seq() != t.seq:
				return nil, fmt.Errorf("%w: %v is not op %d of %v", ErrProtocol, t.id, t.seq, author)
			default:
				known = append(known, op)
			}
		}
		if !strict && unknown == 1 && i-first == 1 {
			if op := prefix(g, author, s.tips[first].seq); op != nil {
				known = append(known, op)
			}
		}
	}
	return g.Since(known), nil
}

// prefix returns the end of g's chain of author if it is the only branch that
// g knows and ends before seq, so that whoever holds the author's op at seq
// holds it too, unless the author forked; otherwise nil. An own op at seq or
// beyond proves a fork, as the caller found another one there.
func prefix(g *dag.Graph, author identity.PublicKey, seq uint64) *dag.Op {
	if tips := g.Tips(author); len(tips) == 1 && tips[0].Seq() < seq {
		return tips[0]
	}
	return nil
}

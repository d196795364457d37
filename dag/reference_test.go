package dag_test

import (
	"bytes"
	"errors"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/rostertest"
)

// A reference says which ops are valid and which transactions count, after the
// words of docs/op.md section 3 and docs/roster.md: by looking at every op of the past again, and
// by the slow roster. It uses nothing of a graph.
type reference struct {
	ops map[dag.ID]*refOp // valid ones
}

// A refOp is an op with its past as a set.
type refOp struct {
	*dag.Signed
	past map[dag.ID]*refOp
}

// InPastOf implements identity.Place.
func (o *refOp) InPastOf(p identity.Place) bool { return p.(*refOp).past[o.ID()] != nil }

func newReference() *reference { return &reference{ops: make(map[dag.ID]*refOp)} }

// add judges an op, whose parents were added, and returns why it is refused, 0 if it is not.
func (r *reference) add(s *dag.Signed) dag.Reason {
	o := &refOp{s, make(map[dag.ID]*refOp)}
	for _, id := range s.Header().Parents {
		p := r.ops[id]
		o.past[id] = p
		for id, q := range p.past {
			o.past[id] = q
		}
	}
	reason := r.judge(o)
	if reason == 0 {
		r.ops[s.ID()] = o
	}
	return reason
}

func (r *reference) judge(o *refOp) dag.Reason {
	h := o.Header()
	if h.Mesh == nil {
		return 0 // the world has one, and it is good
	}
	for _, a := range h.Parents {
		for _, b := range h.Parents {
			if r.ops[a].past[b] != nil {
				return dag.ReasonAntichain
			}
		}
	}
	var prev *refOp
	var seq, size, writes uint64
	if h.Prev != nil {
		if prev = o.past[*h.Prev]; prev == nil {
			return dag.ReasonPrevPast
		}
		seq, size, writes = prev.Header().Seq, prev.Header().Bytes, prev.Header().Writes
	}
	roster := rosterOf(o.past)
	own := prev != nil && prev.Header().Author == h.Author
	if !own {
		a, _ := roster.Author(h.Author)
		rotated := a.Rotation != identity.StatementID{}
		if (prev != nil) != rotated || rotated && !carriesFirst(prev, issuerOf(o.past, a.Rotation), h.Author) {
			return dag.ReasonPrevAuthor
		}
	}
	if h.Seq != seq+1 {
		return dag.ReasonSeq
	}
	chain := make(map[dag.ID]bool)
	if own {
		for id := h.Prev; id != nil && r.ops[*id].Header().Author == h.Author; id = r.ops[*id].Header().Prev {
			chain[*id] = true
		}
	}
	siblings := roster.Siblings(h.Author)
	depth := uint64(0)
	for id, p := range o.past {
		author := p.Header().Author
		if author == h.Author && !chain[id] || slices.Contains(siblings, author) {
			return dag.ReasonForkedPast
		}
		depth = max(depth, p.Header().Depth)
	}
	if h.Depth != depth+1 {
		return dag.ReasonDepth
	}
	for _, t := range o.Transactions() {
		writes += uint64(len(t))
	}
	if h.Bytes != size+uint64(len(o.Body())) {
		return dag.ReasonBytes
	}
	if h.Writes != writes {
		return dag.ReasonWrites
	}
	if err := refStanding(roster, h.Author, nil); err != nil {
		return refReason(err)
	}
	for _, t := range o.Transactions() {
		if err := refVoid(roster, h.Author, nil, t, false); err != nil {
			return refReason(err)
		}
	}
	if b, w := roster.Quota(h.Author); b != 0 && h.Bytes > b || w != 0 && h.Writes > w {
		return dag.ReasonQuota
	}
	if roster.Version() != dag.Version {
		return dag.ReasonNotVersion
	}
	carries := func(o *refOp, id dag.SchemaID) bool {
		return slices.ContainsFunc(o.Schemas(), func(b []byte) bool { return dag.SchemaIDOf(b) == id })
	}
	for _, t := range o.Transactions() {
		for _, w := range t {
			found := w.Schema == dag.SchemaJSON || w.Schema == dag.SchemaOpaque || carries(o, w.Schema)
			for _, p := range o.past {
				found = found || carries(p, w.Schema)
			}
			if !found {
				return dag.ReasonSchema
			}
		}
	}
	return 0
}

// issuerOf returns who issued a statement that an op of the past carries.
func issuerOf(past map[dag.ID]*refOp, id identity.StatementID) (issuer identity.PublicKey) {
	for _, o := range past {
		for _, s := range o.Statements() {
			if s.ID() == id {
				return s.Issuer
			}
		}
	}
	return issuer
}

// carriesFirst reports whether an op of the key from carries a rotation by it to
// another, the first of its chain to do so.
func carriesFirst(o *refOp, from, to identity.PublicKey) bool {
	carries := func(o *refOp) bool {
		return o.Header().Author == from && slices.ContainsFunc(o.Statements(), func(s *identity.Statement) bool {
			c, ok := s.Content.(identity.Rotate)
			return ok && c.Key == to && s.Issuer == from
		})
	}
	if !carries(o) {
		return false
	}
	for _, p := range o.past {
		if p.Header().Author == o.Header().Author && carries(p) {
			return false
		}
	}
	return true
}

// refStanding returns why nothing of an op of the author's at that place
// counts, nil if something may; nil is the place after everything.
func refStanding(roster *rostertest.Model, author identity.PublicKey, at identity.Place) error {
	err := roster.MayWrite(author, at, []byte("/any"))
	if errors.Is(err, identity.ErrNotEnrolled) || errors.Is(err, identity.ErrRevoked) {
		return err
	}
	return nil
}

func refReason(err error) dag.Reason {
	for known, reason := range map[error]dag.Reason{
		identity.ErrNotEnrolled:  dag.ReasonNotEnrolled,
		identity.ErrRevoked:      dag.ReasonRevoked,
		identity.ErrReader:       dag.ReasonReader,
		identity.ErrOutsideGrant: dag.ReasonGrant,
		identity.ErrLocal:        dag.ReasonPolicy,
		identity.ErrOwned:        dag.ReasonPolicy,
	} {
		if errors.Is(err, known) {
			return reason
		}
	}
	return 255
}

// rosterOf returns the slow roster of the statements that the ops carry.
func rosterOf(ops map[dag.ID]*refOp) *rostertest.Model { return rostertest.New(carriedBy(ops)) }

// carriedBy returns the statements that the ops carry, in the order of their IDs.
func carriedBy(ops map[dag.ID]*refOp) []identity.Carried {
	var carried []identity.Carried
	for _, o := range ops {
		for i, s := range o.Statements() {
			var keep []identity.Place
			for _, id := range s.KeepHeads() {
				if head := o.past[id]; head != nil {
					keep = append(keep, head)
				}
			}
			if len(keep) < len(s.KeepHeads()) {
				continue
			}
			h := o.Header()
			carried = append(carried, identity.Carried{Statement: s, Op: o.ID(), At: o, Author: h.Author, Seq: h.Seq, Index: i,
				Founding: h.Mesh == nil, Keep: keep})
		}
	}
	slices.SortFunc(carried, func(a, b identity.Carried) int { return bytes.Compare(a.Op[:], b.Op[:]) })
	return carried
}

// refVoid returns why a transaction of the author's at that place does not count.
func refVoid(roster *rostertest.Model, author identity.PublicKey, at identity.Place, t dag.Transaction, forms bool) error {
	for _, w := range t {
		err := roster.MayWrite(author, at, w.Key)
		if w.Kind == dag.DeleteRange {
			err = roster.MayWriteRange(author, at, w.Key, w.End)
		}
		if err != nil {
			return err
		}
	}
	for _, w := range t {
		if rule, ok := roster.Rule(at, w.Key); forms && w.Kind == dag.Replace && ok && rule.Form != nil {
			if err := dag.CheckForm(rule.Form, w.Key, w.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

package dag

import (
	"errors"

	"github.com/causeway-sync/causeway/identity"
)

// check applies the rules of docs/op.md section 3 that look at the past, in
// their order, and returns the op they make of s. It changes nothing in the graph.
func (g *Graph) check(s *Signed) (*Op, error) {
	h := s.Header()
	parents, err := g.lookup(h.Parents)
	if err != nil {
		return nil, err
	}
	o := &Op{
		id:         s.id,
		seq:        h.Seq,
		depth:      h.Depth,
		wall:       h.Wall,
		bytes:      h.Bytes,
		writes:     h.Writes,
		size:       uint32(h.Size), // at most MaxBody since Decode
		statements: h.Statements != nil,
	}
	refusal := g.checkRules(o, parents, s)
	if refusal != nil {
		refusal.ID = s.id
		return nil, refusal
	}
	return o, nil
}

// lookup returns the ops with those IDs, or a *MissingError for those that
// the graph does not hold.
func (g *Graph) lookup(ids []ID) ([]*Op, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ops := make([]*Op, len(ids))
	var missing []ID
	for i, id := range ids {
		o, ok := g.ops[id]
		if !ok {
			missing = append(missing, id)
		}
		ops[i] = o
	}
	if len(missing) > 0 {
		return nil, &MissingError{IDs: missing}
	}
	return ops, nil
}

func (g *Graph) checkRules(o *Op, parents []*Op, s *Signed) *Refusal {
	h := s.Header()
	if h.Mesh == nil {
		return g.checkFounding(o, s)
	}
	if g.mesh == nil || *h.Mesh != *g.mesh {
		return refusef(ReasonMesh, "mesh %v", *h.Mesh)
	}
	if refusal := checkParents(parents); refusal != nil {
		return refusal
	}
	if refusal := g.checkPrev(o, parents, h); refusal != nil {
		return refusal
	}
	roster := parents[0].roster
	for _, p := range parents[1:] {
		roster = g.union(roster, p.roster)
	}
	if refusal := g.checkChain(o, roster); refusal != nil {
		return refusal
	}
	if refusal := g.checkOwnPast(o, roster); refusal != nil {
		return refusal
	}
	if refusal := g.checkCounts(o, s, h, parents); refusal != nil {
		return refusal
	}
	if refusal := checkStanding(roster, o, s); refusal != nil {
		return refusal
	}
	if refusal := g.checkSchemas(o, s); refusal != nil {
		return refusal
	}
	o.roster = roster.With(g.carried(o, s)...)
	return nil
}

// checkFounding is rule 1 for an op without a mesh. Its totals and writes are
// then judged as every other op's, by the roster its own statements make.
func (g *Graph) checkFounding(o *Op, s *Signed) *Refusal {
	h := s.Header()
	if len(h.Parents) > 0 || h.Prev != nil || h.Depth != 1 || h.Epoch != 0 || h.Statements == nil {
		return refusef(ReasonFounding, "%d parents, seq %d, depth %d, epoch %d, %d statements",
			len(h.Parents), h.Seq, h.Depth, h.Epoch, len(s.statements))
	}
	if g.mesh != nil && *g.mesh != s.id {
		return refusef(ReasonMesh, "a founding op of its own")
	}
	roster := identity.EmptyRoster().With(g.carried(o, s)...)
	if _, ok := roster.Author(h.Author); !ok {
		return refusef(ReasonFounder, "author %v", h.Author)
	}
	o.author = &author{key: h.Author}
	o.roster = roster
	g.place(o)
	if refusal := g.checkCounts(o, s, h, nil); refusal != nil {
		return refusal
	}
	if refusal := checkStanding(roster, o, s); refusal != nil {
		return refusal
	}
	return g.checkSchemas(o, s)
}

// checkParents is rule 2: at least one, none in the past of another.
func checkParents(parents []*Op) *Refusal {
	if len(parents) == 0 {
		return refusef(ReasonNoParents, "only the founding op has none")
	}
	for _, p := range parents {
		for _, q := range parents {
			if p.InPast(q) {
				return refusef(ReasonAntichain, "%v is in the past of %v", q.id, p.id)
			}
		}
	}
	return nil
}

// checkPrev is rule 3, prev is in the past. It fills in the op's place in causality.
func (g *Graph) checkPrev(o *Op, parents []*Op, h *Header) *Refusal {
	if o.author = g.authors[h.Author]; o.author == nil {
		o.author = &author{key: h.Author}
	}
	var prev *Op
	if h.Prev != nil {
		prev = g.ops[*h.Prev] // if it is not here, it is in no op's past
		if prev == nil || !inPastOf(parents, prev) {
			return refusef(ReasonPrevPast, "prev %v", *h.Prev)
		}
	}
	o.prev[0] = prev
	if len(parents) > 1 || parents[0] != prev {
		o.parents = parents
	}
	g.place(o)
	for _, p := range parents {
		o.past = union(o.past, p.past)
	}
	for _, p := range parents {
		if p.chain != o.chain {
			o.past = o.past.raise(p.chain, p.pos+1)
		}
	}
	return nil
}

// inPastOf reports whether a is one of ops or in the past of one.
func inPastOf(ops []*Op, a *Op) bool {
	for _, o := range ops {
		if o == a || o.InPast(a) {
			return true
		}
	}
	return false
}

// checkOwnPast is rule 5: of its author, the op's past holds only prev and
// prev's chain, and of other keys at the author's place nothing. What prev's past holds of the author is that chain, since prev
// is valid, so that only what the op's past holds beyond it is to be looked at.
func (g *Graph) checkOwnPast(o *Op, roster *identity.Roster) *Refusal {
	for _, key := range roster.Siblings(o.author.key) {
		if a := g.authors[key]; a != nil {
			for _, c := range a.chains {
				if o.past.get(c) > 0 {
					return refusef(ReasonForkedPast, "%v is of %v, at the place of the author", g.chains[c].ops[0].id, key)
				}
			}
		}
	}
	if o.author.chains == nil {
		return nil // the author's first op
	}
	var before *clock
	prevChain, prevCount := o.chain, uint32(0)
	if prev := o.prev[0]; prev != nil && prev.author == o.author {
		before = prev.past
		prevChain, prevCount = prev.chain, prev.pos+1
	}
	var found *Op
	over(o.past, before, func(c, n, _ uint32) bool {
		if g.chains[c].author != o.author || c == prevChain && n <= prevCount || c == o.chain {
			return true
		}
		found = g.chains[c].ops[n-1]
		return false
	})
	if found != nil {
		return refusef(ReasonForkedPast, "%v is not on the chain of prev", found.id)
	}
	return nil
}

// checkCounts is rules 6 to 8: depth, epoch and running totals.
func (g *Graph) checkCounts(o *Op, s *Signed, h *Header, parents []*Op) *Refusal {
	var depth uint64
	for _, p := range parents {
		depth = max(depth, p.depth)
	}
	if h.Depth != depth+1 {
		return refusef(ReasonDepth, "depth %d, want %d", h.Depth, depth+1)
	}
	if refusal := g.checkEpoch(o, h.Epoch); refusal != nil {
		return refusal
	}
	var bytes, writes uint64
	if prev := o.prev[0]; prev != nil {
		bytes, writes = prev.bytes, prev.writes
	}
	if h.Bytes != bytes+h.Size {
		return refusef(ReasonBytes, "%d bytes, want %d", h.Bytes, bytes+h.Size)
	}
	if n := uint64(s.writes); h.Writes != writes+n {
		return refusef(ReasonWrites, "%d writes, want %d", h.Writes, writes+n)
	}
	return nil
}

// checkEpoch is rule 7: no op of the past claims the window that o claims. Ops
// that claim the same one are outside of each other's past, so each is of another
// chain: where they are more than the nodes, authors have forked.
func (g *Graph) checkEpoch(o *Op, epoch uint64) *Refusal {
	if epoch > MaxEpoch {
		return refusef(ReasonEpoch, "epoch %d, at most %d", epoch, MaxEpoch)
	}
	o.epoch = uint32(epoch)
	for _, claim := range g.claims[o.epoch] {
		if o.InPast(claim) {
			return refusef(ReasonEpoch, "epoch %d is claimed by %v", epoch, claim.id)
		}
	}
	return nil
}

// checkStanding is rule 9: by the roster of its past the author is enrolled and not
// revoked, may write all that the op writes, and stays within its quotas.
func checkStanding(roster *identity.Roster, o *Op, s *Signed) *Refusal {
	standing := roster.Standing(o.author.key)
	if err := standing.Err(); err != nil {
		return standingRefusal(err)
	}
	for _, t := range s.transactions {
		if err := mayWrite(standing, t); err != nil {
			return standingRefusal(err)
		}
	}
	if bytes, writes := standing.Quota(); bytes != 0 && o.bytes > bytes || writes != 0 && o.writes > writes {
		return refusef(ReasonQuota, "%d bytes and %d writes, the quota is %d and %d (0 is none)", o.bytes, o.writes, bytes, writes)
	}
	if v := roster.Version(); v != version {
		return refusef(ReasonNotVersion, "version %d, want %d", version, v)
	}
	return nil
}

// mayWrite returns why the transaction is not within role, grant and policy, nil if it is.
func mayWrite(standing *identity.Standing, t Transaction) error {
	for i := range t {
		var err error
		if w := &t[i]; w.Kind == DeleteRange {
			err = standing.MayWriteRange(w.Key, w.End)
		} else {
			err = standing.MayWrite(w.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func standingRefusal(err error) *Refusal {
	reason := ReasonGrant
	switch {
	case errors.Is(err, identity.ErrNotEnrolled):
		reason = ReasonNotEnrolled
	case errors.Is(err, identity.ErrRevoked):
		reason = ReasonRevoked
	case errors.Is(err, identity.ErrReader):
		reason = ReasonReader
	case errors.Is(err, identity.ErrLocal), errors.Is(err, identity.ErrOwned):
		reason = ReasonPolicy
	}
	return &Refusal{Reason: reason, Detail: err}
}

// carried returns the statements of s as the roster takes them, o being where
// s stands: without those that keep what is not in o's past.
func (g *Graph) carried(o *Op, s *Signed) []identity.Carried {
	var list []identity.Carried
	for i, statement := range s.statements {
		keep, ok := g.keep(o, statement)
		if !ok {
			continue
		}
		list = append(list, identity.Carried{
			Statement: statement,
			Op:        s.id,
			At:        o,
			Author:    s.header.Author,
			Seq:       s.header.Seq,
			Index:     i,
			Founding:  s.header.Mesh == nil,
			Keep:      keep,
		})
	}
	return list
}

// keep returns the ops that a statement's keep heads name, or false if one is
// not in o's past.
func (g *Graph) keep(o *Op, s *identity.Statement) ([]identity.Place, bool) {
	var keep []identity.Place
	for _, id := range s.KeepHeads() {
		head, ok := g.ops[id]
		if !ok || !o.InPast(head) {
			return nil, false
		}
		keep = append(keep, head)
	}
	return keep, true
}

package admin

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

const (
	// previewKeys bounds the different keys that a preview counts.
	previewKeys = 1 << 20
	// previewSample is how many of them it names.
	previewSample = 20
)

// NewPreview says what statements would change if node carried them in an op on
// all heads of g. transactions returns the transactions of an op of g. The error is its, or ctx's.
func NewPreview(ctx context.Context, g *dag.Graph, node identity.PublicKey, statements []*identity.Statement,
	transactions func(*dag.Op) ([]dag.Transaction, error)) (Preview, error) {
	before := g.Roster()
	p := Preview{Statements: []StatementEffect{}, Fall: []StatementName{}, Return: []StatementName{},
		Operators: []MemberChange{}, Nodes: []MemberChange{}}
	var carried []identity.Carried
	for i, s := range statements {
		e := StatementEffect{ID: s.ID(), Kind: s.Kind().String(), Issuer: s.Issuer, Known: before.Statement(s.ID()) != nil}
		keep, missing := places(g, s.KeepHeads())
		if missing != nil {
			e.Reason = fmt.Sprintf("its keep head %s is not delivered here", missing)
		} else {
			carried = append(carried, identity.Carried{Statement: s, Author: node, Seq: nextSeq(g, node), Index: i, Keep: keep})
		}
		p.Statements = append(p.Statements, e)
	}
	after := before.With(carried...)
	given := make(map[identity.StatementID]bool, len(statements))
	for i, s := range statements {
		given[s.ID()] = true
		e := &p.Statements[i]
		if e.Stands = after.Stands(s.ID()); !e.Stands && e.Reason == "" {
			e.Reason = "its issuer may not say this, or what it builds on does not stand"
		}
	}
	p.compare(before, after, given)
	void, counting := newReach(), newReach()
	for i, op := range g.Affected(before, after) {
		if i%256 == 0 && ctx.Err() != nil {
			return Preview{}, ctx.Err()
		}
		ts, err := transactions(op)
		if err != nil {
			return Preview{}, err
		}
		was, is := dag.Judge(before, op), dag.Judge(after, op)
		for _, t := range ts {
			switch a, b := was.Void(t) != nil, is.Void(t) != nil; {
			case b && !a:
				void.add(op, t)
			case a && !b:
				counting.add(op, t)
			}
		}
	}
	p.Void, p.Counting = void.reach(), counting.reach()
	for _, e := range p.Statements {
		p.Effect = p.Effect || e.Stands && !before.Stands(e.ID)
	}
	p.Effect = p.Effect || len(p.Fall)+len(p.Return)+len(p.Operators)+len(p.Nodes)+p.Void.Ops+p.Counting.Ops > 0
	return p, nil
}

// nextSeq returns the seq of node's next op, as far as g knows.
func nextSeq(g *dag.Graph, node identity.PublicKey) uint64 {
	seq := uint64(1)
	for _, tip := range g.Tips(node) {
		seq = max(seq, tip.Seq()+1)
	}
	return seq
}

// places returns the ops with those IDs, or the first that g does not hold.
func places(g *dag.Graph, ids [][32]byte) (ops []identity.Place, missing *dag.ID) {
	for _, id := range ids {
		op, ok := g.Get(id)
		if !ok {
			return nil, (*dag.ID)(&id)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// reachCount adds up a Reach.
type reachCount struct {
	Reach
	last *dag.Op
	seed maphash.Seed
	seen map[uint64]struct{}
}

func newReach() *reachCount {
	return &reachCount{seed: maphash.MakeSeed(), seen: make(map[uint64]struct{})}
}

func (r *reachCount) add(op *dag.Op, t dag.Transaction) {
	if op != r.last {
		r.last = op
		r.Ops++
	}
	r.Transactions++
	for i := range t {
		if t[i].Kind == dag.DeleteRange {
			r.Ranges++
			continue
		}
		h := maphash.Bytes(r.seed, t[i].Key)
		if _, ok := r.seen[h]; ok || len(r.seen) >= previewKeys {
			continue
		}
		r.seen[h] = struct{}{}
		if len(r.Sample) < previewSample {
			r.Sample = append(r.Sample, slices.Clone(t[i].Key))
		}
	}
}

func (r *reachCount) reach() Reach {
	r.Keys = int64(len(r.seen))
	r.Sample = notNil(r.Sample)
	slices.SortFunc(r.Sample, slices.Compare)
	return r.Reach
}

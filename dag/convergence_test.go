package dag_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/rostertest"
)

var (
	seeds = flag.Uint64("seeds", 500, "how many random worlds TestRosterConvergence tries")
	seed  = flag.Uint64("seed", 0, "the first of them")
)

const worldOps = 40

// TestRosterConvergence: random worlds delivered in random causal orders. Each
// replica holds the same ops, refuses the others for the same reason, and agrees on the roster
// and on which transactions count, with the other replicas and with the
// reference, at the end and on the way. Whatever a new roster changes is among [dag.Graph.Affected].
func TestRosterConvergence(t *testing.T) {
	var keys [][]byte
	for _, key := range dagtest.Keys {
		keys = append(keys, []byte(key))
	}
	for s := *seed; s < *seed+*seeds && !t.Failed(); s++ {
		w := dagtest.GrowMerging(t, s, worldOps)
		ref := newReference()
		reasons := make(map[dag.ID]dag.Reason)
		for _, op := range w.Ops {
			reasons[op.ID()] = ref.add(op)
		}
		whole, carried := verdictsOf(ref.ops), carriedBy(ref.ops)
		rng := rand.New(rand.NewPCG(s, 1))
		for replica := range 2 {
			r := replay{t: t, seed: s, g: dag.NewGraph(), ref: ref, reasons: reasons, everyStep: replica == 0}
			order := w.Shuffle(rng)
			middle := rng.IntN(len(order))
			var then *identity.Roster
			for i, op := range order {
				r.add(op)
				if i == middle {
					then = r.g.Roster()
					r.check(verdictsOf(r.delivered()))
				}
			}
			r.check(whole)
			r.checkAffected(then, r.g.Roster())
			if err := rostertest.Check(r.g.Roster(), carried, []identity.Place{nil}, keys); err != nil {
				t.Errorf("seed %d: the roster: %v", s, err)
			}
		}
		if t.Failed() {
			t.Logf("again: go test ./dag -run %s -seed %d -seeds 1", t.Name(), s)
		}
	}
}

// A replay is a replica of a world.
type replay struct {
	t         *testing.T
	seed      uint64
	g         *dag.Graph
	ref       *reference
	reasons   map[dag.ID]dag.Reason
	everyStep bool
	ops       []*dag.Op
}

func (r *replay) add(s *dag.Signed) {
	before := r.g.Roster()
	o, _, err := r.g.Add(s)
	if got, want := dag.ReasonOf(err), r.reasons[s.ID()]; got != want || err != nil && got == 0 {
		r.t.Errorf("seed %d: op %v: %v, want %v", r.seed, s.ID(), err, want)
	}
	if err != nil {
		return
	}
	r.ops = append(r.ops, o)
	if after := r.g.Roster(); r.everyStep && after != before {
		r.checkAffected(before, after)
	}
}

// checkAffected compares the verdicts by two rosters, op by op.
func (r *replay) checkAffected(before, after *identity.Roster) {
	affected := make(map[*dag.Op]bool)
	for _, o := range r.g.Affected(before, after) {
		affected[o] = true
	}
	for _, o := range r.ops {
		if affected[o] {
			continue
		}
		s := r.ref.ops[o.ID()]
		a, b := dag.Judge(before, o), dag.Judge(after, o)
		for _, t := range s.Transactions() {
			if (a.Void(t) == nil) != (b.Void(t) == nil) {
				r.t.Errorf("seed %d: op %v is affected: %v before, %v after", r.seed, o.ID(), a.Void(t), b.Void(t))
			}
			for _, key := range dagtest.Keys {
				if a.Passes([]byte(key)) != b.Passes([]byte(key)) {
					r.t.Errorf("seed %d: op %v is affected: it passes over %s before: %v", r.seed, o.ID(), key, a.Passes([]byte(key)))
				}
			}
		}
	}
}

func (r *replay) delivered() map[dag.ID]*refOp {
	set := make(map[dag.ID]*refOp)
	for _, o := range r.ops {
		set[o.ID()] = r.ref.ops[o.ID()]
	}
	return set
}

// A verdict is what the reference says of an op.
type verdict struct {
	void   []error // of each transaction
	passes map[string]bool
}

func verdictsOf(ops map[dag.ID]*refOp) map[dag.ID]verdict {
	roster := rosterOf(ops)
	verdicts := make(map[dag.ID]verdict)
	for id, o := range ops {
		v := verdict{passes: make(map[string]bool)}
		author := o.Header().Author
		for _, t := range o.Transactions() {
			v.void = append(v.void, refVoid(roster, author, o, t, true))
		}
		a, _ := roster.AuthorAt(author, o)
		for _, key := range dagtest.Keys {
			rule, ok := roster.Rule(o, []byte(key))
			v.passes[key] = ok && (rule.Mode == identity.ModeLocal || rule.Mode == identity.ModeOwned && *rule.Owner != a.Operator)
		}
		verdicts[id] = v
	}
	return verdicts
}

// check compares all verdicts with the reference's.
func (r *replay) check(want map[dag.ID]verdict) {
	roster := r.g.Roster()
	for _, o := range r.ops {
		got, want := dag.Judge(roster, o), want[o.ID()]
		for i, t := range r.ref.ops[o.ID()].Transactions() {
			if err := got.Void(t); !same(err, want.void[i]) {
				r.t.Errorf("seed %d: op %v, transaction %d: %v, want %v", r.seed, o.ID(), i, err, want.void[i])
			}
		}
		for key, passes := range want.passes {
			if got := got.Passes([]byte(key)); got != passes {
				r.t.Errorf("seed %d: op %v passes over %s: %v, want %v", r.seed, o.ID(), key, got, passes)
			}
		}
	}
}

// same reports whether two errors are of one kind.
func same(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return errors.Is(a, dag.ErrForm) && errors.Is(b, dag.ErrForm) || refReason(a) == refReason(b)
}

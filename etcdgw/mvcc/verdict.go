package mvcc

import (
	"bytes"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/identity"
)

// judge says which transactions count, and which keys are the node's own
// (docs/roster.md). A nil one lets everything count, and no key be local.
type judge interface {
	// judgementOf returns what may be said of the transactions of op.
	judgementOf(op *dag.Op) judgement
	// local reports whether the policy of now says that key is local.
	local(key []byte) bool
	// merges reports whether the policy of now says that what this node puts at
	// key merges with what others put.
	merges(key []byte) bool
}

// judgement is what a roster says of one operation: a [dag.Judgement].
type judgement interface {
	// Void returns why t, a transaction of the operation, does not count, nil if it does.
	Void(t dag.Transaction) error
	// Passes reports whether a range delete of the operation passes over key.
	Passes(key []byte) bool
	// Form returns what policy demands of a value that a put of the operation
	// leaves at key, nil for nothing.
	Form(key []byte) *identity.Form
}

// verdicts remembers the judgement of the operation asked for last.
type verdicts struct {
	judge
	op *dag.Op
	is judgement
}

// of returns the judgement of op, nil if everything of it counts.
func (j *verdicts) of(op *dag.Op) judgement {
	if j.judge == nil {
		return nil
	}
	if j.op != op {
		j.op, j.is = op, j.judgementOf(op)
	}
	return j.is
}

// void reports whether transaction t of op does not count.
func (j *verdicts) void(op *dag.Op, t dag.Transaction) bool {
	is := j.of(op)
	return is != nil && is.Void(t) != nil
}

// passes reports whether a range delete of op passes over key.
func (j *verdicts) passes(op *dag.Op, key []byte) bool {
	is := j.of(op)
	return is != nil && is.Passes(key)
}

// fit returns what says whether a value may stand that a put of op leaves at
// key, nil if any may.
func (j *verdicts) fit(op *dag.Op, key []byte) *crdt.Fit {
	form := j.form(op, key)
	if form == nil {
		return nil
	}
	key = bytes.Clone(key)
	return &crdt.Fit{Check: func(value []byte) bool { return dag.CheckForm(form, key, value) == nil }, Parts: dag.FormParts}
}

func (j *verdicts) form(op *dag.Op, key []byte) *identity.Form {
	if is := j.of(op); is != nil {
		return is.Form(key)
	}
	return nil
}

// sameForm reports whether a and b demand the same.
func sameForm(a, b *identity.Form) bool {
	return a == b || a != nil && b != nil && a.Kind == b.Kind && slices.Equal(a.Versions, b.Versions)
}

// isLocal reports whether key is this node's own by the policy of now.
func (j *verdicts) isLocal(key []byte) bool { return j.judge != nil && j.judge.local(key) }

// merges reports whether what this node puts at key merges with what others put.
func (j *verdicts) merges(key []byte) bool { return j.judge == nil || j.judge.merges(key) }

// byRoster is a roster as a judge.
type byRoster struct {
	roster *identity.Roster
	rules  []identity.PolicyRule // of now, in order of precedence
	locals bool                  // whether one of them is local
	whole  bool                  // whether one of them has values that are never merged
}

func judgeBy(r *identity.Roster) *byRoster {
	b := &byRoster{roster: r, rules: r.Policy()}
	b.locals = slices.ContainsFunc(b.rules, isLocalRule)
	b.whole = slices.ContainsFunc(b.rules, isWholeRule)
	return b
}

func isWholeRule(r identity.PolicyRule) bool { return r.Mode == identity.ModeLWW }

// merges implements judge. What its owner alone may write, too, its nodes may
// write concurrently.
func (b *byRoster) merges(key []byte) bool {
	if !b.whole {
		return true
	}
	rule, ok := b.roster.PolicyOf(key)
	return !ok || !isWholeRule(rule)
}

func isLocalRule(r identity.PolicyRule) bool { return r.Mode == identity.ModeLocal }

func (b *byRoster) judgementOf(op *dag.Op) judgement { return dag.Judge(b.roster, op) }

func (b *byRoster) local(key []byte) bool {
	if !b.locals {
		return false
	}
	rule, ok := b.roster.PolicyOf(key)
	return ok && isLocalRule(rule)
}

// switchedSpans returns ranges with all keys that are local by one of two
// rosters and not by the other. A nil one has no rules.
func switchedSpans(before, after *byRoster) []span {
	var was []identity.PolicyRule
	if before != nil {
		was = before.rules
	}
	same := func(a, b identity.PolicyRule) bool { return a.Pattern == b.Pattern && isLocalRule(a) == isLocalRule(b) }
	if slices.EqualFunc(was, after.rules, same) {
		return nil
	}
	var set spanSet
	for _, rules := range [...][]identity.PolicyRule{was, after.rules} {
		for _, r := range rules {
			if isLocalRule(r) {
				set.add(spanOfPattern(r.Pattern))
			}
		}
	}
	return set.spans()
}

// spanOfPattern returns a range with all keys that p matches: those that begin
// as p does up to its first wildcard.
func spanOfPattern(p identity.Pattern) span {
	var prefix []byte
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			return spanOfPrefix(prefix)
		case '\\':
			i++
		}
		prefix = append(prefix, p[i])
	}
	return spanOf(prefix, nil)
}

func spanOfPrefix(prefix []byte) span {
	end := bytes.TrimRight(prefix, "\xff")
	if len(end) == 0 {
		return span{key: string(prefix), open: true}
	}
	end = bytes.Clone(end)
	end[len(end)-1]++
	return span{key: string(prefix), end: string(end)}
}

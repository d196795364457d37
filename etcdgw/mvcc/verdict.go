package mvcc

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// judge says which transactions count, and which keys are the node's own
// (docs/roster.md). A nil one lets everything count, and no key be local.
type judge interface {
	// judge returns what may be said of the transactions of op.
	judge(op *dag.Op) judgement
	// local reports whether the policy of now says that key is local.
	local(key []byte) bool
}

// judgement is what a roster says of one operation: a [dag.Judgement].
type judgement interface {
	// Void returns why t, a transaction of the operation, does not count, nil if it does.
	Void(t dag.Transaction) error
	// Passes reports whether a range delete of the operation passes over key.
	Passes(key []byte) bool
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
		j.op, j.is = op, j.judge.judge(op)
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

// isLocal reports whether key is this node's own by the policy of now.
func (j *verdicts) isLocal(key []byte) bool { return j.judge != nil && j.judge.local(key) }

// rosterJudge returns what r says; a nil r lets everything count.
func rosterJudge(r *identity.Roster) judge {
	if r == nil {
		return nil
	}
	return byRoster{r}
}

// byRoster is a roster as a judge.
type byRoster struct{ roster *identity.Roster }

func (b byRoster) judge(*dag.Op) judgement { return nil }

func (b byRoster) local(key []byte) bool {
	rule, ok := b.roster.PolicyOf(key)
	return ok && rule.Mode == identity.ModeLocal
}

func switchedSpans(before, after *identity.Roster) []span {
	return []span{{open: true}}
}

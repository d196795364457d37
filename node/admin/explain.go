package admin

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// ruling is a rule of a policy in force, with what decides between rules that match the same key.
type ruling struct {
	rule     identity.PolicyRule
	policy   identity.Restriction
	position int // in the statement
}

// The steps by which one rule goes before another (docs/roster.md, section 7).
const (
	byPriority  = "priority"
	byRank      = "rank"      // its issuer is nearer to the root
	bySeq       = "seq"       // of one operator, the later statement
	byStatement = "statement" // the lesser statement ID
	byOrder     = "order"     // the later rule of the statement
)

// compare returns a negative number if a goes before b, and why.
func (a ruling) compare(b ruling) (int, string) {
	id := func(p *identity.StatementID) (id identity.StatementID) {
		if p != nil {
			id = *p
		}
		return id
	}
	s, t := a.policy.Statement, b.policy.Statement
	if c := cmp.Compare(b.rule.Priority, a.rule.Priority); c != 0 {
		return c, byPriority
	}
	if c := cmp.Compare(a.policy.Rank, b.policy.Rank); c != 0 {
		return c, byRank
	}
	if id(a.policy.By) == id(b.policy.By) {
		if c := cmp.Compare(t.Seq, s.Seq); c != 0 {
			return c, bySeq
		}
	}
	if c := s.ID().Compare(t.ID()); c != 0 {
		return c, byStatement
	}
	return cmp.Compare(b.position, a.position), byOrder
}

// Explain says how r keeps a key, and whether node may write it.
func Explain(r *identity.Roster, node identity.PublicKey, key []byte) Explanation {
	e := Explanation{Key: bytes.Clone(key), Mode: identity.ModeMerge, Others: []OtherRule{}}
	var matching []ruling
	for _, p := range r.Policies() {
		if !p.InForce {
			continue
		}
		for i, rule := range p.Statement.Content.(identity.Policy).Rules {
			if rule.Pattern.Match(key) {
				matching = append(matching, ruling{rule, p, i})
			}
		}
	}
	slices.SortFunc(matching, func(a, b ruling) int {
		c, _ := a.compare(b)
		return c
	})
	for i, m := range matching {
		rule, id := newRule(m.rule), m.policy.Statement.ID()
		if i > 0 {
			_, why := matching[0].compare(m)
			e.Others = append(e.Others, OtherRule{Rule: rule, Statement: id, Why: why})
			continue
		}
		e.Mode, e.Rule, e.Statement, e.As = m.rule.Mode, &rule, &id, m.policy.By
		e.Issuer = &m.policy.Statement.Issuer
		if e.As != nil {
			e.AsName = operatorName(r, *e.As)
		}
		if m.rule.Owner != nil {
			e.Owner = operatorName(r, *m.rule.Owner)
		}
	}
	e.MayWrite = true
	if err := r.Standing(node).MayWrite(key); err != nil && e.Mode != identity.ModeLocal {
		e.MayWrite, e.Reason = false, err.Error()
	}
	return e
}

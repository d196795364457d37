package identity

import (
	"cmp"
	"slices"
	"sync"
)

// A policy is a policy statement that stands.
type policy struct {
	*issued
	content Policy
	by      []*policy // what policies supersede it with the right to
}

// enact registers a policy that stands.
func (f *frame) enact(s *issued, c Policy) {
	s.ended = f.endedBy(s, func(e *issued) bool { return e.entry.statement.Kind() != KindPolicy })
	f.policies = append(f.policies, &policy{issued: s, content: c})
}

// A ruleBook holds the rules of all policies that stand and that nothing but a
// policy ended, in order of precedence, and which of them hold where.
type ruleBook struct {
	rules []bookRule
	heads []Place // the greatest of what policies keep: what is within none is judged by the policy of now

	mu    sync.Mutex
	now   *policyRules
	cache map[string]*policyRules // by which policies keep the place
}

type bookRule struct {
	*PolicyRule
	from *policy
}

// finishPolicies puts the rules in order: docs/roster.md, section 7.
func (f *frame) finishPolicies() {
	byID := make(map[StatementID]*policy, len(f.policies))
	for _, p := range f.policies {
		byID[p.id()] = p
	}
	var keep []Place
	for _, p := range f.policies {
		for _, e := range f.ends[p.id()] {
			if q := byID[e.id()]; q != nil && (e.by == p.issued.by || e.by.above(p.issued.by)) {
				p.by = append(p.by, q)
			}
		}
		keep = append(keep, p.entry.keep...)
		if p.ended != nil {
			continue
		}
		for i := range slices.Backward(p.content.Rules) {
			f.rules.rules = append(f.rules.rules, bookRule{&p.content.Rules[i], p})
		}
	}
	slices.SortStableFunc(f.rules.rules, func(a, b bookRule) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.from.compare(b.from))
	})
	f.rules.heads = greatest(keep)
}

// compare orders policies by precedence among rules of one priority.
func (p *policy) compare(q *policy) int {
	a, b := p.issued, q.issued
	return cmp.Or(cmp.Compare(a.by.Rank, b.by.Rank), a.by.ID.Compare(b.by.ID),
		cmp.Compare(b.entry.statement.Seq, a.entry.statement.Seq), a.id().Compare(b.id()))
}

// policyAt returns the rules that hold at a place; after everything if that is nil.
func (f *frame) policyAt(at Place) *policyRules {
	b := &f.rules
	outside := at == nil || !within(b.heads, at)
	b.mu.Lock()
	defer b.mu.Unlock()
	if outside {
		if b.now == nil {
			b.now = f.compileRules(make([]byte, len(f.policies)))
		}
		return b.now
	}
	kept := make([]byte, len(f.policies))
	for i, p := range f.policies {
		if within(p.entry.keep, at) {
			kept[i] = 1
		}
	}
	rules := b.cache[string(kept)]
	if rules == nil {
		rules = f.compileRules(kept)
		if b.cache == nil || len(b.cache) >= maxClasses {
			b.cache = map[string]*policyRules{}
		}
		b.cache[string(kept)] = rules
	}
	return rules
}

// maxClasses bounds how many classes of places are remembered, of a frame for
// policy and of an author for restrictions. Places of a class are judged alike.
const maxClasses = 64

// compileRules returns the rules that hold where those policies are kept out
// that have a 1 in kept.
func (f *frame) compileRules(kept []byte) *policyRules {
	out := make(map[*policy]bool, len(f.policies))
	for i, p := range f.policies {
		out[p] = kept[i] == 1
	}
	r := &policyRules{}
	for _, rule := range f.rules.rules {
		if out[rule.from] || slices.ContainsFunc(rule.from.by, func(q *policy) bool { return !out[q] }) {
			continue
		}
		r.rules = append(r.rules, rule.PolicyRule)
		if slot := r.root.slot(rule.Pattern); *slot == 0 {
			*slot = uint64(len(r.rules))
		}
	}
	r.root.settle()
	return r
}

// policyRules are rules in order of precedence, by pattern.
type policyRules struct {
	rules []*PolicyRule
	root  matcher // a value is 1 + the index of the rule
}

// of returns the rule that holds for key, or nil.
func (r *policyRules) of(key []byte) *PolicyRule {
	if n := r.root.first(key, 0); n > 0 {
		return r.rules[n-1]
	}
	return nil
}

// greatest returns the operations of heads that are in the past of no other of
// them, each once. Of more than maxGreatest it returns all.
func greatest(heads []Place) []Place {
	seen := make(map[Place]bool, len(heads))
	var all []Place
	for _, h := range heads {
		if !seen[h] {
			seen[h] = true
			all = append(all, h)
		}
	}
	if len(all) > maxGreatest {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(h Place) bool {
		return slices.ContainsFunc(all, func(b Place) bool { return h.InPastOf(b) })
	})
}

// maxGreatest bounds the comparisons of [greatest].
const maxGreatest = 512

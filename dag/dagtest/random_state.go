package dagtest

import (
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// statements returns what a node carries in an op with that past.
func (w *World) statements(n worldNode, seen map[dag.ID]bool) []*identity.Statement {
	var list []*identity.Statement
	for w.chance(45) && len(list) < 4 {
		if len(w.stated) > 0 && w.chance(20) {
			list = append(list, w.stated[w.rng.IntN(len(w.stated))])
			continue
		}
		if s := w.state(n, seen); s != nil {
			w.stated = append(w.stated, s)
			list = append(list, s)
		}
	}
	return list
}

// state makes a statement, nil if the one it thought of makes no sense.
func (w *World) state(n worldNode, seen map[dag.ID]bool) *identity.Statement {
	switch k := w.rng.IntN(100); {
	case k < 12:
		return w.admit()
	case k < 27:
		return w.enrol()
	case k < 41:
		return w.rotate(n)
	case k < 57:
		return w.revoke(seen)
	case k < 67:
		return w.narrow(seen)
	case k < 75:
		return w.widen(seen)
	case k < 84:
		return w.policy(seen)
	case k < 87:
		by := w.rng.IntN(len(w.operators))
		subject := w.nodes[w.rng.IntN(len(w.nodes))].enrolment
		if w.chance(50) {
			subject = w.operators[w.rng.IntN(len(w.operators))].id
		}
		return w.issue(by-1, identity.Statement{Content: identity.Quota{Subject: subject, Bytes: 500 * w.rng.Uint64N(4), Writes: 4 * w.rng.Uint64N(4)}})
	case k < 91:
		return w.invite(n)
	case k < 95:
		return w.redeem()
	case k < 99:
		if len(w.votes) == 0 {
			return nil
		}
		vote := w.votes[w.rng.IntN(len(w.votes))]
		return w.issue(-1, identity.Statement{Content: identity.Endorse{Statement: vote.ID()}})
	default:
		return w.issue(-1, identity.Statement{Content: identity.Version{Version: 1 + w.rng.Uint64N(8)/7}})
	}
}

// issue signs a statement as an operator, -1 for a founder, and now and then
// forks the chain of its issuer.
func (w *World) issue(by int, draft identity.Statement) *identity.Statement {
	key := w.Mesh.FounderKey(w.rng.IntN(w.founders))
	if by >= 0 {
		o := w.operators[by]
		key, draft.As = o.key, &o.id
	}
	if w.chance(10) {
		draft.Seq = 1
	}
	slices.SortFunc(draft.Supersedes, identity.StatementID.Compare)
	s := w.Mesh.Issue(key, draft)
	if by < 0 && s.Kind() != identity.KindEndorse {
		w.votes = append(w.votes, s)
	}
	return s
}

// above returns the operator itself or one of its sponsors, -1 for the root;
// rarely one who has no say.
func (w *World) above(operator int) int {
	if w.chance(8) {
		return w.rng.IntN(len(w.operators)+1) - 1
	}
	for operator >= 0 && w.chance(50) {
		operator = w.operators[operator].sponsor
	}
	return operator
}

// keep returns keep heads: some of the past, most of it, all or nothing, rarely what is not in it.
func (w *World) keep(seen map[dag.ID]bool) [][32]byte {
	switch k := w.rng.IntN(10); {
	case k < 1:
		return nil
	case k < 3:
		return keepHeads(w.heads(seen))
	case k < 4:
		return keepHeads([]dag.ID{w.Ops[w.rng.IntN(len(w.Ops))].ID()})
	case k < 7:
		return keepHeads([]dag.ID{w.pick(seen)})
	}
	return keepHeads(w.heads(w.Mesh.Past(w.pick(seen), w.pick(seen))))
}

func (w *World) grant(within identity.Grant) identity.Grant {
	g := identity.Grant{Role: identity.Role(1 + w.rng.IntN(3)), Nodes: 1 + w.rng.Uint64N(2)}
	if w.chance(50) {
		g.Role = identity.RoleAdmin
	}
	for range 1 + w.rng.IntN(2) {
		p := worldPatterns[w.rng.IntN(len(worldPatterns))]
		if w.chance(95) && !slices.ContainsFunc(within.Patterns, func(q identity.Pattern) bool { return q.Contains(p) }) {
			p = within.Patterns[w.rng.IntN(len(within.Patterns))]
		}
		g.Patterns = append(g.Patterns, p)
	}
	return g
}

func (w *World) granted(by int) identity.Grant {
	if by < 0 {
		return w.operators[0].grant
	}
	return w.operators[by].grant
}

func (w *World) name() string {
	w.names++
	return fmt.Sprint("w", w.names)
}

func (w *World) admit() *identity.Statement {
	by := w.rng.IntN(len(w.operators)+1) - 1
	name, g := w.name(), w.grant(w.granted(by))
	key := w.Mesh.Key("operator " + name)
	if w.chance(10) {
		key = w.operators[w.rng.IntN(len(w.operators))].key // who serves several
	}
	s := w.issue(by, identity.Statement{Content: identity.Admit{Name: name, Keys: []identity.PublicKey{key.Public()}, Grant: g}})
	w.operators = append(w.operators, worldOperator{s.ID(), key, by, g})
	return s
}

func (w *World) invite(host worldNode) *identity.Statement {
	by := w.rng.IntN(len(w.operators)+1) - 1
	name, g := w.name(), w.grant(w.granted(by))
	ticket := w.Mesh.Key("ticket " + name)
	s := w.issue(by, identity.Statement{Content: identity.Invite{Ticket: ticket.Public(), Host: host.key.Public(), Grant: g}})
	w.invites = append(w.invites, worldInvite{s.ID(), ticket, by, g})
	return s
}

// redeem redeems an invite, now and then a second time, on whatever node's chain.
func (w *World) redeem() *identity.Statement {
	if len(w.invites) == 0 {
		return nil
	}
	invite, name := w.invites[w.rng.IntN(len(w.invites))], w.name()
	key := w.Mesh.Key("operator " + name)
	s := w.Mesh.Issue(invite.ticket, identity.Statement{Seq: 1, Content: identity.Redeem{Invite: invite.id, Name: name, Keys: []identity.PublicKey{key.Public()}}})
	w.operators = append(w.operators, worldOperator{s.ID(), key, invite.by, invite.grant})
	return s
}

// enrol enrols a new node, rarely one that has a place, in a slot that may be taken.
func (w *World) enrol() *identity.Statement {
	by := w.rng.IntN(len(w.operators))
	key := w.Mesh.Key("node " + w.name())
	if w.chance(5) {
		key = w.nodes[w.rng.IntN(len(w.nodes))].key
	}
	o := w.operators[by]
	slot := w.rng.Uint64N(o.grant.Nodes + 1)
	s := w.issue(by, identity.Statement{Content: identity.Enrol{Slot: slot, Node: key.Public(), Rotations: w.rng.Uint64N(4),
		Consent: identity.SignConsent(w.Mesh.Founding.ID(), o.id, slot, key)}})
	w.nodes = append(w.nodes, worldNode{key, s.ID(), by, slot, 0, w.rng.IntN(worldSites)})
	return s
}

// rotate rotates the key of the node that will carry it, mostly to the next index.
func (w *World) rotate(n worldNode) *identity.Statement {
	key := w.Mesh.Key("node " + w.name())
	index := n.index + 1
	if w.chance(20) {
		index = 1 + w.rng.Uint64N(4)
	}
	s := w.Mesh.Issue(n.key, identity.Statement{Content: identity.Rotate{Enrolment: n.enrolment, Index: index, Key: key.Public(),
		Consent: identity.SignRotationConsent(w.Mesh.Founding.ID(), n.enrolment, index, key)}})
	w.nodes = append(w.nodes, worldNode{key, n.enrolment, n.operator, n.slot, index, n.site})
	return s
}

func (w *World) revoke(seen map[dag.ID]bool) *identity.Statement {
	var subject identity.StatementID
	var key *identity.PublicKey
	operator := w.rng.IntN(len(w.operators))
	switch k := w.rng.IntN(10); {
	case k < 4:
		subject = w.operators[operator].id
		operator = w.operators[operator].sponsor
	case k < 9 || len(w.invites) == 0:
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		subject, operator = n.enrolment, n.operator
		if w.chance(40) {
			public := n.key.Public()
			key = &public
		}
	default:
		invite := w.invites[w.rng.IntN(len(w.invites))]
		subject, operator = invite.id, invite.by
	}
	return w.restrict(w.above(operator), nil, func(keep [][32]byte) identity.Content {
		return identity.Revoke{Subject: subject, Key: key, Keep: keep}
	}, seen)
}

func (w *World) narrow(seen map[dag.ID]bool) *identity.Statement {
	o := w.operators[w.rng.IntN(len(w.operators))]
	return w.restrict(w.above(o.sponsor), nil, func(keep [][32]byte) identity.Content {
		g := w.grant(o.grant)
		return identity.Narrow{Operator: o.id, Role: g.Role, Patterns: g.Patterns, Nodes: g.Nodes, Keep: keep}
	}, seen)
}

// restrict issues a restriction that others may supersede later.
func (w *World) restrict(by int, supersedes []identity.StatementID, content func([][32]byte) identity.Content, seen map[dag.ID]bool) *identity.Statement {
	s := w.issue(by, identity.Statement{Supersedes: supersedes, Content: content(w.keep(seen))})
	w.ends = append(w.ends, worldRestriction{s.ID(), by, content})
	return s
}

// widen supersedes one or two restrictions: by nothing, or by another of the same subject.
func (w *World) widen(seen map[dag.ID]bool) *identity.Statement {
	if len(w.ends) == 0 {
		return nil
	}
	r := w.ends[w.rng.IntN(len(w.ends))]
	supersedes := []identity.StatementID{r.id}
	if other := w.ends[w.rng.IntN(len(w.ends))]; other.id != r.id && w.chance(30) {
		supersedes = append(supersedes, other.id)
	}
	by := r.by
	if w.chance(30) {
		by = w.above(by)
	}
	if w.chance(50) {
		return w.issue(by, identity.Statement{Supersedes: supersedes, Content: identity.Readmit{}})
	}
	return w.restrict(by, supersedes, r.again, seen)
}

func (w *World) policy(seen map[dag.ID]bool) *identity.Statement {
	by := w.rng.IntN(len(w.operators)+1) - 1
	return w.restrict(by, nil, func(keep [][32]byte) identity.Content {
		var rules []identity.PolicyRule
		for _, p := range w.grant(w.granted(by)).Patterns {
			rule := identity.PolicyRule{Pattern: p, Priority: w.rng.Uint64N(2), Mode: identity.Mode(1 + w.rng.IntN(4))}
			switch {
			case rule.Mode == identity.ModeOwned:
				owner := w.operators[w.rng.IntN(len(w.operators))].id
				rule.Owner = &owner
			case w.chance(30):
				rule.Form = &identity.Form{Kind: "Pod", Versions: []string{"v1"}}
			}
			rules = append(rules, rule)
		}
		return identity.Policy{Rules: rules, Keep: keep}
	}, seen)
}

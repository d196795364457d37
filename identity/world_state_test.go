package identity_test

import (
	"encoding/binary"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// issuer picks as whom to speak and with which key: mostly one that may.
func (w *world) issuer() (key string, as *identity.StatementID) {
	if w.rng.IntN(4) == 0 {
		return pick(w, w.founders), nil
	}
	a := pick(w, w.admitted)
	id := a.ID()
	if w.rng.IntN(15) == 0 {
		return pick(w, worldOperators), &id
	}
	return a.key, &id
}

func (w *world) grant() identity.Grant {
	g := identity.Grant{Role: identity.RoleAdmin, Nodes: uint64(1 + w.rng.IntN(3))}
	if w.rng.IntN(3) == 0 {
		g.Role = identity.Role(1 + w.rng.IntN(3))
	}
	for range 1 + w.rng.IntN(2) {
		g.Patterns = append(g.Patterns, pick(w, worldPatterns))
	}
	return g
}

// keep picks keep heads in the past of o.
func (w *world) keep(o *op) (keep [][32]byte) {
	for range w.rng.IntN(4) {
		head := w.ops[w.rng.IntN(len(w.ops))]
		if o.past[head] {
			var id [32]byte
			binary.BigEndian.PutUint64(id[:], uint64(head.id))
			keep = append(keep, id)
		}
	}
	slices.SortFunc(keep, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(keep)
}

// supersede picks what a new restriction supersedes.
func (w *world) supersede() (ids []identity.StatementID) {
	for range w.rng.IntN(3) {
		ids = append(ids, pick(w, w.limits).ID())
	}
	slices.SortFunc(ids, identity.StatementID.Compare)
	return slices.Compact(ids)
}

// state makes a random statement for o to carry.
func (w *world) state(o *op) *identity.Statement {
	key, as := w.issuer()
	mesh := &w.mesh
	limit := func(s *identity.Statement) *identity.Statement {
		w.limits = append(w.limits, s)
		return s
	}
	var s *identity.Statement
	switch n := w.rng.IntN(30); {
	case n < 5:
		who := pick(w, worldOperators)
		s = w.sign(mesh, key, as, nil, identity.Admit{Name: who, Keys: pubs(who, pick(w, worldOperators)), Grant: w.grant()})
		w.admitted = append(w.admitted, admitted{s, who})
	case n < 10:
		s = w.enrol(mesh)
	case n < 14:
		s = w.rotate(o)
	case n < 17:
		s = limit(w.sign(mesh, key, as, w.supersede(), w.revoke(o)))
	case n < 19:
		g := w.grant()
		s = limit(w.sign(mesh, key, as, w.supersede(), identity.Narrow{Operator: pick(w, w.admitted).ID(), Role: g.Role, Patterns: g.Patterns, Nodes: g.Nodes, Keep: w.keep(o)}))
	case n < 22:
		s = limit(w.sign(mesh, key, as, w.supersede(), identity.Policy{Rules: w.rules(), Keep: w.keep(o)}))
	case n < 23:
		s = w.sign(mesh, key, as, append(w.supersede(), pick(w, w.limits).ID())[:1], identity.Readmit{})
	case n < 24:
		subject := pick(w, w.admitted).ID()
		if w.rng.IntN(2) == 0 {
			subject = pick(w, w.enrolled).ID()
		}
		s = limit(w.sign(mesh, key, as, w.supersede(), identity.Quota{Subject: subject, Bytes: w.rng.Uint64N(4), Writes: w.rng.Uint64N(4)}))
	case n < 25:
		s = w.sign(mesh, pick(w, w.founders), nil, nil, identity.Version{Version: w.rng.Uint64N(3)})
	case n < 27:
		ticket := pick(w, []string{"t1", "t2"})
		s = w.sign(mesh, key, as, nil, identity.Invite{Ticket: pub(ticket), Host: pub(o.author), Grant: w.grant()})
		w.invites = append(w.invites, admitted{s, ticket})
	case n < 29 && len(w.invites) > 0:
		who, i := pick(w, worldOperators), pick(w, w.invites)
		s = w.sign(mesh, i.key, nil, nil, identity.Redeem{Invite: i.ID(), Name: who, Keys: pubs(who)})
		w.admitted = append(w.admitted, admitted{s, who})
	default:
		if len(w.votes) == 0 {
			return pick(w, w.said)
		}
		return w.sign(mesh, pick(w, w.founders), nil, nil, identity.Endorse{Statement: pick(w, w.votes).ID()})
	}
	if s.As == nil && slices.Contains(w.founders, key) {
		w.votes = append(w.votes, s)
	}
	return s
}

func (w *world) enrol(mesh *[32]byte) *identity.Statement {
	a, node, slot := pick(w, w.admitted), pick(w, worldNodes), w.rng.Uint64N(3)
	id, signer := a.ID(), worldKey(node)
	if w.rng.IntN(15) == 0 {
		signer = worldKey("stranger")
	}
	s := w.sign(mesh, a.key, &id, nil, identity.Enrol{Slot: slot, Node: pub(node), Rotations: w.rng.Uint64N(5),
		Consent: identity.SignConsent(w.mesh, id, slot, signer)})
	w.enrolled = append(w.enrolled, s)
	return s
}

// rotate makes a rotation by o's author, or by a random key.
func (w *world) rotate(o *op) *identity.Statement {
	e := pick(w, w.enrolled)
	by := o.author
	if w.rng.IntN(3) > 0 { // of an enrolment of its own
		for _, s := range w.enrolled {
			if s.Content.(identity.Enrol).Node == pub(by) {
				e = s
			}
		}
	}
	if w.rng.IntN(10) == 0 {
		by = pick(w, worldNodes)
	}
	key, index := pick(w, worldNodes), 1+w.rng.Uint64N(4)
	return w.sign(&w.mesh, by, nil, nil, identity.Rotate{Enrolment: e.ID(), Index: index, Key: pub(key),
		Consent: identity.SignRotationConsent(w.mesh, e.ID(), index, worldKey(key))})
}

func (w *world) revoke(o *op) identity.Revoke {
	r := identity.Revoke{Keep: w.keep(o)}
	switch n := w.rng.IntN(8); {
	case n < 4:
		r.Subject = pick(w, w.admitted).ID()
	case n < 7 || len(w.invites) == 0:
		r.Subject = pick(w, w.enrolled).ID()
		if n == 6 {
			key := pub(pick(w, worldNodes))
			r.Key = &key
		}
	default:
		r.Subject = pick(w, w.invites).ID()
	}
	return r
}

func (w *world) rules() (rules []identity.PolicyRule) {
	for range 1 + w.rng.IntN(2) {
		r := identity.PolicyRule{Pattern: pick(w, worldPatterns), Priority: w.rng.Uint64N(2), Mode: identity.Mode(1 + w.rng.IntN(4))}
		if r.Mode == identity.ModeOwned {
			owner := pick(w, w.admitted).ID()
			r.Owner = &owner
		}
		rules = append(rules, r)
	}
	return rules
}

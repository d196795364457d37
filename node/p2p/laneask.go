package p2p

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// taken is a statement that the peer gave, its signature good.
type taken struct {
	*identity.Statement
	carrier *dag.ID // of what is known by its carrier only
	ruinous bool    // to carry it would end this node's own chain
}

// ask asks the peer for the statements that this node lacks and that would
// stand here, for the past of their keep heads, and gives them to the backend.
func (s *laneSession) ask(ctx context.Context) error {
	all, err := s.askStatements()
	if err != nil {
		return err
	}
	useful := s.sift(all)
	s.markRuinous(useful)
	err = s.askPast(ctx, s.missing(useful))
	s.consider(ctx, useful) // what is whole does not wait for the past of others
	if err != nil {
		return err
	}
	return s.frames.write((&question{kind: laneDone}).encode())
}

// askStatements returns what the peer has and this node has not, at most maxTaken.
func (s *laneSession) askStatements() (all []taken, err error) {
	q := &question{kind: laneList, set: s.l.currentDesk().set}
	_, _ = rand.Read(q.salt[:]) // it never fails
	p, err := s.exchange(q, maxLaneFrame)
	if err != nil {
		return nil, err
	}
	shorts, err := decodeListed(p)
	if err != nil || len(shorts) == 0 {
		return nil, err
	}
	have := s.l.names(&q.salt)
	shorts = slices.DeleteFunc(shorts, func(name short) bool { return have[name] })
	shorts = shorts[:min(len(shorts), maxTaken)]
	for part := range slices.Chunk(shorts, maxGiven) {
		p, err := s.exchange(&question{kind: laneGive, shorts: part}, maxGivenFrame)
		if err != nil {
			return nil, err
		}
		got, err := decodeGiven(p)
		if err != nil {
			return nil, err
		}
		for _, g := range got {
			t, err := s.check(g, part, &q.salt)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// names returns the salted names of the statements that this node needs no more.
func (l *lanes) names(salt *laneSalt) map[short]bool {
	roster := l.n.backend.Graph().Roster()
	have := make(map[short]bool)
	for _, s := range roster.Statements() {
		have[salt.short(s.ID())] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.declined {
		have[salt.short(id)] = true
	}
	return have
}

// check decodes a statement that the peer gave for one of the names. A correct
// peer gives none that is malformed, or signed badly.
func (s *laneSession) check(g given, names []short, salt *laneSalt) (taken, error) {
	statement, err := identity.DecodeStatement(slices.Clone(g.statement))
	if err != nil {
		return taken{}, fmt.Errorf("%w: statement: %w", ErrMalformed, err)
	}
	name := salt.short(statement.ID())
	_, asked := slices.BinarySearchFunc(names, name, func(a, b short) int { return bytes.Compare(a[:], b[:]) })
	switch {
	case !asked:
		return taken{}, errNotAsked
	case statement.Mesh == nil || dag.ID(*statement.Mesh) != s.n.mesh:
		return taken{}, fmt.Errorf("%w: statement", ErrMesh)
	case !statement.VerifySignature():
		return taken{}, fmt.Errorf("%w: the statement's signature does not verify", ErrMalformed)
	}
	return taken{Statement: statement, carrier: g.carrier}, nil
}

// sift returns the statements that would stand here once they are carried,
// and declines the others until the roster changes.
func (s *laneSession) sift(all []taken) (useful []taken) {
	roster := s.n.backend.Graph().Roster()
	with := roster.With(s.carried(roster, all)...)
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for _, t := range all {
		if with.Stands(t.ID()) {
			useful = append(useful, t)
		} else if len(s.l.declined) < maxOffered {
			s.l.declined[t.ID()] = true
		}
	}
	s.n.metrics.statements.WithLabelValues("useful").Add(float64(len(useful)))
	s.n.metrics.statements.WithLabelValues("idle").Add(float64(len(all) - len(useful)))
	return useful
}

// carried returns the statements as an op after everything would carry them:
// for a redeem or a rotate that of whoever must. What is not here of keep
// heads is taken to be the founding op, so that they keep no more than they do.
func (s *laneSession) carried(roster *identity.Roster, all []taken) []identity.Carried {
	g := s.n.backend.Graph()
	invites := make(map[identity.StatementID]*identity.Statement)
	for _, t := range all {
		invites[t.ID()] = t.Statement
	}
	var carried []identity.Carried
	for i, t := range all {
		c := identity.Carried{Statement: t.Statement, Author: s.n.self, Seq: afterAll, Index: i}
		switch content := t.Content.(type) {
		case identity.Rotate:
			c.Author = t.Issuer
		case identity.Redeem:
			invite := roster.Statement(content.Invite)
			if invite == nil {
				invite = invites[content.Invite]
			}
			if invite != nil {
				if invite, ok := invite.Content.(identity.Invite); ok {
					c.Author = invite.Host
				}
			}
		}
		for _, head := range t.KeepHeads() {
			op, ok := g.Get(head)
			if !ok {
				op = g.Founding()
			}
			if op != nil {
				c.Keep = append(c.Keep, op)
			}
		}
		carried = append(carried, c)
	}
	return carried
}

// afterAll is the seq of an op that is made of a statement at some time, on a chain as it will be by then.
const afterAll = 1 << 62

// missing returns the ops that the statements need and that are not here: keep
// heads, and the carriers of what counts by who carries it. Ascending, at most maxWanted.
func (s *laneSession) missing(useful []taken) []dag.ID {
	g := s.n.backend.Graph()
	var ids []dag.ID
	want := func(id dag.ID) {
		if _, ok := g.Get(id); !ok {
			ids = append(ids, id)
		}
	}
	for _, t := range useful {
		for _, head := range t.KeepHeads() {
			want(head)
		}
		if t.carrier != nil && t.byCarrier() {
			want(*t.carrier)
		}
	}
	slices.SortFunc(ids, dag.ID.Compare)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), maxWanted)]
}

// byCarrier reports whether the statement must be delivered with an op that
// carries it: a redeem and a rotate count by who does.
func (t *taken) byCarrier() bool {
	return t.Kind() == identity.KindRedeem || t.Kind() == identity.KindRotate || t.ruinous
}

// markRuinous finds the statements that revoke this node. In an op of its own it
// would have them in its past for ever: if its chain is forked, too, not even
// its old key could then name a new one after it was readmitted. So it takes
// the op by which a peer has them, unless the peer names none.
func (s *laneSession) markRuinous(useful []taken) {
	roster := s.n.backend.Graph().Roster()
	if roster.Standing(s.n.self).Err() != nil {
		return
	}
	rest := slices.Clone(useful)
	for len(rest) > 0 {
		a, ok := roster.With(s.carried(roster, rest)...).Author(s.n.self)
		if !ok || a.Revoked == nil {
			return
		}
		of := func(t taken) bool { return t.ID() == *a.Revoked }
		i := slices.IndexFunc(useful, of)
		if i < 0 {
			return
		}
		useful[i].ruinous = useful[i].carrier != nil
		rest = slices.DeleteFunc(rest, of)
	}
}

// consider gives the backend what it can carry by now. That it may not is no
// matter of the peer's.
func (s *laneSession) consider(ctx context.Context, useful []taken) {
	g := s.n.backend.Graph()
	var whole []*identity.Statement
	for _, t := range useful {
		lacks := func(id [32]byte) bool { _, ok := g.Get(id); return !ok }
		if !t.byCarrier() && !slices.ContainsFunc(t.KeepHeads(), lacks) {
			whole = append(whole, t.Statement)
		}
	}
	for part := range slices.Chunk(whole, dag.MaxStatements) {
		carried, err := s.n.backend.Consider(ctx, part)
		if err != nil {
			s.n.log.Warn("cannot carry statements that a peer showed", "peer", s.peer.String(), "statements", len(part), "error", err)
			return
		}
		s.n.metrics.statements.WithLabelValues("carried").Add(float64(len(carried)))
		if len(carried) > 0 {
			s.n.log.Info("carried statements that a peer showed", "peer", s.peer.String(), "statements", len(carried))
		}
	}
}

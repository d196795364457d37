package p2p

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile"
)

// askPast takes the wanted ops and their past, as far as the budgets go; if the
// peer's end them that is no error, and the next session goes on from there.
func (s *laneSession) askPast(ctx context.Context, wanted []dag.ID) error {
	g := s.n.backend.Graph()
	var foreign []dag.ID // delivered, of authors that may not write here
	asked, room := wanted, maxLaneOps
	for _, strict := range []bool{false, true} {
		if wanted = lackedOf(g, wanted); len(wanted) == 0 {
			break
		}
		got, cut, err := s.pull(ctx, &question{kind: lanePast, wanted: wanted, strict: strict, tips: tips(g)}, &room)
		if foreign = append(foreign, got...); err != nil {
			return err
		}
		if cut {
			return nil
		}
	}
	return s.checkForeign(g, foreign, asked)
}

// lackedOf returns those of ids that g does not hold, in a new slice.
func lackedOf(g *dag.Graph, ids []dag.ID) (lacked []dag.ID) {
	for _, id := range ids {
		if _, ok := g.Get(id); !ok {
			lacked = append(lacked, id)
		}
	}
	return lacked
}

// tips states what g holds: the last op of each author, of each branch of a
// forker. What is beyond the bound will be sent once more.
func tips(g *dag.Graph) (all []tip) {
	for _, author := range g.Authors() {
		for _, op := range g.Tips(author) {
			if len(all) < maxTips {
				all = append(all, tip{author, op.Seq(), op.ID()})
			}
		}
	}
	return all
}

// pull asks for ops and takes them as they come. It returns those delivered
// whose author may not write here, and whether the answer was cut.
func (s *laneSession) pull(ctx context.Context, q *question, room *int) (foreign []dag.ID, cut bool, err error) {
	p, err := s.exchange(q, reconcile.MaxFrame)
	if err != nil {
		return nil, false, err
	}
	for {
		ops, more, err := decodeLaneOps(p)
		if err != nil {
			return foreign, false, err
		}
		if *room -= len(p); *room < 0 {
			return foreign, false, fmt.Errorf("%w: ops of a session", ErrBudget)
		}
		got, err := s.take(ctx, ops)
		if foreign = append(foreign, got...); err != nil {
			return foreign, false, err
		}
		if more != moreFrames {
			return foreign, more == moreCut, nil
		}
		if len(ops) == 0 {
			return foreign, false, fmt.Errorf("%w: an empty frame that is not the last", reconcile.ErrProtocol)
		}
		if p, err = s.frames.read(); err != nil {
			return foreign, false, err
		}
	}
}

// take verifies ops and admits them. It returns those whose author may not
// write here, which have a budget of their own: others' would come by sync as well.
func (s *laneSession) take(ctx context.Context, ops []*dag.Unverified) (foreign []dag.ID, err error) {
	roster := s.n.backend.Graph().Roster()
	for _, u := range ops {
		if mesh := u.Header().Mesh; u.ID() != s.n.mesh && (mesh == nil || *mesh != s.n.mesh) {
			return nil, fmt.Errorf("%w: op %v", ErrMesh, u.ID())
		}
		if roster.Standing(u.Header().Author).Err() == nil {
			continue
		}
		if !s.mayStore(len(u.Block()) + len(u.Body())) {
			return nil, fmt.Errorf("%w: ops of those who may not write", ErrBudget)
		}
		foreign = append(foreign, u.ID())
	}
	signed, errs := dag.Verify(ops)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if err := s.n.delivery.synced(ctx, s.peer, s.n.reserve.sift(signed)); err != nil {
		return foreign, fmt.Errorf("%w: %w", errSettled, err)
	}
	return foreign, nil
}

// mayStore takes n bytes from the peer's budget and from everybody's, if both have them.
func (s *laneSession) mayStore(n int) bool {
	now := time.Now()
	ok := false
	s.n.peers.with(s.peer, func(st *peerState) { ok = st.lane.store.take(float64(n), now) })
	if !ok {
		return false
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.l.stored.take(float64(n), now)
}

// checkForeign finds ops that were not asked for, of authors that may not
// write here: all that was asked for is in the past of an op that is held by
// now, or the peer kept it back.
func (s *laneSession) checkForeign(g *dag.Graph, foreign, asked []dag.ID) error {
	var tops []*dag.Op
	for _, id := range asked {
		if op, ok := g.Get(id); ok {
			tops = append(tops, op)
		}
	}
	for _, id := range foreign {
		op, ok := g.Get(id)
		if ok && !slices.ContainsFunc(tops, func(top *dag.Op) bool { return top == op || top.InPast(op) }) {
			return fmt.Errorf("%w: op %v", errNotAsked, id)
		}
	}
	return nil
}

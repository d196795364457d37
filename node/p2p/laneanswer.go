package p2p

import (
	"context"
	"fmt"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile"
	"github.com/causeway-sync/causeway/identity"
)

// answer answers the peer's questions until it is done.
func (s *laneSession) answer(ctx context.Context) error {
	d := s.l.currentDesk()
	var of map[short]*identity.Statement
	for range maxQuestions {
		s.frames.limit = maxPastFrame
		p, err := s.frames.read()
		if err != nil {
			return err
		}
		q, err := decodeQuestion(p)
		if err != nil {
			return err
		}
		switch {
		case q.kind == laneDone:
			return nil
		case q.kind == laneList && of == nil:
			err = s.answerList(d, q, &of)
		case q.kind == laneGive && of != nil:
			err = s.answerGive(d, q, of)
		case q.kind == lanePast:
			err = s.answerPast(ctx, d, q)
		default:
			err = fmt.Errorf("%w: question of kind %d", reconcile.ErrProtocol, q.kind)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d questions", reconcile.ErrLimit, maxQuestions)
}

func (s *laneSession) answerList(d *desk, q *question, of *map[short]*identity.Statement) error {
	shorts, names := d.shorts(&q.salt)
	*of = names
	if q.set == d.set {
		shorts = nil
	}
	return s.frames.write(encodeShorts(laneListed, shorts))
}

func (s *laneSession) answerGive(d *desk, q *question, of map[short]*identity.Statement) error {
	revocation, by := d.revocation(s.key)
	var all []given
	for _, name := range q.shorts {
		statement := of[name]
		if statement == nil {
			continue
		}
		carrier := d.carrier(statement)
		if revocation != nil && statement.ID() == *revocation {
			carrier = by
		}
		all = append(all, given{statement.Encoded(), carrier})
	}
	s.n.metrics.statements.WithLabelValues("given").Add(float64(len(all)))
	return s.frames.write(encodeGiven(all))
}

// answerPast sends what the peer lacks of ops that it may ask for, and of
// their past, as far as the budgets go.
func (s *laneSession) answerPast(ctx context.Context, d *desk, q *question) error {
	g := s.n.backend.Graph()
	_, by := d.revocation(s.key)
	var wanted []*dag.Op
	for _, id := range q.wanted {
		if op, ok := g.Get(id); ok && (d.past[id] || by != nil && id == *by) {
			wanted = append(wanted, op)
		}
	}
	frame := laneOpsHead(moreFrames)
	end := func(more uint64) error {
		copy(frame, laneOpsHead(more))
		return s.frames.write(frame)
	}
	for _, op := range lacking(g, wanted, q) {
		block, body, err := s.n.backend.Fetch(op.ID())
		if err != nil {
			return err
		}
		if !s.mayServe(len(block) + len(body)) {
			return end(moreCut)
		}
		if len(frame)+len(block)+len(body) > reconcile.TargetFrame && len(frame) > len(laneOpsHead(moreFrames)) {
			if err := end(moreFrames); err != nil {
				return err
			}
			frame = laneOpsHead(moreFrames)
		}
		frame = append(append(frame, block...), body...)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return end(moreNone)
}

// lacking returns the wanted ops and their past without what the asker states
// to have, in causal order.
func lacking(g *dag.Graph, wanted []*dag.Op, q *question) []*dag.Op {
	if len(wanted) == 0 {
		return nil
	}
	var has []*dag.Op
	for _, t := range q.tips {
		if op, ok := g.Get(t.id); ok {
			has = append(has, op)
		} else if tips := g.Tips(t.author); !q.strict && len(tips) == 1 && tips[0].Seq() < t.seq {
			has = append(has, tips[0]) // an honest author's chain is a prefix of the asker's
		}
	}
	var lacks []*dag.Op
	for _, op := range g.Since(has) {
		for _, w := range wanted {
			if op == w || w.InPast(op) {
				lacks = append(lacks, op)
				break
			}
		}
	}
	return lacks
}

// mayServe takes n bytes from the peer's budget and from everybody's, if both have them.
func (s *laneSession) mayServe(n int) bool {
	now := time.Now()
	ok := false
	s.n.peers.with(s.peer, func(st *peerState) { ok = st.lane.serve.take(float64(n), now) })
	if !ok {
		return false
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.l.served.take(float64(n), now)
}

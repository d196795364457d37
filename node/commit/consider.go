package commit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// The statements of others that this node carries: considerBurst at once, then
// considerRate in a second. Each is in every roster for ever.
const (
	considerBurst = 64
	considerRate  = 1.0
)

// considerations bounds how many statements of others are carried.
type considerations struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time // of tokens
}

// take takes up to n, and returns how many it could.
func (c *considerations) take(n int, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		c.tokens = considerBurst
	} else {
		c.tokens = min(considerBurst, c.tokens+max(0, now.Sub(c.at).Seconds())*considerRate)
	}
	c.at = now
	n = min(n, int(c.tokens))
	c.tokens -= float64(n)
	return n
}

// Consider carries, of statements that somebody else gave this node, those by
// which its roster would become another one: they would stand, and do not yet. Restrictions
// are left out unless all their keep heads are delivered, and so is what only its own carrier can
// make count, a redeem and a rotation. It returns what is carried once the op is durable:
// nil if nothing is worth it. At most dag.MaxStatements are looked at. What goes beyond the rate is left
// out too: whoever gave it will show it again. Errors: those of [Pipeline.Carry].
func (p *Pipeline) Consider(ctx context.Context, statements []*identity.Statement) ([]identity.StatementID, error) {
	if len(statements) > dag.MaxStatements {
		return nil, fmt.Errorf("commit: %d statements to consider, at most %d", len(statements), dag.MaxStatements)
	}
	worth := p.worthCarrying(statements)
	if len(worth) == 0 {
		return nil, nil
	}
	worth = worth[:p.considered.take(len(worth), time.Now())]
	if len(worth) == 0 {
		return nil, nil
	}
	ids := make([]identity.StatementID, len(worth))
	encoded := make([][]byte, len(worth))
	for i, s := range worth {
		ids[i], encoded[i] = s.ID(), s.Encoded()
	}
	if _, err := p.Carry(ctx, encoded); err != nil {
		return nil, err
	}
	return ids, nil
}

// worthCarrying returns the statements that would stand in this node's roster
// and do not yet. They are looked at together: one may make another stand.
func (p *Pipeline) worthCarrying(statements []*identity.Statement) []*identity.Statement {
	roster := p.graph.Roster()
	var fresh []*identity.Statement
	var carried []identity.Carried
	for _, s := range statements {
		if k := s.Kind(); k == identity.KindRedeem || k == identity.KindRotate || roster.Stands(s.ID()) || !s.VerifySignature() {
			continue
		}
		keep, ok := p.delivered(s.KeepHeads())
		if !ok {
			continue
		}
		fresh = append(fresh, s)
		carried = append(carried, identity.Carried{Statement: s, Author: p.self, Index: len(carried), Keep: keep})
	}
	if len(fresh) == 0 {
		return nil
	}
	after := roster.With(carried...)
	worth := fresh[:0]
	for _, s := range fresh {
		if after.Stands(s.ID()) {
			worth = append(worth, s)
		}
	}
	return worth
}

// delivered returns the ops of those IDs, and whether all are in the graph.
func (p *Pipeline) delivered(ids [][32]byte) (ops []identity.Place, ok bool) {
	for _, id := range ids {
		op, ok := p.graph.Get(id)
		if !ok {
			return nil, false
		}
		ops = append(ops, op)
	}
	return ops, true
}

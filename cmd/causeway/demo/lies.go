package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/causeway-sync/causeway/dag"
)

// Lie is one thing the liar tried, and what came of it.
type Lie struct {
	What    string `json:"what"`
	At      string `json:"at"`      // the site it was told to
	Refused string `json:"refused"` // the reason that site gave
}

// admitLiar lets the liar join and behave, once.
func (r *run) admitLiar(ctx context.Context) (string, error) {
	ticket, err := r.north.invite(ctx, "/liar/**")
	if err != nil {
		return "", err
	}
	if r.liar, err = newLiar(ctx, ticket, r.sites()...); err != nil {
		return "", err
	}
	for _, m := range r.liar.mouths {
		if err := m.caughtUp(ctx); err != nil {
			return "", err
		}
	}
	m := r.liar.mouths[0]
	h, body := m.draft(nil, claimKey, "I am honest")
	if _, err := m.publish(ctx, r.liar.key, h, body); err != nil {
		return "", err
	}
	for _, s := range r.sites() {
		if err := s.await(ctx, claimKey, "I am honest"); err != nil {
			return "", err
		}
	}
	return "its first op is sound, and taken", nil
}

// caughtUp waits until m's ledger holds what its site does.
func (m *mouth) caughtUp(ctx context.Context) error {
	return until(ctx, "the liar has synced with "+m.at.name, func() (bool, error) {
		st, err := m.at.node.Status(ctx)
		if err != nil {
			return false, err
		}
		for _, h := range st.Heads {
			if _, ok := m.graph.Get(h); !ok {
				return false, nil
			}
		}
		return len(st.Heads) > 0, nil
	})
}

// last returns the liar's own last op before the fork, as m has it.
func (r *run) last(m *mouth) *dag.Op {
	tips := m.graph.Tips(r.liar.key.Public())
	if len(tips) == 0 {
		return nil
	}
	return tips[0]
}

// fork signs two ops with one prev, and gives one to north and one to west.
func (r *run) fork(ctx context.Context) (string, error) {
	north, west := r.liar.mouths[0], r.liar.mouths[2]
	for _, m := range r.liar.mouths {
		if err := m.caughtUp(ctx); err != nil {
			return "", err
		}
	}
	type branch struct {
		m    *mouth
		h    dag.Header
		body dag.Body
	}
	var branches []branch // both drafted before either is told
	for _, m := range []*mouth{north, west} {
		h, body := m.draft(r.last(m), claimKey, "I paid "+m.at.name)
		branches = append(branches, branch{m, h, body})
	}
	var ids []dag.ID
	for _, b := range branches {
		op, err := b.m.publish(ctx, r.liar.key, b.h, b.body)
		if err != nil {
			return "", err
		}
		ids = append(ids, op.ID())
	}
	for _, s := range r.sites() {
		err := until(ctx, s.name+" has both branches and the proof", func() (bool, error) {
			for _, id := range ids {
				if _, err := s.node.Op(ctx, id); err != nil {
					return false, nil
				}
			}
			st, err := s.node.Status(ctx)
			return st.Forks > 0, err
		})
		if err != nil {
			return "", err
		}
	}
	if err := r.agree(ctx); err != nil {
		return "", err
	}
	claim, err := r.east.get(ctx, claimKey)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("all sites hold both, can prove it, and read %q", claim), nil
}

// lie returns the step that tells one lie to one site until it is noticed.
func (r *run) lie(what string, to int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		m := r.liar.mouths[to]
		before, _, err := m.at.peer(ctx, r.liar.key.Public())
		if err != nil {
			return "", err
		}
		reason, told := before.Misconduct, time.Time{}
		err = until(ctx, m.at.name+" refuses it", func() (bool, error) {
			if time.Since(told) > time.Second { // the same bytes twice are gossiped once
				told = time.Now()
				block, body, err := r.tell(what, m)
				if err != nil {
					return false, err
				}
				m.say(block, body)
			}
			p, _, err := m.at.peer(ctx, r.liar.key.Public())
			reason = p.Misconduct
			return reason != before.Misconduct, err
		})
		if err != nil {
			return "", err
		}
		r.lies = append(r.lies, Lie{What: what, At: m.at.name, Refused: reason})
		return fmt.Sprintf("%s refuses it (%s) and shuts the liar out", m.at.name, reason), nil
	}
}

// tell makes the bytes of a lie.
func (r *run) tell(what string, m *mouth) (block, body []byte, err error) {
	switch what {
	case "forged signature":
		return m.forgeSignature(r.liar.key, r.east.node.Key())
	case "op of another mesh":
		return m.otherMesh(r.liar.key, r.last(m))
	}
	return m.outsideGrant(r.liar.key, r.last(m))
}

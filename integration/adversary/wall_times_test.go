package adversary

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestAbsurdWallTimes: ops from the beginning and the end of time. Wall times decide
// nothing, and what shows them to people takes any.
func TestAbsurdWallTimes(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	l := m.NewLiar(t, m.Liar(), m.Sites...)
	for i, wall := range []uint64{0, 1, 1 << 32, 1 << 53, math.MaxInt64, uint64(time.Now().Add(100 * 365 * 24 * time.Hour).UnixMilli())} {
		op := l.Sign(liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/wall", fmt.Sprint(i))}, Edit: func(h *dag.Header) { h.Wall = wall }})
		l.Take(op)
		l.Say(op)
		for _, s := range m.Sites {
			s.WaitFor(t, op.ID())
			s.Becomes(t, "/liar/wall", fmt.Sprint(i))
			s.Put(t, "/quiet/wall", "x")
			if _, err := s.Admin.Log(t.Context(), 5); err != nil {
				t.Errorf("%s: the log of operations: %v", s.Name, err)
			}
		}
	}
	m.Sites[0].Put(t, "/liar/wall", "now")
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/wall", "now")
	}
	harness.Run(t, "", "dag", "log", "--data-dir", m.Sites[0].Dir)
	w.Survived(t, Usual)
}

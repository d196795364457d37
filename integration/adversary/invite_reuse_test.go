package adversary

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/node/p2p"
)

// TestInviteReuse: a ticket that leaked is redeemed by many at once, again by the
// first, and after its host was killed. One operator is admitted.
func TestInviteReuse(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	host := m.Sites[0]
	text := harness.Run(t, "", "invite", "--data-dir", host.Dir, "--pattern", "/invited/**")
	ticket, err := p2p.ParseTicket(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	redeem := func(who string) error {
		_, err := p2p.Redeem(t.Context(), p2p.RedeemConfig{
			Ticket: ticket, Node: m.World.Key("invited node " + who), Operator: m.World.Key("invited operator " + who), Name: "invited",
		})
		return err
	}
	const thieves = 4 // as many as may try from one address at once
	errs := make([]error, thieves)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = redeem(string(rune('a' + i))) })
	}
	wg.Wait()
	admitted := 0
	for i, err := range errs {
		switch {
		case err == nil:
			admitted++
		case !errors.Is(err, p2p.ErrTicketUsed):
			t.Errorf("thief %d: %v, want that the ticket is used", i, err)
		}
	}
	if admitted != 1 {
		t.Errorf("%d operators were admitted by one ticket, want 1", admitted)
	}
	host.restart()
	if err := redeem("late"); !errors.Is(err, p2p.ErrTicketUsed) {
		t.Errorf("after the host was killed: %v, want that the ticket is used", err)
	}
	for _, s := range m.Sites {
		Eventually(t, s.Name+" knows one invited operator", func() bool {
			return strings.Count(rights(t, s), `"name": "invited"`) == 1
		})
		if s.Metric(t, "causeway_p2p_joins_total", Label("result", "used")) == 0 && s == host {
			t.Error("no metric counts the ticket's later uses")
		}
	}
	w.Survived(t, Usual)
}

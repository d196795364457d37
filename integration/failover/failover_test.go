package failover

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/causeway-sync/causeway/integration/harness"
)

// expect fails unless err is what a client must be told that was served by a
// gateway, and is now served by the same one or not.
func expect(t *testing.T, what string, err error, same bool) {
	t.Helper()
	switch {
	case same && err != nil:
		t.Errorf("%s at the same gateway: %v", what, err)
	case !same && !errors.Is(err, errStartOver):
		t.Errorf("%s at the other gateway: %v, want to be told to start over", what, err)
	}
}

// TestWatcherInEveryOrder: a watcher is served by either gateway in every order
// of four, while both are written to.
func TestWatcherInEveryOrder(t *testing.T) {
	a, b := twoGateways(t)
	gateways := []*harness.Node{a, b}
	for i, order := range orders(4) {
		c, at := new(client), -1
		for step, next := range order {
			n := gateways[next]
			if at < 0 {
				if err := c.list(n); err != nil {
					t.Fatal(err)
				}
				at = next
			}
			churn(t, gateways[(i+step)%2], fmt.Sprintf("watch-%d-%d", i, step))
			err := c.follow(n)
			expect(t, fmt.Sprintf("order %v, step %d: watcher", order, step), err, next == at)
			if err != nil {
				if err := c.list(n); err != nil {
					t.Fatal(err)
				}
				if err := c.follow(n); err != nil {
					t.Errorf("order %v, step %d: after starting over: %v", order, step, err)
				}
			}
			c.check(t, n)
			at = next
		}
	}
	harness.WaitEqual(t, patience, a, b)
	a.Stop()
	b.Stop()
}

// TestPagerInEveryOrder: a pager reads one page after the other from either
// gateway in every order of four, while both are written to.
func TestPagerInEveryOrder(t *testing.T) {
	a, b := twoGateways(t)
	gateways := []*harness.Node{a, b}
	for i, order := range orders(4) {
		p, at := new(pager), -1
		var want map[string]string
		for step, next := range order {
			n := gateways[next]
			err := p.pages(n, 1)
			if at < 0 {
				at = next
			}
			expect(t, fmt.Sprintf("order %v, step %d: pager", order, step), err, next == at)
			if err != nil || step == 0 {
				if err != nil {
					p = new(pager)
					if err := p.pages(n, 1); err != nil {
						t.Fatal(err)
					}
				}
				q := pager{revision: p.revision}
				if err := q.pages(n, 1<<20); err != nil {
					t.Fatal(err)
				}
				want = q.got
			}
			at = next
			churn(t, gateways[(i+step)%2], fmt.Sprintf("page-%d-%d", i, step))
		}
		if err := p.pages(gateways[at], 1<<20); err != nil {
			t.Errorf("order %v: the last pages: %v", order, err)
		}
		if !maps.Equal(p.got, want) {
			t.Errorf("order %v: the pages have %d keys together, the keyspace had %d", order, len(p.got), len(want))
		}
	}
	a.Stop()
	b.Stop()
}

// TestRestarts: the gateway that serves is killed at each step, and the next to
// serve is it, started again, or the other one.
func TestRestarts(t *testing.T) {
	for i, order := range [][]int{{0, 1, 0, 0, 1, 1}, {1, 1, 0, 1, 0, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			a, b := twoGateways(t)
			gateways := []*harness.Node{a, b}
			c, p, at := new(client), new(pager), -1
			for step, next := range order {
				n := gateways[next]
				if at < 0 {
					at = next
					if err := c.list(n); err != nil {
						t.Fatal(err)
					}
				}
				churn(t, gateways[1-next], fmt.Sprintf("far-%d-%d", i, step))
				churn(t, n, fmt.Sprintf("near-%d-%d", i, step))
				what := fmt.Sprintf("step %d", step)
				err := c.follow(n)
				expect(t, what+": watcher", err, next == at)
				if err != nil {
					if err := c.list(n); err != nil {
						t.Fatal(err)
					}
				}
				c.check(t, n)
				err = p.pages(n, 1)
				expect(t, what+": pager", err, next == at || p.revision == 0)
				if err != nil || p.whole {
					p = new(pager)
					if err := p.pages(n, 1); err != nil {
						t.Fatal(err)
					}
				}
				n.Kill()
				n.Start()
				at = next
			}
			harness.WaitEqual(t, patience, a, b)
			a.Stop()
			b.Stop()
		})
	}
}

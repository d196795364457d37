package failover

import (
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/causeway-sync/causeway/integration/harness"
)

// window returns the number of the window that n's revisions are in.
func window(n *harness.Node) int64 { return n.Status().Revision >> 40 }

// TestJoinersThatNeverMet lets two nodes join that do not hear of each other's
// window. A client that knows both, of which one runs at a time, goes on where it is served
// by the same one again, and is told to start over by the other. When the two have met
// at last, neither has to tell its clients anything.
func TestJoinersThatNeverMet(t *testing.T) {
	a, b, c := harness.NewNode(t), harness.NewNode(t), harness.NewNode(t)
	a.Start()
	for i := range stable { // several pages
		put(t, a, fmt.Sprintf("stable/%03d", i))
	}
	b.Join(a)
	c.Join(a)
	a.Stop()
	// What the founder knew before b claimed its window.
	early := t.TempDir()
	if err := os.CopyFS(early, regularFiles{os.DirFS(a.Dir)}); err != nil {
		t.Fatal(err)
	}
	makePrivate(t, early)
	late := a.Dir
	a.Start()
	b.Start()
	harness.WaitEqual(t, patience, a, b)
	b.Stop()
	a.Stop()
	a.Dir = early
	a.Start()
	c.Start()
	a.Kill()
	windowOfC := window(c)
	c.Stop()

	gateways := []*harness.Node{b, c}
	cl, p, at := new(client), new(pager), -1
	for step, next := range []int{0, 1, 0, 0, 1, 1} {
		n := gateways[next]
		n.Start()
		churn(t, n, fmt.Sprint(step))
		if at < 0 {
			at = next
			if err := cl.list(n); err != nil {
				t.Fatal(err)
			}
		}
		what := fmt.Sprintf("step %d", step)
		err := cl.follow(n)
		expect(t, what+": watcher", err, next == at)
		if err != nil {
			if err := cl.list(n); err != nil {
				t.Fatal(err)
			}
		}
		cl.check(t, n)
		err = p.pages(n, 1)
		expect(t, what+": pager", err, next == at || p.revision == 0)
		if err != nil {
			p = new(pager)
			if err := p.pages(n, 1); err != nil {
				t.Fatal(err)
			}
		}
		at = next
		n.Stop()
	}

	a.Dir = late
	for _, n := range []*harness.Node{a, b, c} {
		n.Start()
	}
	harness.WaitEqual(t, patience, a, b, c)
	if windowOfB := window(b); window(c) != windowOfC || windowOfB == windowOfC || window(a) != 0 {
		t.Errorf("windows %d, %d and %d, want 0, another one and %d as before", window(a), windowOfB, window(c), windowOfC)
	}
	for i, n := range []*harness.Node{c, b, a} {
		cl, p := client{maps.Clone(cl.state), cl.revision}, pager{revision: p.revision}
		expect(t, fmt.Sprintf("watcher of c, node %d", i), cl.follow(n), n == c)
		expect(t, fmt.Sprintf("pager of c, node %d", i), p.pages(n, 1), n == c)
	}
	for _, n := range []*harness.Node{a, b, c} {
		n.Stop()
	}
}

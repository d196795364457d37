package failover

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
)

// emptyGateways returns a founder and a node that joined it, in step, where there
// never was a key. The joined one may have changed its key, and so its window, twice.
func emptyGateways(t *testing.T, rotated bool) (a, b *harness.Node) {
	t.Helper()
	a, b = harness.NewNode(t), harness.NewNode(t)
	a.Start()
	b.Join(a)
	b.Start()
	for i := 0; rotated && i < 2; i++ {
		harness.Run(t, "", "key", "rotate", "--data-dir", b.Dir)
		b.Kill()
		b.Start()
	}
	harness.WaitEqual(t, patience, a, b)
	return a, b
}

// TestFromTheBeginning: a client that knows that there was no key goes on at either
// gateway, from revision 1, until it has seen one.
func TestFromTheBeginning(t *testing.T) {
	for i, order := range orders(3) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			a, b := emptyGateways(t, i%2 == 1)
			gateways := []*harness.Node{a, b}
			c := new(client)
			if err := c.list(gateways[order[0]]); err != nil || c.revision != 1 {
				t.Fatalf("the first list is at revision %d, %v, want 1", c.revision, err)
			}
			at := order[0]
			for step, next := range order {
				n := gateways[next]
				if step > 0 { // the first one who writes is that one, or is not
					churn(t, gateways[(i/2+step)%2], fmt.Sprint(step))
				}
				if step == 1 && i%3 == 0 {
					n.Kill()
					n.Start()
				}
				empty := client{revision: 1, state: map[string]string{}}
				if err := empty.follow(n); err != nil {
					t.Errorf("step %d: a watcher from revision 1: %v", step, err)
				}
				empty.check(t, n)
				if p := (pager{revision: 1}); p.pages(n, 1) != nil || len(p.got) != 0 || !p.whole {
					t.Errorf("step %d: %d keys at revision 1", step, len(p.got))
				}
				same := next == at || c.revision == 1
				err := c.follow(n)
				expect(t, fmt.Sprintf("step %d: watcher", step), err, same)
				if err != nil {
					if err := c.list(n); err != nil {
						t.Fatal(err)
					}
				}
				c.check(t, n)
				at = next
			}
			harness.WaitEqual(t, patience, a, b)
			// Once it is compacted, there is no going on from the beginning.
			for _, n := range gateways {
				r, err := n.KV().Range(t.Context(), &pb.RangeRequest{Key: []byte(root)})
				if err == nil {
					_, err = n.KV().Compact(t.Context(), &pb.CompactionRequest{Revision: r.Header.Revision})
				}
				if err != nil {
					t.Fatal(err)
				}
				empty, p := client{revision: 1}, pager{revision: 1}
				expect(t, "watcher from a compacted revision 1", empty.follow(n), false)
				expect(t, "pager at a compacted revision 1", p.pages(n, 1), false)
			}
			a.Stop()
			b.Stop()
		})
	}
}

// TestAheadOfAnEmptyGateway: a client that has seen keys at one gateway comes to one
// where nothing has arrived. It must neither wait for its revision there nor be
// told that there will be one.
func TestAheadOfAnEmptyGateway(t *testing.T) {
	a, b := emptyGateways(t, false)
	b.Stop()
	for i := range stable {
		put(t, a, fmt.Sprintf("stable/%03d", i))
	}
	c, p := new(client), new(pager)
	if err := c.list(a); err != nil {
		t.Fatal(err)
	}
	if err := p.pages(a, 1); err != nil {
		t.Fatal(err)
	}
	a.Stop()
	b.Start()
	expect(t, "watcher at the empty gateway", c.follow(b), false)
	expect(t, "pager at the empty gateway", p.pages(b, 1), false)
	if err := c.list(b); err != nil || c.revision != 1 || len(c.state) != 0 {
		t.Fatalf("after starting over: revision %d, %d keys, %v, want 1, none", c.revision, len(c.state), err)
	}
	// A watch that is open while the keys arrive.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := b.Watch().Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	create := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 2}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		t.Fatal(err)
	}
	a.Start()
	harness.WaitEqual(t, patience, a, b)
	last := int64(0)
	for seen := 0; seen < stable; {
		resp, err := stream.Recv()
		if err != nil || resp.Canceled || resp.Header.Revision < last {
			t.Fatalf("after %d events and revision %d: %v, %v", seen, last, resp, err)
		}
		last = resp.Header.Revision
		seen += len(resp.Events)
	}
	for _, n := range []*harness.Node{b, a} {
		c := client{revision: 1, state: map[string]string{}}
		if err := c.follow(n); err != nil {
			t.Error(err)
		}
		if c.check(t, n); len(c.state) != stable {
			t.Errorf("from revision 1 on there are %d keys, want %d", len(c.state), stable)
		}
	}
	a.Stop()
	b.Stop()
}

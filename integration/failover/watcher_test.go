package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/integration/harness"
)

// errStartOver is what a gateway says to a client whose revision it cannot serve.
var errStartOver = errors.New("compacted: start over")

// client is what a client keeps between calls, whichever gateway serves them:
// what it knows of the keyspace, and the revision up to which.
type client struct {
	state    map[string]string
	revision int64
}

// list reads the keyspace anew.
func (c *client) list(n *harness.Node) error {
	var p pager
	if err := p.pages(n, 1<<20); err != nil {
		return err
	}
	c.state, c.revision = p.got, p.revision
	return nil
}

// follow watches at n from after the last revision seen until everything that
// n has published is seen. The error is errStartOver, or one that n must not give.
func (c *client) follow(n *harness.Node) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	now, err := n.KV().Range(ctx, &pb.RangeRequest{Key: []byte(root)})
	if err != nil {
		return err
	}
	stream, err := n.Watch().Watch(ctx)
	if err != nil {
		return err
	}
	create := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: c.revision + 1}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return err
	}
	progress := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
	if err := stream.Send(progress); err != nil {
		return err
	}
	seen := c.revision
	for {
		resp, err := stream.Recv()
		switch {
		case status.Code(err) == codes.DeadlineExceeded:
			return fmt.Errorf("a watch from %d at a gateway at %d waits", c.revision+1, now.Header.Revision)
		case err != nil:
			return err
		case resp.Canceled && resp.CompactRevision > 0:
			return errStartOver
		case resp.Canceled:
			return fmt.Errorf("canceled: %q", resp.CancelReason)
		}
		for _, e := range resp.Events {
			// Every revision changes a key, so that a watch of all keys sees all revisions.
			if rev := e.Kv.ModRevision; rev != seen && rev != seen+1 && (seen != 1 || rev&(1<<34-1) != 1) {
				return fmt.Errorf("a hole: revision %d after %d", rev, seen)
			}
			seen = e.Kv.ModRevision
			c.apply(e)
		}
		c.revision = seen
		if resp.WatchId == -1 {
			if got := resp.Header.Revision; got < now.Header.Revision || got != seen {
				return fmt.Errorf("a hole: told of everything up to %d, saw up to %d, the gateway is at %d", got, seen, now.Header.Revision)
			}
			return nil
		}
	}
}

func (c *client) apply(e *mvccpb.Event) {
	if e.Type == mvccpb.Event_DELETE {
		delete(c.state, string(e.Kv.Key))
		return
	}
	c.state[string(e.Kv.Key)] = string(e.Kv.Value)
}

// check compares what the client knows with what n held at that revision.
func (c *client) check(t *testing.T, n *harness.Node) {
	t.Helper()
	p := pager{revision: c.revision}
	if err := p.pages(n, 1<<20); err != nil {
		t.Fatalf("read at the revision followed, %d: %v", c.revision, err)
	}
	if !maps.Equal(p.got, c.state) {
		t.Errorf("at revision %d the client knows %d keys, the gateway has %d; silently missed", c.revision, len(c.state), len(p.got))
	}
}

// pager reads the keyspace page by page, all at the revision of the first.
type pager struct {
	revision int64
	got      map[string]string
	next     string // key to go on from
	whole    bool   // all pages are read
}

// pages reads up to n pages. The error is errStartOver, or one that the gateway must not give.
func (p *pager) pages(n *harness.Node, pages int) error {
	const limit = 7
	if p.got == nil {
		p.got, p.next = make(map[string]string), root
	}
	for ; pages > 0 && !p.whole; pages-- {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		resp, err := n.KV().Range(ctx, &pb.RangeRequest{Key: []byte(p.next), RangeEnd: rootEnd, Limit: limit, Revision: p.revision})
		cancel()
		if s, _ := status.FromError(err); s.Code() == codes.OutOfRange && s.Message() == "etcdserver: mvcc: required revision has been compacted" {
			return errStartOver
		}
		if err != nil {
			return err
		}
		if p.revision == 0 {
			p.revision = resp.Header.Revision
		}
		for _, kv := range resp.Kvs {
			p.got[string(kv.Key)] = string(kv.Value)
			p.next = string(kv.Key) + "\x00"
		}
		p.whole = !resp.More
	}
	return nil
}

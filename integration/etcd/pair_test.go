package etcd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// pair is an etcd and a node that have been sent the same requests.
type pair struct {
	t          testing.TB
	etcd, node *site
	rev        int64 // the present revision, of the last header that etcd sent
}

// variants are the nodes to compare with etcd.
var variants = []struct {
	name  string
	start func(*testing.T) *site
}{
	{"founder", startFounder},
	{"joined", startJoined},
}

// startPair starts an etcd and a node. They end with the test.
func startPair(t *testing.T, start func(*testing.T) *site) *pair {
	t.Helper()
	p := &pair{t: t, node: start(t), etcd: startEtcd(t)}
	p.rev = p.etcd.rawHeader(t).Revision
	if rev := p.node.rawHeader(t).Revision; p.rev != 1 || rev != 1 {
		t.Fatalf("etcd and node begin at revisions %d and %d, want 1", p.rev, rev)
	}
	return p
}

// realign takes the revisions of the sites for equal, after a failure.
func (p *pair) realign() {
	p.rev = p.etcd.rawHeader(p.t).Revision
	if rev := p.node.rawHeader(p.t).Revision; rev > 1 {
		p.node.base = rev - p.rev
	}
}

// in returns the pair with its failures reported to t.
func (p *pair) in(t testing.TB) *pair {
	c := *p
	c.t = t
	return &c
}

// both runs fn for each site, at the same time.
func (p *pair) both(fn func(*site)) {
	var wg sync.WaitGroup
	wg.Go(func() { fn(p.etcd) })
	fn(p.node)
	wg.Wait()
}

// do sends req to both sites, compares what comes and returns etcd's answer.
func (p *pair) do(req proto.Message) outcome {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
	defer cancel()
	var want, got outcome
	p.both(func(s *site) {
		if out := s.call(ctx, req); s == p.etcd {
			want = out
		} else {
			got = out
		}
	})
	p.compare(req, want, got)
	return want
}

// compare reports what differs between two answers to req.
func (p *pair) compare(req proto.Message, want, got outcome) {
	p.t.Helper()
	if w, g := text(want.err), text(got.err); w != g {
		p.t.Errorf("%s\n  etcd: %s\n  node: %s", show(req), w, g)
		return
	}
	if want.err != nil {
		return
	}
	if h, ok := want.resp.(interface{ GetHeader() *pb.ResponseHeader }); ok && h.GetHeader().GetRevision() > 0 {
		p.rev = h.GetHeader().GetRevision()
	}
	if w, ok := want.resp.(*pb.LeaseTimeToLiveResponse); ok {
		g := got.resp.(*pb.LeaseTimeToLiveResponse)
		if w.TTL >= 0 && g.TTL >= 0 && max(w.TTL-g.TTL, g.TTL-w.TTL) <= ttlSlack {
			g.TTL = w.TTL
		}
	}
	if !proto.Equal(want.resp, got.resp) {
		p.t.Errorf("%s (-etcd +node):\n%s", show(req), cmp.Diff(want.resp, got.resp, protocmp.Transform()))
	}
}

// all sends the requests one after the other.
func (p *pair) all(reqs ...proto.Message) {
	p.t.Helper()
	for _, r := range reqs {
		p.do(r)
	}
}

// now asks for the present revision.
func (p *pair) now() int64 {
	p.t.Helper()
	p.do(&pb.RangeRequest{Key: []byte("now")})
	return p.rev
}

// show describes a request for a failure's text.
func show(m proto.Message) string {
	const most = 600
	name, _ := bytes.CutSuffix([]byte(m.ProtoReflect().Descriptor().Name()), []byte("Request"))
	s := prototext.MarshalOptions{}.Format(m)
	if len(s) > most {
		s = s[:most] + fmt.Sprintf("... (%d bytes)", proto.Size(m))
	}
	return fmt.Sprintf("%s{%s}", name, s)
}

// stream sends req to KV/RangeStream of both sites. The messages are compared one by one.
func (p *pair) stream(req *pb.RangeRequest) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
	defer cancel()
	var want, got []proto.Message
	var wantErr, gotErr error
	p.both(func(s *site) {
		msgs, err := s.rangeStream(ctx, req)
		if s == p.etcd {
			want, wantErr = msgs, err
		} else {
			got, gotErr = msgs, err
		}
	})
	if w, g := text(wantErr), text(gotErr); w != g {
		p.t.Errorf("streamed %s\n  etcd: %s\n  node: %s", show(req), w, g)
	}
	if len(want) != len(got) {
		p.t.Errorf("streamed %s: %d messages from etcd, %d from the node", show(req), len(want), len(got))
	}
	for i := range min(len(want), len(got)) {
		if !proto.Equal(want[i], got[i]) {
			p.t.Errorf("streamed %s, message %d (-etcd +node):\n%s", show(req), i, cmp.Diff(want[i], got[i], protocmp.Transform()))
			return
		}
	}
}

func (s *site) rangeStream(ctx context.Context, req *pb.RangeRequest) ([]proto.Message, error) {
	stream, err := pb.NewKVClient(s.conn).RangeStream(s.with(ctx), s.outgoing(req).(*pb.RangeRequest))
	if err != nil {
		return nil, err
	}
	return receiveAll(s, stream)
}

// receiveAll returns the messages of a stream until its end.
func receiveAll[T any, P interface {
	*T
	proto.Message
}](s *site, stream grpc.ServerStreamingClient[T]) ([]proto.Message, error) {
	var msgs []proto.Message
	for {
		msg, err := stream.Recv()
		if err == io.EOF {
			return msgs, nil
		}
		if err != nil {
			return msgs, err
		}
		s.incoming(P(msg))
		msgs = append(msgs, P(msg))
	}
}

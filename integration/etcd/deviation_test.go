package etcd

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// TestDeviations shows differences that docs/etcd.md lists and that the other
// tests here keep away from, at both sites: what etcd does, and what a node does.
func TestDeviations(t *testing.T) {
	p := startPair(t, startFounder)
	for _, d := range []struct {
		name string
		show func(*pair)
	}{
		{"compact_0", compactZero}, // first: nothing may have been compacted
		{"hash_compacted", hashCompacted},
		{"progress_next", progressNext},
		{"compacted_watch", compactedWatch},
		{"delete_without_end", deleteWithoutEnd},
	} {
		t.Run(d.name, func(t *testing.T) { d.show(p.in(t)) })
	}
}

const (
	none      = "no error"
	compacted = `OutOfRange "etcdserver: mvcc: required revision has been compacted", 0 details`
)

// differ sends a request to both sites and checks what each says.
func (p *pair) differ(req proto.Message, etcd, node string) {
	p.t.Helper()
	for _, c := range []struct {
		s    *site
		want string
	}{{p.etcd, etcd}, {p.node, node}} {
		if got := text(c.s.call(p.t.Context(), req).err); got != c.want {
			p.t.Errorf("%s: %s: %s, want %s", c.s.name, show(req), got, c.want)
		}
	}
}

func compactZero(p *pair) {
	p.differ(&pb.CompactionRequest{}, none, compacted)
	p.differ(&pb.CompactionRequest{}, compacted, compacted)
}

func hashCompacted(p *pair) {
	for range 6 {
		p.do(put("hash", "v"))
	}
	p.all(&pb.CompactionRequest{Revision: p.rev - 3, Physical: true}, &pb.CompactionRequest{Revision: p.rev - 1, Physical: true})
	p.differ(&pb.HashKVRequest{Revision: p.rev - 3}, none, compacted)
}

func progressNext(p *pair) {
	w := p.watch()
	w.create(watchOf("next", "", p.now()+1))
	w.send(progressRequest)
	if !w.node.wait(func() bool { return w.node.progress == p.rev }) {
		p.t.Error("node: no answer to a progress request")
	}
	if w.etcd.wait1(func() bool { return w.etcd.progress > 0 }) {
		p.t.Error("etcd: answer to a progress request")
	}
	w.close()
}

func compactedWatch(p *pair) {
	w := p.watch()
	w.create(&pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 1, WatchId: 7})
	w.waitHistory(1)
	for _, r := range []*recorder{w.etcd, w.node} {
		if sent := r.compactedAt; (sent == 0) != (r == w.etcd) {
			p.t.Errorf("%s: header revision %d in the cancellation for compaction", r.site.name, sent)
		}
	}
	w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 7}}})
	if !w.etcd.wait(func() bool { return len(w.etcd.control) == 2 }) {
		p.t.Error("etcd: the cancel of a compacted watch is not answered")
	}
	if w.node.wait1(func() bool { return len(w.node.control) == 2 }) {
		p.t.Error("node: the cancel of a compacted watch is answered")
	}
	w.close()
}

// deleteWithoutEnd asks the node only: etcd panics.
func deleteWithoutEnd(p *pair) {
	for _, req := range []proto.Message{
		put("zz/a", "old"),
		txn(del("zz/", "\x00"), &pb.PutRequest{Key: []byte("zz/a"), IgnoreValue: true}),
	} {
		if out := p.node.call(p.t.Context(), req); out.err != nil {
			p.t.Errorf("node: %s: %v", show(req), out.err)
		}
	}
	now := p.node.rawHeader(p.t).Revision
	if out := p.node.call(p.t.Context(), &pb.CompactionRequest{Revision: now}); out.err != nil {
		p.t.Error(out.err)
	}
	out := p.node.call(p.t.Context(), &pb.RangeRequest{Key: []byte("zz/a"), Revision: now})
	if resp, _ := out.resp.(*pb.RangeResponse); out.err != nil || len(resp.Kvs) != 1 || len(resp.Kvs[0].Value) != 0 {
		p.t.Errorf("node: zz/a = %v, %v, want an empty value", resp, out.err)
	}
}

package adversary

import (
	"bytes"
	"compress/gzip"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // for the client's bomb
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestOversizedFrames: frames that announce gigabytes, lists that announce more than
// the frame holds, messages over their bound, and compressed bombs, which are not opened beyond what
// their own length allows.
func TestOversizedFrames(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	victim := m.Sites[0]
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	many := []byte{0x9b, 0, 0, 0, 1, 0, 0, 0, 0} // the head of a CBOR array of 2^32 items
	long := []byte{0x5b, 0, 0, 0, 1, 0, 0, 0, 0} // that of a byte string of 4 GiB
	op := liar.Sign(t, mirror.Graph(), m.Liar(), liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/bomb", "x")}})
	deep := bytes.Repeat([]byte{0x81}, 60<<10) // arrays within arrays
	for _, lie := range map[string]struct {
		reason string
		send   func(p *Peer)
	}{
		"a frame of 4 GiB":            {"oversize", func(p *Peer) { p.Sync(victim, huge, p.Open()...) }},
		"a hello of 4 GiB":            {"oversize", func(p *Peer) { p.Sync(victim, huge) }},
		"a hello of 128 KiB":          {"oversize", func(p *Peer) { p.Sync(victim, []byte{0, 2, 0, 0}) }},
		"a hello of many items":       {"malformed", func(p *Peer) { p.Sync(victim, nil, append([]byte{0x82, 0}, many...)) }},
		"nothing but brackets":        {"malformed", func(p *Peer) { p.Sync(victim, nil, deep) }},
		"a summary of many items":     {"malformed", func(p *Peer) { p.Sync(victim, nil, hello(), append([]byte{0x8b, 0, 0}, many...)) }},
		"a summary of a long filter":  {"oversize", func(p *Peer) { p.Sync(victim, nil, hello(), append([]byte{0x8b, 0, 0}, long...)) }},
		"a compressed frame":          {"malformed", func(p *Peer) { p.Sync(victim, nil, append(p.Open(), bomb.Bytes())...) }},
		"a compressed body":           {"refused-body-size", func(p *Peer) { p.Gossip(gossipOp(encodedOp{op.Block(), bomb.Bytes()})) }},
		"a bomb as a frame":           {"malformed", func(p *Peer) { p.Sync(victim, squeezed(4<<20, make([]byte, 64<<20)), p.Open()...) }},
		"a frame of 2 GiB, as a bomb": {"oversize", func(p *Peer) { p.Sync(victim, squeezed(2<<30, make([]byte, 64<<20)), p.Open()...) }},
		"a hello as a bomb":           {"malformed", func(p *Peer) { p.Sync(victim, squeezed(60<<10, make([]byte, 64<<20))) }},
		"a frame that is not what was compressed": {"malformed", func(p *Peer) {
			p.Sync(victim, []byte{0x80, 0, 0, 8, 0, 0, 0, 200, 0xff, 0xff, 0xff, 0xff}, p.Open()...)
		}},
		"a bomb by gossip":       {"malformed", func(p *Peer) { p.Gossip(gossipShort(op.Block(), 256<<10, make([]byte, 64<<20))) }},
		"gossip of 2^63 bytes":   {"malformed", func(p *Peer) { p.Gossip(gossipShort(op.Block(), 1<<63, op.Body())) }},
		"gossip of a long block": {"malformed", func(p *Peer) { p.Gossip(append([]byte{0x83, 0}, long...)) }},
		"gossip of many heads": {"malformed", func(p *Peer) {
			key := p.Key.Public()
			p.Gossip(append(append([]byte{0x83, 1, 0x58, 32}, key[:]...), many...))
		}},
	} {
		p := m.NewPeer(t, m.Liar(), victim)
		lie.send(p)
		victim.Names(t, p.Key.Public(), lie.reason, func() { lie.send(p) })
	}
	// Gossip over its bound: the stream is reset before it is read to its end.
	p := m.NewPeer(t, m.Liar(), victim)
	p.Gossip(make([]byte, 3<<20))
	// And the client's side: no request is decompressed.
	conn, err := grpc.NewClient("passthrough:///"+victim.Client, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = pb.NewKVClient(conn).Put(t.Context(), &pb.PutRequest{Key: []byte("/bomb"), Value: make([]byte, 64<<20)}, grpc.UseCompressor("gzip"))
	if code := status.Code(err); code != codes.Unimplemented && code != codes.ResourceExhausted && code != codes.InvalidArgument {
		t.Errorf("a compressed put of 64 MiB: %v, want a refusal", err)
	}
	w.Survived(t, Usual)
}
